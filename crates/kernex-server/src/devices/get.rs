//! `GET /devices/{id}`

use axum::{Json, extract::State};
use kernex_api::{Problem, devices::Device};
use kernex_core::DeviceId;

use super::to_api;
use crate::{
    AppState,
    auth::CurrentUser,
    error::{ApiError, ApiResult},
    extract::PathId,
};

/// Show a device.
#[utoipa::path(get, path = "/devices/{device_id}", tag = "devices", params(("device_id" = DeviceId, Path)),
    responses(
    (status = 200, body = Device),
    (status = 401, body = Problem, content_type = "application/problem+json"),
    (status = 404, body = Problem, content_type = "application/problem+json"),
))]
pub(super) async fn get(
    State(state): State<AppState>,
    user: CurrentUser,
    PathId(id): PathId<DeviceId>,
) -> ApiResult<Json<Device>> {
    let record =
        state.store().find_device(user.org(), id).await?.ok_or_else(|| ApiError::not_found("device", id))?;
    Ok(Json(to_api(record, state.now())?))
}

/// Demands that a device exists in the user's organisation.
pub(super) async fn require_device(state: &AppState, user: &CurrentUser, id: DeviceId) -> ApiResult<()> {
    let known = state.store().memberships(user.org(), &[id]).await?;
    if known.is_empty() { Err(ApiError::not_found("device", id)) } else { Ok(()) }
}
