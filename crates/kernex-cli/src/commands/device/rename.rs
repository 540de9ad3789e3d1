use anyhow::Result;
use clap::Args;
use kernex_api::devices::UpdateDeviceRequest;

use super::DeviceArg;
use crate::{context::Context, output::say, resolve};

/// Give a device a display name, or take it away with an empty one
///
/// Example: kernex device rename 0199c2f4-8a51 cam-1
#[derive(Args, Debug)]
pub(crate) struct Rename {
    #[command(flatten)]
    device: DeviceArg,
    /// The new name
    #[arg(value_name = "NAME")]
    name: String,
}

impl Rename {
    pub(crate) async fn run(self, context: &Context) -> Result<()> {
        let client = context.client()?;
        let found = resolve::device(&client, &self.device.device).await?;
        let request = UpdateDeviceRequest { display_name: Some(self.name.clone()), tags: None };
        let device = client.update_device(found.id, &request).await?;
        match self.name.as_str() {
            "" => say(&format!("{} has no name any more.", found.id)),
            name => say(&format!("{} is now called {name}.", found.id)),
        }
        if context.is_json() { crate::output::print_json(&device) } else { Ok(()) }
    }
}
