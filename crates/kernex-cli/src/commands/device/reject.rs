use anyhow::Result;
use clap::Args;

use super::DeviceArg;
use crate::{confirm::confirm, context::Context, output::say, resolve};

/// Turn a device away that waits for approval, for good
///
/// Its key is refused from then on. Asks first, unless --yes is given.
///
/// Example: kernex device reject 0199c2f4-8a51 --yes
#[derive(Args, Debug)]
pub(crate) struct Reject {
    #[command(flatten)]
    device: DeviceArg,
}

impl Reject {
    pub(crate) async fn run(self, context: &Context) -> Result<()> {
        let client = context.client()?;
        let found = resolve::device(&client, &self.device.device).await?;
        confirm(context, &format!("Turn {found} away for good?"))?;
        let device = client.reject_device(found.id).await?;
        say(&format!("{found} was turned away."));
        if context.is_json() { crate::output::print_json(&device) } else { Ok(()) }
    }
}
