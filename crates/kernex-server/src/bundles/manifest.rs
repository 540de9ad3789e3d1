//! `GET /bundles/{id}/manifest`

use axum::{extract::State, response::IntoResponse};
use http::header;
use kernex_api::Problem;
use kernex_core::BundleId;

use crate::{
    AppState,
    auth::BundleAccess,
    error::{ApiError, ApiResult},
    extract::PathId,
};

/// Show a bundle's manifest, as it was uploaded. For users, and for devices that have a deployment with the bundle.
#[utoipa::path(get, path = "/bundles/{bundle_id}/manifest", tag = "bundles", params(("bundle_id" = BundleId, Path)), responses(
    (status = 200, body = serde_json::Value, content_type = "application/json"),
    (status = 403, body = Problem, content_type = "application/problem+json"),
    (status = 404, body = Problem, content_type = "application/problem+json"),
))]
pub(super) async fn manifest(
    State(state): State<AppState>,
    access: BundleAccess,
    PathId(id): PathId<BundleId>,
) -> ApiResult<impl IntoResponse> {
    let org = access.require(&state, id).await?;
    let record =
        state.store().find_bundle(org, id).await?.ok_or_else(|| ApiError::not_found("bundle", id))?;
    Ok(([(header::CONTENT_TYPE, "application/json")], record.manifest))
}
