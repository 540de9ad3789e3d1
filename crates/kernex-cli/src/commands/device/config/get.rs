use anyhow::Result;
use clap::Args;

use crate::{commands::device::DeviceArg, context::Context, resolve};

/// Show the configuration that a device is to have
///
/// Times are seconds. `kernex device show` says whether the device has taken it on.
///
/// Example: kernex device config get cam-1
#[derive(Args, Debug)]
pub(crate) struct Get {
    #[command(flatten)]
    device: DeviceArg,
}

impl Get {
    pub(crate) async fn run(self, context: &Context) -> Result<()> {
        let client = context.client()?;
        let id = resolve::device(&client, &self.device.device).await?.id;
        let config = client.get_config(id).await?;
        context.show(&config, || super::render(&config))
    }
}
