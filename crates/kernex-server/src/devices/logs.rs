//! `GET /devices/{id}/logs`

use axum::{Json, extract::State};
use kernex_api::{Problem, logs::LogList};
use kernex_core::DeviceId;

use super::get::require_device;
use crate::{
    AppState,
    auth::CurrentUser,
    error::ApiResult,
    extract::{PathId, QueryParams},
    logs::{LogParams, page_of_logs},
};

/// List lines that a device shipped, newest first.
#[utoipa::path(get, path = "/devices/{device_id}/logs", tag = "logs",
    params(("device_id" = DeviceId, Path), LogParams), responses(
    (status = 200, body = LogList),
    (status = 400, body = Problem, content_type = "application/problem+json"),
    (status = 404, body = Problem, content_type = "application/problem+json"),
))]
pub(super) async fn logs(
    State(state): State<AppState>,
    user: CurrentUser,
    PathId(id): PathId<DeviceId>,
    QueryParams(params): QueryParams<LogParams>,
) -> ApiResult<Json<LogList>> {
    require_device(&state, &user, id).await?;
    page_of_logs(&state, &user, Some(id), params).await
}
