//! Deployments: intent, progress, results, rollbacks.

mod cancel;
mod create;
mod get;
mod list;
mod order;
mod result;
mod rollback;
pub mod service;
mod targets;

use kernex_api::deployments::{Deployment, Progress};
use kernex_store::DeploymentRecord;
use utoipa_axum::{router::OpenApiRouter, routes};

use crate::AppState;

/// Routes under `/deployments`.
pub fn routes() -> OpenApiRouter<AppState> {
    OpenApiRouter::new()
        .routes(routes!(create::create, list::list))
        .routes(routes!(get::get))
        .routes(routes!(targets::targets))
        .routes(routes!(order::order))
        .routes(routes!(result::result))
        .routes(routes!(cancel::cancel))
        .routes(routes!(rollback::rollback))
}

/// A deployment as the API shows it.
fn to_api(record: DeploymentRecord) -> Deployment {
    Deployment {
        deployment_id: record.id,
        kind: record.kind,
        bundle_id: record.bundle_id,
        bundle_name: record.bundle_name,
        bundle_version: record.bundle_version,
        status: record.status,
        progress: Progress {
            total: record.total,
            pending: record.pending,
            in_progress: record.in_progress,
            success: record.success,
            failed: record.failed,
            rolled_back: record.rolled_back,
            cancelled: record.cancelled,
        },
        description: record.description,
        error_message: record.error_message,
        created_by: record.created_by,
        created_at: record.created_at,
        completed_at: record.completed_at,
    }
}
