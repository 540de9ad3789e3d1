use anyhow::Result;
use clap::Args;
use kernex_core::DeploymentId;

use crate::{args::TimeoutArg, context::Context, watch};

/// Follow a deployment until it has ended
///
/// Shows a line per device, or totals when there are more than 20, and at the end how each device fared. The exit code is
/// 0 only when the deployment succeeded.
///
/// Example: kernex deployment watch 0199c2f4-8a51-7c3e-9d21-4f6f1f0f3a55 --timeout 10m
#[derive(Args, Debug)]
pub(crate) struct Watch {
    /// The deployment's id
    #[arg(value_name = "DEPLOYMENT")]
    id: DeploymentId,
    #[command(flatten)]
    timeout: TimeoutArg,
}

impl Watch {
    pub(crate) async fn run(self, context: &Context) -> Result<()> {
        watch::until_success(context, &context.client()?, self.id, self.timeout.limit()).await
    }
}
