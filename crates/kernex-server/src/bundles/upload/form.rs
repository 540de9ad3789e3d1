//! Reading the multipart form.

use std::time::Duration;

use axum::extract::{
    Multipart,
    multipart::{Field, MultipartError},
};
use bytes::Bytes;
use kernex_api::ErrorCode;
use kernex_bundle::Manifest;

use super::store::{Intake, ReceivedFile};
use crate::{
    AppState,
    error::{ApiError, ApiResult},
};

/// Longest silence of the client.
const SILENCE: Duration = Duration::from_secs(60);
const MAX_MANIFEST_BYTES: usize = 256 * 1024;

/// What the form held.
pub(super) struct Form {
    pub(super) file: ReceivedFile,
    pub(super) manifest: Option<Manifest>,
}

/// Reads the whole form; the file streams to the storage.
pub(super) async fn read(state: &AppState, mut form: Multipart) -> ApiResult<Form> {
    let (mut file, mut manifest) = (None, None);
    while let Some(field) = within(form.next_field()).await? {
        match field.name() {
            Some("file") if file.is_none() => file = Some(read_file(state, field).await?),
            Some("manifest") if manifest.is_none() => manifest = Some(read_manifest(field).await?),
            Some(name @ ("file" | "manifest")) => {
                return Err(ApiError::invalid(format!("the form has two parts named {name}")));
            }
            name => {
                let name: String = name.unwrap_or("").chars().take(80).collect();
                return Err(ApiError::invalid(format!(
                    "the form has an unknown part `{name}`; file and manifest are known"
                )));
            }
        }
    }
    let file = file.ok_or_else(|| ApiError::invalid("the form has no part named file"))?;
    Ok(Form { file, manifest })
}

async fn read_file(state: &AppState, mut field: Field<'_>) -> ApiResult<ReceivedFile> {
    let intake = Intake::begin(state);
    while let Some(chunk) = within(field.chunk()).await? {
        if !intake.push(chunk).await {
            break; // the archive was refused; its error follows
        }
    }
    intake.finish().await
}

async fn read_manifest(mut field: Field<'_>) -> ApiResult<Manifest> {
    let mut text: Vec<u8> = Vec::new();
    while let Some(chunk) = within(field.chunk()).await? {
        let chunk: Bytes = chunk;
        if text.len() + chunk.len() > MAX_MANIFEST_BYTES {
            return Err(ApiError::too_large(format!(
                "the manifest is larger than {MAX_MANIFEST_BYTES} bytes"
            )));
        }
        text.extend_from_slice(&chunk);
    }
    Manifest::parse(&text)
        .map_err(|error| ApiError::bad_request(ErrorCode::InvalidManifest, format!("manifest: {error}")))
}

async fn within<T>(next: impl Future<Output = Result<T, MultipartError>>) -> ApiResult<T> {
    match tokio::time::timeout(SILENCE, next).await {
        Ok(Ok(part)) => Ok(part),
        Ok(Err(error)) => {
            Err(ApiError::invalid(format!("the multipart form is damaged: {}", error.body_text())))
        }
        Err(_) => {
            let detail = format!("nothing arrived for {} s", SILENCE.as_secs());
            Err(ApiError::new(http::StatusCode::REQUEST_TIMEOUT, ErrorCode::Timeout, detail))
        }
    }
}

pub(super) fn file_too_large(limit: u64) -> ApiError {
    ApiError::too_large(format!("the file is larger than {limit} bytes, the limit of this control plane"))
}
