//! `DELETE /bundles/{id}`

use axum::extract::State;
use http::StatusCode;
use kernex_api::Problem;
use kernex_core::BundleId;
use kernex_store::DeleteBundle;

use crate::{
    AppState,
    auth::CurrentUser,
    error::{ApiError, ApiResult},
    extract::PathId,
};

/// Delete a bundle. Refused while a device needs it; history keeps its name and version.
#[utoipa::path(delete, path = "/bundles/{bundle_id}", operation_id = "delete_bundle", tag = "bundles",
    params(("bundle_id" = BundleId, Path)), responses(
    (status = 204),
    (status = 403, body = Problem, content_type = "application/problem+json"),
    (status = 404, body = Problem, content_type = "application/problem+json"),
    (status = 409, body = Problem, content_type = "application/problem+json"),
))]
pub(super) async fn delete(
    State(state): State<AppState>,
    user: CurrentUser,
    PathId(id): PathId<BundleId>,
) -> ApiResult<StatusCode> {
    match state.store().delete_bundle(user.org(), id, user.name(), state.now()).await? {
        DeleteBundle::Deleted => {}
        DeleteBundle::NotFound => return Err(ApiError::not_found("bundle", id)),
        DeleteBundle::NeededByTargets(targets) => {
            let detail = format!("{targets} targets of deployments that have not ended need the bundle");
            return Err(ApiError::conflict(detail));
        }
        DeleteBundle::RunByDevices(devices) => {
            return Err(ApiError::conflict(format!("{devices} devices run the bundle")));
        }
    }
    tracing::info!(bundle.id = %id, user.id = %user.user().id, "bundle deleted");
    if let Err(error) = state.blobs().delete(id.0).await {
        tracing::warn!(bundle.id = %id, error = %error, "the bytes stay until the next sweep");
    }
    Ok(StatusCode::NO_CONTENT)
}
