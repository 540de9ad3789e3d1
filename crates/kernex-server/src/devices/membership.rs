//! `POST /devices/{id}/approve`, `/reject`, `/decommission`; `DELETE /devices/{id}`

use axum::{Json, extract::State};
use http::StatusCode;
use kernex_api::{Problem, devices::Device};
use kernex_core::{DeviceId, Membership};

use super::to_api;
use crate::{
    AppState,
    auth::CurrentUser,
    error::{ApiError, ApiResult},
    extract::PathId,
};

/// Let a waiting device in. Compare the key's fingerprint with the one that the agent shows first.
#[utoipa::path(post, path = "/devices/{device_id}/approve", tag = "devices", params(("device_id" = DeviceId, Path)),
    responses(
    (status = 200, body = Device),
    (status = 403, body = Problem, content_type = "application/problem+json"),
    (status = 404, body = Problem, content_type = "application/problem+json"),
    (status = 409, body = Problem, content_type = "application/problem+json"),
))]
pub(super) async fn approve(
    State(state): State<AppState>,
    user: CurrentUser,
    PathId(id): PathId<DeviceId>,
) -> ApiResult<Json<Device>> {
    change(&state, &user, id, &[Membership::PendingApproval], Membership::Active).await
}

/// Turn a waiting device away for good.
#[utoipa::path(post, path = "/devices/{device_id}/reject", tag = "devices", params(("device_id" = DeviceId, Path)),
    responses(
    (status = 200, body = Device),
    (status = 403, body = Problem, content_type = "application/problem+json"),
    (status = 404, body = Problem, content_type = "application/problem+json"),
    (status = 409, body = Problem, content_type = "application/problem+json"),
))]
pub(super) async fn reject(
    State(state): State<AppState>,
    user: CurrentUser,
    PathId(id): PathId<DeviceId>,
) -> ApiResult<Json<Device>> {
    change(&state, &user, id, &[Membership::PendingApproval], Membership::Decommissioned).await
}

/// Let a device go for good: its requests are refused from now on, and its open targets are cancelled. Its history stays.
#[utoipa::path(post, path = "/devices/{device_id}/decommission", tag = "devices",
    params(("device_id" = DeviceId, Path)), responses(
    (status = 200, body = Device),
    (status = 403, body = Problem, content_type = "application/problem+json"),
    (status = 404, body = Problem, content_type = "application/problem+json"),
    (status = 409, body = Problem, content_type = "application/problem+json"),
))]
pub(super) async fn decommission(
    State(state): State<AppState>,
    user: CurrentUser,
    PathId(id): PathId<DeviceId>,
) -> ApiResult<Json<Device>> {
    let from = [Membership::PendingApproval, Membership::Active];
    change(&state, &user, id, &from, Membership::Decommissioned).await
}

/// The same as decommissioning; fine if it was done before.
#[utoipa::path(delete, path = "/devices/{device_id}", tag = "devices", params(("device_id" = DeviceId, Path)),
    responses(
    (status = 204),
    (status = 403, body = Problem, content_type = "application/problem+json"),
    (status = 404, body = Problem, content_type = "application/problem+json"),
))]
pub(super) async fn delete(
    State(state): State<AppState>,
    user: CurrentUser,
    PathId(id): PathId<DeviceId>,
) -> ApiResult<StatusCode> {
    let _ = change(&state, &user, id, Membership::ALL, Membership::Decommissioned).await?;
    Ok(StatusCode::NO_CONTENT)
}

async fn change(
    state: &AppState,
    user: &CurrentUser,
    id: DeviceId,
    from: &[Membership],
    to: Membership,
) -> ApiResult<Json<Device>> {
    let (org, now) = (user.org(), state.now());
    let not_found = || ApiError::not_found("device", id);
    let before =
        state.store().change_membership(org, id, from, to, user.name(), now).await?.ok_or_else(not_found)?;
    if !from.contains(&before) {
        return Err(ApiError::conflict(format!("the device is {before}; this is not possible from there")));
    }
    tracing::info!(device.id = %id, user.id = %user.user().id, from = %before, to = %to, "device membership changed");
    let record = state.store().find_device(org, id).await?.ok_or_else(not_found)?;
    Ok(Json(to_api(record, now)?))
}
