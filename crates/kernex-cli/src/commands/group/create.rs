use anyhow::Result;
use clap::Args;
use kernex_api::groups::CreateGroupRequest;

use super::show::render;
use crate::{context::Context, resolve, selector};

/// Make a group
///
/// With --selector, devices are in it or not by what they are, at any time. Without, it is a list of devices.
///
/// Example: kernex group create berlin --selector site=berlin --channel prod
#[derive(Args, Debug)]
pub(crate) struct Create {
    /// Its name: 1 to 64 of a-z A-Z 0-9 . _ -
    #[arg(value_name = "NAME")]
    name: String,
    /// Which devices are in it
    #[arg(long, value_name = "SELECTOR", value_parser = selector::parse, conflicts_with = "devices")]
    selector: Option<String>,
    /// A device of the list; may be repeated
    #[arg(long = "device", value_name = "DEVICE")]
    devices: Vec<String>,
    /// The release channel that it follows
    #[arg(long, value_name = "CHANNEL")]
    channel: Option<String>,
    /// What it is for
    #[arg(long, value_name = "TEXT")]
    description: Option<String>,
}

impl Create {
    pub(crate) async fn run(self, context: &Context) -> Result<()> {
        let client = context.client()?;
        let devices = resolve::devices(&client, &self.devices).await?;
        let request = CreateGroupRequest {
            name: self.name,
            description: self.description,
            selector: self.selector,
            devices: (!devices.is_empty()).then(|| devices.iter().map(|device| device.id).collect()),
            channel: self.channel,
        };
        let group = client.create_group(&request).await?;
        context.show(&group, || render(&group, context.now()))
    }
}
