use anyhow::Result;
use clap::Args;
use kernex_api::deployments::{CreatedRollbacks, RollbackDeploymentRequest};
use kernex_core::{BundleVersion, DeploymentId};

use crate::{
    args::WaitArgs,
    context::Context,
    output::{say, text},
    watch,
};

/// Take a deployment back: its devices return to what they ran before
///
/// Devices that ran different versions before get a deployment per version; the ids are printed, one a line. To return
/// single devices to a version use `kernex rollback`.
///
/// Example: kernex deployment rollback 0199c2f4-8a51-7c3e-9d21-4f6f1f0f3a55 --wait
#[derive(Args, Debug)]
pub(crate) struct Rollback {
    /// The deployment's id
    #[arg(value_name = "DEPLOYMENT")]
    id: DeploymentId,
    /// Return all devices to this version instead of what each ran before
    #[arg(long, value_name = "VERSION")]
    to: Option<BundleVersion>,
    #[command(flatten)]
    wait: WaitArgs,
}

impl Rollback {
    pub(crate) async fn run(self, context: &Context) -> Result<()> {
        let client = context.client()?;
        let request =
            RollbackDeploymentRequest { target_version: self.to.map(|version| version.to_string()) };
        let created = client.rollback_deployment(self.id, &request).await?;
        for rollback in &created.deployments {
            let count = text::count(rollback.target_device_ids.len() as u64, "device");
            say(&format!("Rolling {count} back to {}.", rollback.bundle_version));
        }
        if !self.wait.wait {
            return context.show(&created, || ids(&created));
        }
        // Every rollback is waited for before the first failure is told.
        let mut result = Ok(());
        for rollback in &created.deployments {
            let id = rollback.deployment_id;
            result = result.and(watch::until_success(context, &client, id, self.wait.timeout.limit()).await);
        }
        result
    }
}

fn ids(created: &CreatedRollbacks) -> String {
    created
        .deployments
        .iter()
        .map(|rollback| rollback.deployment_id.to_string())
        .collect::<Vec<_>>()
        .join("\n")
}
