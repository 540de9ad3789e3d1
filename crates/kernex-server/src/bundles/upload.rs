//! `POST /bundles`
//!
//! The archive is checked while it arrives: one thread reads it from a short queue, writes and hashes what it reads, and
//! decompresses it to look at every entry. Nothing is kept in memory but that queue, and nothing stays when anything fails.

mod form;
mod store;

use axum::{
    extract::{Multipart, State},
    response::{IntoResponse as _, Response},
};
use http::{HeaderMap, StatusCode, header};
use kernex_api::{ErrorCode, Problem, bundles::UploadedBundle};
use kernex_bundle::{Inspection, Manifest, check_references};
use kernex_core::BundleId;
use kernex_store::{AuditScope, NewBundle, Once};

use self::store::{ReceivedFile, StoredFile};
use crate::{
    AppState,
    auth::CurrentUser,
    error::{ApiError, ApiResult},
    idempotency,
};

/// A multipart form for the document.
#[derive(utoipa::ToSchema)]
#[expect(dead_code, reason = "only the document reads it")]
struct UploadForm {
    /// The archive: `.tar.gz` or `.tar.zst`.
    #[schema(format = Binary, content_media_type = "application/octet-stream")]
    file: String,
    /// The manifest as JSON; may be left out when the archive holds `manifest.json`, and must agree with it otherwise.
    manifest: Option<String>,
}

/// Upload a bundle.
///
/// The same name and version twice is a conflict: a bundle never changes.
#[utoipa::path(post, path = "/bundles", operation_id = "upload_bundle", tag = "bundles",
    request_body(content = UploadForm, content_type = "multipart/form-data"), responses(
    (status = 201, body = UploadedBundle),
    (status = 400, body = Problem, content_type = "application/problem+json"),
    (status = 403, body = Problem, content_type = "application/problem+json"),
    (status = 409, body = Problem, content_type = "application/problem+json"),
    (status = 413, body = Problem, content_type = "application/problem+json"),
    (status = 503, body = Problem, content_type = "application/problem+json"),
))]
pub(super) async fn upload(
    State(state): State<AppState>,
    user: CurrentUser,
    headers: HeaderMap,
    form: Result<Multipart, axum::extract::multipart::MultipartRejection>,
) -> ApiResult<Response> {
    let form = form.map_err(|error| ApiError::invalid(format!("the body is no multipart form: {error}")))?;
    refuse_too_large(&state, &headers)?;
    let _place = state
        .uploads()
        .try_acquire()
        .map_err(|_| ApiError::unavailable("too many uploads at the same time; come back later"))?;
    let key = idempotency::key_of(&headers)?;
    let form = form::read(&state, form).await?;
    let manifest = settle_manifest(form.manifest, &form.file.inspection)?;
    // A task of its own: a client that goes away now must not leave bytes without a row.
    let finish = finish(state.clone(), user, key, form.file, manifest);
    tokio::spawn(AuditScope::carry(finish)).await.map_err(ApiError::internal)?
}

/// Makes the bytes durable, and then the bundle.
async fn finish(
    state: AppState,
    user: CurrentUser,
    key: Option<String>,
    file: ReceivedFile,
    manifest: Manifest,
) -> ApiResult<Response> {
    let id = BundleId::generate(state.now());
    let stored = file.commit(id).await?;
    let new = new_bundle(id, &manifest, &stored, user.name());
    let uploaded = UploadedBundle {
        bundle_id: id,
        name: new.name.clone(),
        version: new.version.clone(),
        checksum_sha256: new.checksum_sha256.clone(),
        size_bytes: new.size_bytes,
    };
    let what = format!("upload\n{}\n{}", new.checksum_sha256, new.manifest);
    let once = key.map(|key| idempotency::request(key, user.actor(), &what));
    let answer = || idempotency::stored(StatusCode::CREATED, &uploaded);
    let created = state.store().create_bundle(user.org(), &new, state.now(), once.as_ref(), answer).await;
    match created {
        Ok(Once::Done(())) => {
            tracing::info!(bundle.id = %id, bundle.name = %new.name, bundle.version = %new.version, user.id = %user.user().id,
                size_bytes = new.size_bytes, "bundle uploaded");
            state.telemetry().counter("kernex_bundle_upload_bytes_total", &[]).increment(new.size_bytes);
            Ok((StatusCode::CREATED, axum::Json(uploaded)).into_response())
        }
        Ok(Once::Before { status, body }) => {
            stored.remove(&state).await;
            Ok(idempotency::replay(status, body))
        }
        Err(error) => {
            // Whether the row is there is unclear when the database went away during the commit: then the bytes stay.
            if !matches!(error, kernex_store::Error::Unavailable(_)) {
                stored.remove(&state).await;
            }
            Err(match error {
                kernex_store::Error::Exists => ApiError::conflict(format!(
                    "bundle {}@{} exists already; bundles never change, so give it a new version",
                    new.name, new.version
                )),
                error => error.into(),
            })
        }
    }
}

fn new_bundle(id: BundleId, manifest: &Manifest, stored: &StoredFile, uploaded_by: &str) -> NewBundle {
    NewBundle {
        id,
        name: manifest.name.clone(),
        version: manifest.version.clone(),
        checksum_sha256: stored.blob.sha256.clone(),
        size_bytes: stored.blob.size_bytes,
        format: stored.inspection.format.extension().trim_start_matches("tar.").to_owned(),
        manifest: manifest.json().to_string(),
        description: manifest.description.clone(),
        uploaded_by: uploaded_by.to_owned(),
    }
}

/// Turns an upload away at once that says itself that it is too large.
fn refuse_too_large(state: &AppState, headers: &HeaderMap) -> ApiResult<()> {
    let length =
        headers.get(header::CONTENT_LENGTH).and_then(|value| value.to_str().ok()?.parse::<u64>().ok());
    let limit = state.settings().max_bundle_bytes;
    // The form around the file takes some bytes more.
    if length.is_some_and(|length| length > limit.saturating_add(1 << 20)) {
        return Err(form::file_too_large(limit));
    }
    Ok(())
}

/// The manifest of the archive, or of the form when the archive has none; both must agree.
fn settle_manifest(form: Option<Manifest>, archive: &Inspection) -> ApiResult<Manifest> {
    let invalid = |detail: String| ApiError::bad_request(ErrorCode::InvalidManifest, detail);
    match (form, &archive.manifest) {
        (None, None) => Err(invalid(
            "the archive holds no manifest.json at its root or under its one top folder, and the form has no manifest".to_owned(),
        )),
        (None, Some(manifest)) => Ok(manifest.clone()),
        (Some(form), Some(manifest)) => {
            form.agrees_with(manifest).map_err(|error| invalid(error.to_string()))?;
            // The archive's may say more: the form's need not list the files.
            Ok(manifest.clone())
        }
        (Some(form), None) => {
            check_references(&form, &archive.files).map_err(|error| invalid(error.to_string()))?;
            Ok(form)
        }
    }
}
