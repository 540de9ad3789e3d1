//! `GET /devices/{id}/bundle-history`

use axum::{Json, extract::State};
use kernex_api::{Problem, devices::HistoryEntry};
use kernex_core::DeviceId;
use serde::Deserialize;
use utoipa::IntoParams;

use super::get::require_device;
use crate::{
    AppState,
    auth::CurrentUser,
    error::ApiResult,
    extract::{PathId, QueryParams},
    pagination::page_limit,
};

#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub(super) struct HistoryParams {
    /// Lines, 1 to 200; 50 when absent.
    limit: Option<u32>,
}

/// What ran when on a device, who sent it and why it ended, newest first.
#[utoipa::path(get, path = "/devices/{device_id}/bundle-history", tag = "devices",
    params(("device_id" = DeviceId, Path), HistoryParams), responses(
    (status = 200, body = Vec<HistoryEntry>),
    (status = 400, body = Problem, content_type = "application/problem+json"),
    (status = 404, body = Problem, content_type = "application/problem+json"),
))]
pub(super) async fn bundle_history(
    State(state): State<AppState>,
    user: CurrentUser,
    PathId(id): PathId<DeviceId>,
    QueryParams(params): QueryParams<HistoryParams>,
) -> ApiResult<Json<Vec<HistoryEntry>>> {
    let limit = page_limit(params.limit)?;
    require_device(&state, &user, id).await?;
    let lines = state.store().list_history(user.org(), id, limit).await?;
    let entries = lines.into_iter().map(|line| HistoryEntry {
        deployment_id: line.deployment_id,
        kind: line.kind,
        bundle_name: line.bundle_name,
        bundle_version: line.bundle_version,
        status: line.state,
        created_by: line.created_by,
        started_at: line.delivered_at,
        completed_at: line.completed_at,
        duration_secs: line.duration_secs,
        error_code: line.failure.code,
        error_message: line.failure.message,
    });
    Ok(Json(entries.collect()))
}
