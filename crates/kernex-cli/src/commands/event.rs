pub(crate) mod list;
pub(crate) mod watch;

use anyhow::Result;
use clap::Subcommand;

use crate::context::Context;

/// See what happened, and watch it happen
#[derive(Debug, Subcommand)]
pub(crate) enum EventCommand {
    List(list::List),
    Watch(watch::Watch),
}

impl EventCommand {
    pub(crate) async fn run(self, context: &Context) -> Result<()> {
        match self {
            Self::List(command) => command.run(context).await,
            Self::Watch(command) => command.run(context).await,
        }
    }
}

/// Which events.
#[derive(clap::Args, Clone, Debug)]
pub(crate) struct FilterArgs {
    /// Only events of this kind, such as device.offline; may be repeated
    #[arg(long = "kind", value_name = "KIND")]
    kinds: Vec<kernex_core::EventKind>,
    /// Only events about this device
    #[arg(long, value_name = "DEVICE")]
    device: Option<String>,
    /// Only events about this deployment
    #[arg(long, value_name = "DEPLOYMENT")]
    deployment: Option<kernex_core::DeploymentId>,
}

impl FilterArgs {
    /// The query for them, without a page.
    pub(crate) async fn query(
        &self,
        client: &kernex_client::OperatorClient,
    ) -> Result<kernex_client::EventQuery> {
        let device = match &self.device {
            Some(text) => Some(crate::resolve::device(client, text).await?.id.to_string()),
            None => None,
        };
        let kinds: Vec<&str> = self.kinds.iter().map(|kind| kind.as_str()).collect();
        Ok(kernex_client::EventQuery {
            kind: (!kinds.is_empty()).then(|| kinds.join(",")),
            device_id: device,
            deployment_id: self.deployment.map(|id| id.to_string()),
            ..kernex_client::EventQuery::default()
        })
    }
}
