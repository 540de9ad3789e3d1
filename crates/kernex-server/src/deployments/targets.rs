//! `GET /deployments/{id}/targets`

use axum::{Json, extract::State};
use kernex_api::{
    Problem,
    deployments::{Target, TargetList},
};
use kernex_core::DeploymentId;
use kernex_store::TargetRecord;
use serde::Deserialize;
use utoipa::IntoParams;

use crate::{
    AppState,
    auth::CurrentUser,
    error::{ApiError, ApiResult},
    extract::{PathId, QueryParams},
    pagination::{cursor, next_cursor, page_limit, word},
};

#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub(super) struct TargetParams {
    /// Rows on a page, 1 to 200; 50 when absent.
    limit: Option<u32>,
    /// `next_cursor` of the page before.
    cursor: Option<String>,
    /// Targets in this state.
    state: Option<String>,
}

/// List a deployment's targets, in order of device id.
#[utoipa::path(get, path = "/deployments/{deployment_id}/targets", tag = "deployments",
    params(("deployment_id" = DeploymentId, Path), TargetParams), responses(
    (status = 200, body = TargetList),
    (status = 400, body = Problem, content_type = "application/problem+json"),
    (status = 404, body = Problem, content_type = "application/problem+json"),
))]
pub(super) async fn targets(
    State(state): State<AppState>,
    user: CurrentUser,
    PathId(id): PathId<DeploymentId>,
    QueryParams(params): QueryParams<TargetParams>,
) -> ApiResult<Json<TargetList>> {
    let (limit, after) = (page_limit(params.limit)?, cursor(params.cursor.as_deref())?);
    let wanted = word("state", params.state.as_deref())?;
    let found = state.store().find_deployment(user.org(), id).await?;
    found.ok_or_else(|| ApiError::not_found("deployment", id))?;
    let records = state.store().list_targets(user.org(), id, wanted, after, limit).await?;
    let next_cursor = next_cursor(&records, limit, |record| record.device_id);
    Ok(Json(TargetList { targets: records.into_iter().map(to_api).collect(), next_cursor }))
}

fn to_api(record: TargetRecord) -> Target {
    Target {
        device_id: record.device_id,
        state: record.state,
        attempt: record.attempt,
        progress_pct: record.progress_pct,
        delivered_at: record.delivered_at,
        started_at: record.started_at,
        updated_at: record.updated_at,
        completed_at: record.completed_at,
        lease_expires_at: record.lease_expires_at,
        duration_secs: record.duration_secs,
        error_code: record.failure.code,
        error_message: record.failure.message,
    }
}
