pub(crate) mod get;
pub(crate) mod rollback;
pub(crate) mod set;
pub(crate) mod versions;

use anyhow::Result;
use clap::Subcommand;
use kernex_api::devices::ConfigResponse;

use crate::{context::Context, output::table::Fields};

/// See and change the configuration that a device goes by
#[derive(Debug, Subcommand)]
pub(crate) enum ConfigCommand {
    Get(get::Get),
    Set(set::Set),
    Versions(versions::Versions),
    Rollback(rollback::Rollback),
}

impl ConfigCommand {
    pub(crate) async fn run(self, context: &Context) -> Result<()> {
        match self {
            Self::Get(command) => command.run(context).await,
            Self::Set(command) => command.run(context).await,
            Self::Versions(command) => command.run(context).await,
            Self::Rollback(command) => command.run(context).await,
        }
    }
}

/// A configuration as it is shown; the names are those that `set` takes.
fn render(answer: &ConfigResponse) -> String {
    let config = &answer.config;
    let mut fields = Fields::new();
    fields.add("version", answer.version.to_string());
    fields.add("polling_interval", config.polling_interval.to_string());
    fields.add("heartbeat_timeout", config.heartbeat_timeout.to_string());
    fields.add("deploy_timeout", config.deploy_timeout.to_string());
    fields.add("log_level", config.log_level.as_str());
    if let Some(limit) = config.max_download_kib_per_sec {
        fields.add("max_download_kib_per_sec", limit.to_string());
    }
    for (key, value) in &config.metadata {
        fields.add(&format!("metadata.{}", crate::output::text::printable(key)), value.to_string());
    }
    fields.render(None)
}
