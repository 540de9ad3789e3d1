use anyhow::Result;
use clap::Args;
use kernex_api::devices::ConfigVersionList;
use kernex_core::Timestamp;

use crate::{
    commands::device::DeviceArg,
    context::Context,
    output::{
        table::{List, plain},
        text,
    },
    resolve,
};

/// List the configurations that a device had, newest first
///
/// Example: kernex device config versions cam-1
#[derive(Args, Debug)]
pub(crate) struct Versions {
    #[command(flatten)]
    device: DeviceArg,
}

impl Versions {
    pub(crate) async fn run(self, context: &Context) -> Result<()> {
        let client = context.client()?;
        let id = resolve::device(&client, &self.device.device).await?.id;
        let versions = client.list_config_versions(id).await?;
        context.show(&versions, || render(&versions, context.now()))
    }
}

fn render(list: &ConfigVersionList, now: Timestamp) -> String {
    let mut table =
        List::new(&["VERSION", "POLLING", "HEARTBEAT", "DEPLOY", "LOG LEVEL", "CREATED", "BY", "METADATA"]);
    for version in &list.versions {
        let config = &version.config;
        let metadata = if config.metadata.is_empty() {
            String::new()
        } else {
            serde_json::to_string(&config.metadata).unwrap_or_default()
        };
        table.row([
            plain(version.version),
            plain(format!("{} s", config.polling_interval)),
            plain(format!("{} s", config.heartbeat_timeout)),
            plain(format!("{} s", config.deploy_timeout)),
            plain(config.log_level.as_str()),
            plain(version.created_at.map_or_else(|| text::NONE.to_owned(), |time| text::ago(time, now))),
            plain(version.created_by.as_deref().unwrap_or("(default)")),
            plain(metadata),
        ]);
    }
    table.render(None)
}
