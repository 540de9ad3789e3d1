use anyhow::Result;
use clap::Args;
use kernex_api::groups::ChangeMembersRequest;

use super::GroupArg;
use crate::{context::Context, output::text, resolve};

/// Take devices out of a group that is a list
///
/// Example: kernex group remove pilots cam-1 cam-2
#[derive(Args, Debug)]
pub(crate) struct Remove {
    #[command(flatten)]
    group: GroupArg,
    /// The devices: ids, unique beginnings of ids, or display names
    #[arg(value_name = "DEVICE", required = true)]
    devices: Vec<String>,
}

impl Remove {
    pub(crate) async fn run(self, context: &Context) -> Result<()> {
        let client = context.client()?;
        let group = resolve::group(&client, &self.group.group).await?;
        let devices = resolve::devices(&client, &self.devices).await?;
        let ids = devices.iter().map(|device| device.id).collect();
        let request = ChangeMembersRequest { remove: ids, ..ChangeMembersRequest::default() };
        let changed = client.change_group_devices(group.id, &request).await?;
        context.show(&changed, || {
            format!(
                "{} taken out of the group {}.",
                text::count(changed.removed, "device"),
                text::printable(&group.name)
            )
        })
    }
}
