//! `GET /deployments/{id}/order`

use axum::{Json, extract::State};
use http::StatusCode;
use kernex_api::{ErrorCode, MAX_DEVICE_BODY_BYTES, Problem, heartbeat::DeployCommand};
use kernex_core::DeploymentId;

use crate::{
    AppState,
    auth::SignedBody,
    devices::{commands::deploy_command, lease_terms},
    error::{ApiError, ApiResult},
    extract::PathId,
};

/// Ask whether a deployment is still meant for the device that asks, and get a fresh download address.
///
/// For an agent that is about to download or activate: what a heartbeat told it may have been cancelled since. A deployment that
/// waits for another one on the same device is not meant for it yet.
#[utoipa::path(get, path = "/deployments/{deployment_id}/order", tag = "deployments",
    params(("deployment_id" = DeploymentId, Path)), responses(
    (status = 200, body = DeployCommand),
    (status = 401, body = Problem, content_type = "application/problem+json"),
    (status = 403, body = Problem, content_type = "application/problem+json"),
    (status = 410, body = Problem, content_type = "application/problem+json"),
))]
pub(super) async fn order(
    State(state): State<AppState>,
    PathId(id): PathId<DeploymentId>,
    signed: SignedBody<MAX_DEVICE_BODY_BYTES>,
) -> ApiResult<Json<DeployCommand>> {
    let counter = signed.device.counter;
    let order = state.store().take_order(&counter, id, lease_terms(&state), state.now()).await?;
    let order = order.ok_or_else(|| {
        let detail = "the deployment has nothing for this device to do, or nothing any more";
        ApiError::new(StatusCode::GONE, ErrorCode::Gone, detail)
    })?;
    Ok(Json(deploy_command(&state, &counter, order, state.now())))
}
