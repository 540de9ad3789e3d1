pub(crate) mod create;
pub(crate) mod delete;
pub(crate) mod deliveries;
pub(crate) mod edit;
pub(crate) mod list;
pub(crate) mod redeliver;
pub(crate) mod rotate_secret;
pub(crate) mod test;

use anyhow::Result;
use clap::Subcommand;

use crate::context::Context;

/// Tell other programs of events, by signed requests to their addresses
#[derive(Debug, Subcommand)]
pub(crate) enum WebhookCommand {
    List(list::List),
    Create(create::Create),
    Edit(edit::Edit),
    Delete(delete::Delete),
    RotateSecret(rotate_secret::RotateSecret),
    Test(test::Test),
    Deliveries(deliveries::Deliveries),
    Redeliver(redeliver::Redeliver),
}

impl WebhookCommand {
    pub(crate) async fn run(self, context: &Context) -> Result<()> {
        match self {
            Self::List(command) => command.run(context).await,
            Self::Create(command) => command.run(context).await,
            Self::Edit(command) => command.run(context).await,
            Self::Delete(command) => command.run(context).await,
            Self::RotateSecret(command) => command.run(context).await,
            Self::Test(command) => command.run(context).await,
            Self::Deliveries(command) => command.run(context).await,
            Self::Redeliver(command) => command.run(context).await,
        }
    }
}

/// The argument that names one webhook.
#[derive(clap::Args, Clone, Debug)]
pub(crate) struct WebhookArg {
    /// The webhook's id
    #[arg(value_name = "WEBHOOK")]
    pub(crate) id: kernex_core::WebhookId,
}
