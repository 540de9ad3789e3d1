use anyhow::Result;
use clap::Args;
use kernex_api::{MAX_PAGE_LIMIT, deployments::DeploymentList};
use kernex_client::DeploymentQuery;
use kernex_core::{DeploymentStatus, Timestamp};

use crate::{
    args::LimitArg,
    context::Context,
    output::{
        say,
        table::{self, plain},
        text,
        tone::Tone,
    },
};

/// List deployments, newest first
///
/// Example: kernex deployment list --status failed
#[derive(Args, Debug)]
pub(crate) struct List {
    #[command(flatten)]
    limit: LimitArg,
    /// Only those that are: pending, in_progress, paused, success, failed, rolled_back or cancelled
    #[arg(long, value_name = "STATUS")]
    status: Option<DeploymentStatus>,
}

impl List {
    pub(crate) async fn run(self, context: &Context) -> Result<()> {
        let client = context.client()?;
        let limit = self.limit.limit;
        let mut query = DeploymentQuery {
            status: self.status.map(|status| status.to_string()),
            ..DeploymentQuery::default()
        };
        let mut all = DeploymentList { deployments: Vec::new(), total: 0, next_cursor: None };
        while (all.deployments.len() as u32) < limit {
            query.limit = Some((limit - all.deployments.len() as u32).min(MAX_PAGE_LIMIT));
            query.cursor = all.next_cursor.take();
            let page = client.list_deployments(&query).await?;
            let is_empty = page.deployments.is_empty();
            all.deployments.extend(page.deployments);
            (all.total, all.next_cursor) = (page.total, page.next_cursor);
            if is_empty || all.next_cursor.is_none() {
                break;
            }
        }
        context.show(&all, || render(&all, context.now(), None))?;
        if all.next_cursor.is_some() {
            say(&format!("{} of {}; --limit shows more", all.deployments.len(), all.total));
        }
        Ok(())
    }
}

fn render(list: &DeploymentList, now: Timestamp, width: Option<u16>) -> String {
    if list.deployments.is_empty() {
        return "No deployments.".to_owned();
    }
    let mut table =
        table::List::new(&["ID", "KIND", "BUNDLE", "STATUS", "DEVICES", "CREATED", "BY", "DESCRIPTION"]);
    for deployment in &list.deployments {
        let progress = &deployment.progress;
        table.row([
            plain(deployment.deployment_id),
            plain(deployment.kind),
            plain(format!("{}@{}", deployment.bundle_name, deployment.bundle_version)),
            Tone::from(deployment.status).cell(deployment.status),
            plain(format!("{}/{}", progress.success, progress.total)),
            plain(text::ago(deployment.created_at, now)),
            plain(&deployment.created_by),
            plain(deployment.description.as_deref().unwrap_or_default()),
        ]);
    }
    table.render(width)
}
