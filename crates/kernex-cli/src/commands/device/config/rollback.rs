use anyhow::Result;
use clap::Args;

use crate::{commands::device::DeviceArg, context::Context, output::say, resolve};

/// Make the values of an earlier configuration the newest one
///
/// `kernex device config versions DEVICE` lists them.
///
/// Example: kernex device config rollback cam-1 3
#[derive(Args, Debug)]
pub(crate) struct Rollback {
    #[command(flatten)]
    device: DeviceArg,
    /// The version to return to
    #[arg(value_name = "VERSION")]
    config_version: u64,
}

impl Rollback {
    pub(crate) async fn run(self, context: &Context) -> Result<()> {
        let client = context.client()?;
        let found = resolve::device(&client, &self.device.device).await?;
        let config = client.rollback_config(found.id, self.config_version).await?;
        say(&format!(
            "{found} gets the values of version {} as version {}.",
            self.config_version, config.version
        ));
        context.show(&config, || super::render(&config))
    }
}
