//! `GET /deployments/{id}`

use axum::{Json, extract::State};
use kernex_api::{Problem, deployments::DeploymentDetail};
use kernex_core::DeploymentId;

use super::to_api;
use crate::{
    AppState,
    auth::CurrentUser,
    error::{ApiError, ApiResult},
    extract::PathId,
};

/// Show a deployment.
#[utoipa::path(get, path = "/deployments/{deployment_id}", operation_id = "get_deployment", tag = "deployments",
    params(("deployment_id" = DeploymentId, Path)), responses(
    (status = 200, body = DeploymentDetail),
    (status = 404, body = Problem, content_type = "application/problem+json"),
))]
pub(super) async fn get(
    State(state): State<AppState>,
    user: CurrentUser,
    PathId(id): PathId<DeploymentId>,
) -> ApiResult<Json<DeploymentDetail>> {
    let record = state.store().find_deployment(user.org(), id).await?;
    let record = record.ok_or_else(|| ApiError::not_found("deployment", id))?;
    let target_devices = state.store().list_target_ids(user.org(), id).await?;
    Ok(Json(DeploymentDetail { deployment: to_api(record), target_devices }))
}
