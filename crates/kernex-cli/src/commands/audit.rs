pub(crate) mod checkpoints;
pub(crate) mod export;
pub(crate) mod filter;
pub(crate) mod list;
pub(crate) mod verify;

use anyhow::Result;
use clap::Subcommand;

use crate::context::Context;

/// Read the audit log: what was done and attempted, by whom, from where
#[derive(Debug, Subcommand)]
pub(crate) enum AuditCommand {
    List(list::List),
    Export(export::Export),
    Checkpoints(checkpoints::Checkpoints),
    Verify(verify::Verify),
}

impl AuditCommand {
    pub(crate) async fn run(self, context: &Context) -> Result<()> {
        match self {
            Self::List(command) => command.run(context).await,
            Self::Export(command) => command.run(context).await,
            Self::Checkpoints(command) => command.run(context).await,
            Self::Verify(command) => command.run(context).await,
        }
    }
}
