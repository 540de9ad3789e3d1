pub(crate) mod list;
pub(crate) mod rollback;
pub(crate) mod show;
pub(crate) mod watch;

use anyhow::Result;
use clap::Subcommand;

use crate::context::Context;

/// See deployments, follow one, take one back
#[derive(Debug, Subcommand)]
pub(crate) enum DeploymentCommand {
    List(list::List),
    Show(show::Show),
    Watch(watch::Watch),
    Rollback(rollback::Rollback),
}

impl DeploymentCommand {
    pub(crate) async fn run(self, context: &Context) -> Result<()> {
        match self {
            Self::List(command) => command.run(context).await,
            Self::Show(command) => command.run(context).await,
            Self::Watch(command) => command.run(context).await,
            Self::Rollback(command) => command.run(context).await,
        }
    }
}
