//! `GET /devices/{id}/heartbeats`

use axum::{Json, extract::State};
use kernex_api::{Problem, devices::HeartbeatList};
use kernex_core::DeviceId;

use super::{get::require_device, heartbeat_to_api};
use crate::{
    AppState,
    auth::CurrentUser,
    error::ApiResult,
    extract::{PathId, QueryParams},
    pagination::{PageParams, cursor, next_cursor, page_limit},
};

/// List a device's heartbeats, newest first.
#[utoipa::path(get, path = "/devices/{device_id}/heartbeats", tag = "devices",
    params(("device_id" = DeviceId, Path), PageParams), responses(
    (status = 200, body = HeartbeatList),
    (status = 400, body = Problem, content_type = "application/problem+json"),
    (status = 404, body = Problem, content_type = "application/problem+json"),
))]
pub(super) async fn heartbeats(
    State(state): State<AppState>,
    user: CurrentUser,
    PathId(id): PathId<DeviceId>,
    QueryParams(page): QueryParams<PageParams>,
) -> ApiResult<Json<HeartbeatList>> {
    let (limit, before) = (page_limit(page.limit)?, cursor(page.cursor.as_deref())?);
    require_device(&state, &user, id).await?;
    let rows = state.store().list_heartbeats(user.org(), id, before, limit).await?;
    let next_cursor = next_cursor(&rows, limit, |row| row.id);
    Ok(Json(HeartbeatList { heartbeats: rows.into_iter().map(heartbeat_to_api).collect(), next_cursor }))
}
