//! `POST /bundles/{id}/verify`

use axum::{Json, extract::State};
use kernex_api::{
    Problem,
    bundles::{BundleVerification, VerifyBundleRequest},
};
use kernex_core::BundleId;

use crate::{
    AppState,
    auth::CurrentUser,
    error::{ApiError, ApiResult},
    extract::{OptionalJsonBody, PathId},
};

/// Read the stored bytes again and compare their digest with the one that the upload computed, and with yours if you give one.
#[utoipa::path(post, path = "/bundles/{bundle_id}/verify", tag = "bundles", params(("bundle_id" = BundleId, Path)),
    request_body = Option<VerifyBundleRequest>, responses(
    (status = 200, body = BundleVerification),
    (status = 404, body = Problem, content_type = "application/problem+json"),
    (status = 503, body = Problem, content_type = "application/problem+json"),
))]
pub(super) async fn verify(
    State(state): State<AppState>,
    user: CurrentUser,
    PathId(id): PathId<BundleId>,
    OptionalJsonBody(body): OptionalJsonBody<VerifyBundleRequest>,
) -> ApiResult<Json<BundleVerification>> {
    let record = state.store().find_bundle(user.org(), id).await?;
    let record = record.ok_or_else(|| ApiError::not_found("bundle", id))?;
    let blob = state.blobs().find(id.0).await?.ok_or_else(|| {
        tracing::error!(bundle.id = %id, "the bytes of a bundle are missing from the storage");
        ApiError::unavailable("the bundle's bytes are missing from the storage")
    })?;
    let checksum_sha256 = match blob.sha256().await {
        Err(kernex_blobs::Error::Damaged(reason)) => {
            tracing::error!(bundle.id = %id, reason, "the stored bytes of a bundle are damaged");
            String::new() // there are no bytes that could have a digest
        }
        other => other?,
    };
    let expected = body.value.checksum_sha256.map(|text| text.to_ascii_lowercase());
    let as_expected = expected.is_none_or(|expected| expected == checksum_sha256);
    Ok(Json(BundleVerification {
        valid: as_expected && checksum_sha256 == record.checksum_sha256,
        checksum_sha256,
    }))
}
