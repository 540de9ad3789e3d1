//! Who may read a bundle's bytes: a user, a device with a target for it, or the bearer of an address that a command gave.

use axum::extract::{FromRequestParts, OriginalUri};
use http::request::Parts;
use kernex_api::{BASE_PATH, ErrorCode};
use kernex_core::{BundleId, DeviceId, Membership, OrganizationId, Timestamp};
use serde::Deserialize;

use super::{CurrentUser, Member, device};
use crate::{
    AppState,
    error::{ApiError, ApiResult},
};

/// A right to read one bundle, or any of an organisation.
#[derive(Clone, Copy, Debug)]
pub struct BundleAccess {
    org_id: OrganizationId,
    who: Who,
}

#[derive(Clone, Copy, Debug)]
enum Who {
    User,
    Device(DeviceId),
    Bearer { bundle: BundleId },
}

#[derive(Debug, Deserialize)]
struct Capability {
    org: OrganizationId,
    device: DeviceId,
    expires: i64,
    proof: String,
}

/// An address for the bytes of a bundle that works without a signature until it expires; for one device, whose id it names.
pub fn download_url(
    state: &AppState,
    org: OrganizationId,
    device: DeviceId,
    bundle: BundleId,
    now: Timestamp,
) -> String {
    let expires = now.plus_secs(i64::from(state.settings().download_ttl_secs)).as_millis();
    let proof = state.secrets().sign_download(&signed_text(org, device, bundle, expires));
    let base = state.settings().public_url.as_ref().map_or("", |url| url.as_str().trim_end_matches('/'));
    format!("{base}{BASE_PATH}/bundles/{bundle}?org={org}&device={device}&expires={expires}&proof={proof}")
}

fn signed_text(org: OrganizationId, device: DeviceId, bundle: BundleId, expires: i64) -> String {
    format!("{org}\n{device}\n{bundle}\n{expires}\n")
}

impl BundleAccess {
    /// The organisation whose bundle may be read, if this one may be.
    pub async fn require(&self, state: &AppState, id: BundleId) -> ApiResult<OrganizationId> {
        match self.who {
            Who::User => Ok(self.org_id),
            Who::Bearer { bundle } if bundle == id => Ok(self.org_id),
            Who::Bearer { .. } => Err(refused()),
            Who::Device(device) => {
                if state.store().device_has_bundle(self.org_id, device, id).await? {
                    return Ok(self.org_id);
                }
                let detail = "the device has no deployment with this bundle";
                Err(ApiError::forbidden(ErrorCode::NotATarget, detail))
            }
        }
    }
}

fn refused() -> ApiError {
    ApiError::unauthenticated(
        "the download address is not valid or has expired; the next heartbeat gives a new one",
    )
}

impl FromRequestParts<AppState> for BundleAccess {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &AppState) -> ApiResult<Self> {
        let uri =
            parts.extensions.get::<OriginalUri>().map_or_else(|| parts.uri.clone(), |uri| uri.0.clone());
        if device::is_signed(&parts.headers) {
            let device = device::verify_bodyless(state, &parts.method, &uri, &parts.headers).await?;
            let member = Member::try_from(device)?;
            state.store().accept_request(&member.counter).await?;
            return Ok(Self { org_id: member.counter.org_id, who: Who::Device(member.counter.device_id) });
        }
        if uri.query().is_some_and(|query| query.contains("proof=")) {
            return from_capability(state, &uri).await;
        }
        let user = CurrentUser::from_request_parts(parts, state).await?;
        Ok(Self { org_id: user.org(), who: Who::User })
    }
}

async fn from_capability(state: &AppState, uri: &http::Uri) -> ApiResult<BundleAccess> {
    let query = axum::extract::Query::<Capability>::try_from_uri(uri).map_err(|_| refused())?;
    let Capability { org, device, expires, proof } = query.0;
    let bundle: BundleId = uri
        .path()
        .strip_prefix(BASE_PATH)
        .and_then(|path| path.strip_prefix("/bundles/"))
        .and_then(|id| id.parse().ok())
        .ok_or_else(refused)?;
    let genuine = state.secrets().verify_download(&signed_text(org, device, bundle, expires), &proof);
    if !genuine || expires <= state.now().as_millis() {
        return Err(refused());
    }
    // The address outlives neither its time nor the device's membership.
    let identity = state.store().find_identity(device).await?;
    if identity.is_none_or(|identity| identity.membership != Membership::Active) {
        return Err(refused());
    }
    Ok(BundleAccess { org_id: org, who: Who::Bearer { bundle } })
}
