//! `POST /deployments/{id}/cancel`

use axum::{Json, extract::State};
use kernex_api::{Problem, deployments::Deployment};
use kernex_core::DeploymentId;

use super::to_api;
use crate::{
    AppState,
    auth::CurrentUser,
    error::{ApiError, ApiResult},
    extract::PathId,
};

/// Cancel a deployment: devices that wait get no command, devices at work are told to stop. What has ended stays as it is.
#[utoipa::path(post, path = "/deployments/{deployment_id}/cancel", tag = "deployments",
    params(("deployment_id" = DeploymentId, Path)), responses(
    (status = 200, body = Deployment),
    (status = 403, body = Problem, content_type = "application/problem+json"),
    (status = 404, body = Problem, content_type = "application/problem+json"),
    (status = 409, body = Problem, content_type = "application/problem+json"),
))]
pub(super) async fn cancel(
    State(state): State<AppState>,
    user: CurrentUser,
    PathId(id): PathId<DeploymentId>,
) -> ApiResult<Json<Deployment>> {
    let not_found = || ApiError::not_found("deployment", id);
    let before = state.store().cancel_deployment(user.org(), id, state.now()).await?.ok_or_else(not_found)?;
    if before.is_final() {
        return Err(ApiError::conflict(format!("the deployment has ended as {before} already")));
    }
    tracing::info!(deployment.id = %id, user.id = %user.user().id, "deployment cancelled");
    let record = state.store().find_deployment(user.org(), id).await?.ok_or_else(not_found)?;
    Ok(Json(to_api(record)))
}
