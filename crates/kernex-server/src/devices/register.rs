//! `POST /devices/register`

use axum::{
    Json,
    extract::{OriginalUri, Request, State},
};
use http::StatusCode;
use kernex_api::{
    ErrorCode, MAX_DEVICE_BODY_BYTES, Problem,
    devices::{RegisterDeviceRequest, RegisteredDevice},
    signing::PublicKey,
};
use kernex_core::{DeviceStatus, Membership, OrganizationId};
use kernex_store::{NewDevice, Registered};

use super::{check_metadata, check_tags, check_text};
use crate::{
    AppState,
    auth::{is_refused, verify_registration},
    error::{ApiError, ApiResult},
    extract::{parse_json_object, read_body},
    secrets::sha256_hex,
};

/// Register a device.
///
/// Signed with the key being registered, with `-` for the device id. The same key gives the same device again. Without a valid
/// registration token the device waits for an operator's approval.
#[utoipa::path(post, path = "/devices/register", operation_id = "register_device", tag = "devices",
    request_body = RegisterDeviceRequest, responses(
    (status = 201, body = RegisteredDevice),
    (status = 400, body = Problem, content_type = "application/problem+json"),
    (status = 401, body = Problem, content_type = "application/problem+json"),
    (status = 403, body = Problem, content_type = "application/problem+json"),
    (status = 413, body = Problem, content_type = "application/problem+json"),
    (status = 429, body = Problem, content_type = "application/problem+json"),
))]
pub(super) async fn register(
    State(state): State<AppState>,
    OriginalUri(uri): OriginalUri,
    request: Request,
) -> ApiResult<(StatusCode, Json<RegisteredDevice>)> {
    let (parts, body) = request.into_parts();
    let bytes = read_body(body, MAX_DEVICE_BODY_BYTES).await?;
    let request: RegisterDeviceRequest = parse_json_object(&bytes)?;
    let key = PublicKey::from_pem(&request.public_key, request.signature_algorithm)
        .map_err(|error| ApiError::invalid(error.to_string()))?;
    if is_refused(&state, &key) {
        let detail = "signature_algorithm rsa-pkcs1-sha256 is switched off here; use rsa-pss-sha256";
        return Err(ApiError::invalid(detail));
    }
    check(&request)?;
    let signed_at = verify_registration(&state, &key, &parts.method, &uri, &parts.headers, &bytes)?;

    let new = NewDevice {
        org_id: request.org_id.unwrap_or(OrganizationId::DEFAULT),
        public_key: key.spki().to_vec(),
        signature_algorithm: key.algorithm().as_str(),
        key_fingerprint: key.fingerprint(),
        device_type: request.device_type,
        hardware_metadata: request.hardware_metadata.unwrap_or_default(),
        tags: request.tags.unwrap_or_default(),
        token_sha256: request.registration_token.as_deref().map(sha256_hex),
        signed_at,
        max_pending: u64::from(state.settings().max_pending_devices),
    };
    match state.store().register_device(&new, state.now()).await? {
        Registered::Device { id, membership } => {
            let status = match membership {
                Membership::PendingApproval => DeviceStatus::PendingApproval,
                Membership::Active => DeviceStatus::Online,
                Membership::Decommissioned => {
                    let detail = "the device of this key was decommissioned; register it with a new key";
                    return Err(ApiError::forbidden(ErrorCode::Forbidden, detail));
                }
            };
            tracing::info!(device.id = %id, device.status = %status, "device registered");
            Ok((StatusCode::CREATED, Json(RegisteredDevice { device_id: id, status })))
        }
        Registered::TooManyPending => Err(ApiError::rate_limited(
            "too many devices wait for approval; approve or reject some first",
            300,
        )),
        Registered::UnknownOrganization => Err(ApiError::invalid("org_id names no organisation")),
    }
}

fn check(request: &RegisterDeviceRequest) -> ApiResult<()> {
    if let Some(kind) = &request.device_type {
        check_text("device_type", kind, 64)?;
    }
    if let Some(metadata) = &request.hardware_metadata {
        check_metadata("hardware_metadata", metadata)?;
    }
    request.tags.as_ref().map_or(Ok(()), check_tags)
}
