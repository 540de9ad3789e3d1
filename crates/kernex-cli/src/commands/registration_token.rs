pub(crate) mod create;
pub(crate) mod list;
pub(crate) mod revoke;

use anyhow::Result;
use clap::Subcommand;

use crate::context::Context;

/// Manage registration tokens, which let devices in without approval
#[derive(Debug, Subcommand)]
pub(crate) enum RegistrationTokenCommand {
    Create(create::Create),
    List(list::List),
    Revoke(revoke::Revoke),
}

impl RegistrationTokenCommand {
    pub(crate) async fn run(self, context: &Context) -> Result<()> {
        match self {
            Self::Create(command) => command.run(context).await,
            Self::List(command) => command.run(context).await,
            Self::Revoke(command) => command.run(context).await,
        }
    }
}
