use anyhow::Result;
use clap::Args;
use kernex_api::groups::ChangeMembersRequest;

use super::GroupArg;
use crate::{context::Context, output::text, resolve};

/// Put devices into a group that is a list
///
/// Example: kernex group add pilots cam-1 cam-2
#[derive(Args, Debug)]
pub(crate) struct Add {
    #[command(flatten)]
    group: GroupArg,
    /// The devices: ids, unique beginnings of ids, or display names
    #[arg(value_name = "DEVICE", required = true)]
    devices: Vec<String>,
}

impl Add {
    pub(crate) async fn run(self, context: &Context) -> Result<()> {
        let client = context.client()?;
        let group = resolve::group(&client, &self.group.group).await?;
        let devices = resolve::devices(&client, &self.devices).await?;
        let ids = devices.iter().map(|device| device.id).collect();
        let request = ChangeMembersRequest { add: ids, ..ChangeMembersRequest::default() };
        let changed = client.change_group_devices(group.id, &request).await?;
        context.show(&changed, || {
            format!(
                "{} put into the group {}.",
                text::count(changed.added, "device"),
                text::printable(&group.name)
            )
        })
    }
}
