use anyhow::Result;
use clap::Args;

use super::DeviceArg;
use crate::{context::Context, output::say, resolve};

/// Let a device in that waits for approval
///
/// `kernex device show DEVICE` shows the fingerprint of its key; the agent shows the same one on the device.
///
/// Example: kernex device approve 0199c2f4-8a51
#[derive(Args, Debug)]
pub(crate) struct Approve {
    #[command(flatten)]
    device: DeviceArg,
}

impl Approve {
    pub(crate) async fn run(self, context: &Context) -> Result<()> {
        let client = context.client()?;
        let found = resolve::device(&client, &self.device.device).await?;
        let device = client.approve_device(found.id).await?;
        say(&format!("{found} was let in."));
        if context.is_json() { crate::output::print_json(&device) } else { Ok(()) }
    }
}
