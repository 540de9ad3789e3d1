use anyhow::Result;
use clap::Args;

use super::DeviceArg;
use crate::{confirm::confirm, context::Context, output::say, resolve};

/// Take a device out of the fleet for good
///
/// Its requests are refused from then on; its history stays. Asks first, unless --yes is given.
///
/// Example: kernex device decommission cam-1 --yes
#[derive(Args, Debug)]
pub(crate) struct Decommission {
    #[command(flatten)]
    device: DeviceArg,
}

impl Decommission {
    pub(crate) async fn run(self, context: &Context) -> Result<()> {
        let client = context.client()?;
        let found = resolve::device(&client, &self.device.device).await?;
        confirm(context, &format!("Take {found} out of the fleet for good?"))?;
        let device = client.decommission_device(found.id).await?;
        say(&format!("{found} was decommissioned."));
        if context.is_json() { crate::output::print_json(&device) } else { Ok(()) }
    }
}
