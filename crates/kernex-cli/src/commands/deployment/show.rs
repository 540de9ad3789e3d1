use anyhow::Result;
use clap::Args;
use kernex_api::{
    MAX_PAGE_LIMIT,
    deployments::{DeploymentDetail, TargetList},
};
use kernex_client::TargetQuery;
use kernex_core::{DeploymentId, TargetState, Timestamp};
use serde::Serialize;

use crate::{
    context::Context,
    output::{say, table::Fields, text, tone::Tone},
    watch::{self, Names, summary},
};

/// Show one deployment and how far its devices are
///
/// Example: kernex deployment show 0199c2f4-8a51-7c3e-9d21-4f6f1f0f3a55 --state failed
#[derive(Args, Debug)]
pub(crate) struct Show {
    /// The deployment's id
    #[arg(value_name = "DEPLOYMENT")]
    id: DeploymentId,
    /// Only devices in this state, for example failed
    #[arg(long, value_name = "STATE")]
    state: Option<TargetState>,
}

#[derive(Serialize)]
struct Shown<'a> {
    #[serde(flatten)]
    detail: &'a DeploymentDetail,
    #[serde(flatten)]
    page: &'a TargetList,
}

impl Show {
    pub(crate) async fn run(self, context: &Context) -> Result<()> {
        let client = context.client()?;
        let detail = client.get_deployment(self.id).await?;
        let query = TargetQuery {
            limit: Some(MAX_PAGE_LIMIT),
            cursor: None,
            state: self.state.map(|state| state.to_string()),
        };
        let page = client.list_targets(self.id, &query).await?;
        let names = if context.is_json() { Names::new() } else { watch::names(&client, &detail).await };
        context.show(&Shown { detail: &detail, page: &page }, || {
            let table = summary::table(&page.targets, &names, None);
            format!("{}\n\n{table}", fields(&detail, context.now()))
        })?;
        if page.next_cursor.is_some() {
            say(&format!("The first {} devices; --state narrows them down", page.targets.len()));
        }
        Ok(())
    }
}

fn fields(detail: &DeploymentDetail, now: Timestamp) -> String {
    let deployment = &detail.deployment;
    let mut fields = Fields::new();
    fields.add("deployment", deployment.deployment_id.to_string()).add("kind", deployment.kind.as_str());
    fields.add("bundle", format!("{}@{}", deployment.bundle_name, deployment.bundle_version));
    fields.add("status", Tone::from(deployment.status).cell(deployment.status));
    fields.add("devices", deployment.progress.total.to_string());
    fields.add("created", format!("{} by {}", text::ago(deployment.created_at, now), deployment.created_by));
    if let Some(completed_at) = deployment.completed_at {
        fields.add("completed", text::ago(completed_at, now));
    }
    if let Some(description) = &deployment.description {
        fields.add("description", description.as_str());
    }
    if let Some(reason) = &deployment.error_message {
        fields.add("reason", Tone::Bad.cell(reason));
    }
    fields.render(None)
}
