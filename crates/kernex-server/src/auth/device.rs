//! The device behind a request: `KERNEX-DEVICE-V1` (protocol, section 1), cheapest checks first.

use axum::extract::{FromRequest, OriginalUri, Request};
use bytes::Bytes;
use http::{HeaderMap, Method, Uri};
use kernex_api::{
    ErrorCode, MAX_DEVICE_BODY_BYTES,
    signing::{
        CHALLENGE_HEADER, CanonicalRequest, DEVICE_ID_HEADER, MAX_SKEW_MILLIS, NONE, PublicKey,
        SIGNATURE_HEADER, SignatureAlgorithm, TIMESTAMP_HEADER, decode_signature,
    },
};
use kernex_core::{ActorKind, DeviceId, Membership};
use kernex_store::{AuditCaller, AuditScope, Identity, RequestCounter};
use serde::de::DeserializeOwned;

use crate::{
    AppState,
    error::{ApiError, ApiResult},
    extract::{parse_json_object, read_body},
};

/// Largest signature, base64: RSA-8192.
const MAX_SIGNATURE_CHARS: usize = 1_400;

/// A device's request whose signature is good and whose body is JSON. The replay check is the store's: every method that a
/// device's request leads to demands the counter.
#[derive(Debug)]
pub struct Signed<T> {
    /// Who signed.
    pub device: Member,
    /// The body.
    pub body: T,
}

/// The same with the body's bytes, under the limit of the type.
#[derive(Debug)]
pub struct SignedBody<const LIMIT: usize> {
    /// Who signed.
    pub device: Member,
    /// The body.
    pub bytes: Bytes,
}

/// A device that is known and has been let in, or waits to be.
#[derive(Clone, Copy, Debug)]
pub struct AnyMember {
    /// The request's counter.
    pub counter: RequestCounter,
    /// Whether it has been let in.
    pub membership: Membership,
}

/// A device that has been let in.
#[derive(Clone, Copy, Debug)]
pub struct Member {
    /// The request's counter.
    pub counter: RequestCounter,
}

impl AnyMember {
    /// Demands that the path is the device's own.
    pub fn require_own(&self, id: DeviceId) -> ApiResult<()> {
        if self.counter.device_id == id {
            return Ok(());
        }
        Err(ApiError::forbidden(ErrorCode::Forbidden, "a device may act only for itself"))
    }
}

impl TryFrom<AnyMember> for Member {
    type Error = ApiError;

    fn try_from(device: AnyMember) -> ApiResult<Self> {
        match device.membership {
            Membership::Active => Ok(Self { counter: device.counter }),
            _ => Err(ApiError::forbidden(
                ErrorCode::PendingApproval,
                "the device waits for an operator's approval; until then it may only send heartbeats",
            )),
        }
    }
}

impl Member {
    /// Demands that the device speaks of itself.
    pub fn require_own(&self, id: DeviceId) -> ApiResult<()> {
        AnyMember { counter: self.counter, membership: Membership::Active }.require_own(id)
    }
}

impl<T: DeserializeOwned> FromRequest<AppState> for Signed<T> {
    type Rejection = ApiError;

    async fn from_request(request: Request, state: &AppState) -> ApiResult<Self> {
        let signed = SignedBody::<MAX_DEVICE_BODY_BYTES>::from_request(request, state).await?;
        Ok(Self { device: signed.device, body: parse_json_object(&signed.bytes)? })
    }
}

impl<const LIMIT: usize> FromRequest<AppState> for SignedBody<LIMIT> {
    type Rejection = ApiError;

    async fn from_request(request: Request, state: &AppState) -> ApiResult<Self> {
        let (device, bytes) = AnyMember::from_request(request, state, LIMIT).await?;
        Ok(Self { device: device.try_into()?, bytes })
    }
}

impl AnyMember {
    /// Reads and checks a signed request.
    pub async fn from_request(request: Request, state: &AppState, limit: usize) -> ApiResult<(Self, Bytes)> {
        let (parts, body) = request.into_parts();
        let uri = parts.extensions.get::<OriginalUri>().map_or(&parts.uri, |uri| &uri.0);
        let bytes = read_body(body, limit).await?;
        let device = verify(state, &parts.method, uri, &parts.headers, &bytes).await?;
        Ok((device, bytes))
    }
}

/// Checks a signed request without a body.
pub(super) async fn verify_bodyless(
    state: &AppState,
    method: &Method,
    uri: &Uri,
    headers: &HeaderMap,
) -> ApiResult<AnyMember> {
    verify(state, method, uri, headers, &[]).await
}

/// Whether a request carries a device's headers.
pub(super) fn is_signed(headers: &HeaderMap) -> bool {
    headers.contains_key(DEVICE_ID_HEADER)
}

async fn verify(
    state: &AppState,
    method: &Method,
    uri: &Uri,
    headers: &HeaderMap,
    body: &[u8],
) -> ApiResult<AnyMember> {
    let fields = Fields::read(headers)?;
    let id: DeviceId = fields.device_id.parse().map_err(|_| refuse("the device id is no id"))?;
    let identity = state.store().find_identity(id).await?.ok_or_else(|| refuse("unknown device"))?;
    if identity.membership == Membership::Decommissioned {
        return Err(refuse("the device is decommissioned"));
    }
    fields.require_close(state)?;
    let key = public_key(&identity)?;
    if is_refused(state, &key) {
        return Err(refuse("the device signs with rsa-pkcs1-sha256, which is switched off"));
    }
    fields.require_signature(&key, method, uri, body)?;
    AuditScope::identify(AuditCaller {
        org_id: identity.org_id,
        kind: ActorKind::Device,
        id: Some(id.to_string()),
        name: None,
        credential: Some("device_key".to_owned()),
    });
    let counter = RequestCounter { org_id: identity.org_id, device_id: id, timestamp: fields.millis };
    Ok(AnyMember { counter, membership: identity.membership })
}

/// Checks a request that is signed with the key that it brings; gives its timestamp.
pub fn verify_registration(
    state: &AppState,
    key: &PublicKey,
    method: &Method,
    uri: &Uri,
    headers: &HeaderMap,
    body: &[u8],
) -> ApiResult<i64> {
    let fields = Fields::read(headers)?;
    if fields.device_id != NONE {
        return Err(refuse("a registration is signed with `-` for the device id"));
    }
    fields.require_close(state)?;
    fields.require_signature(key, method, uri, body)?;
    Ok(fields.millis)
}

/// Whether the settings switch the key's algorithm off.
pub fn is_refused(state: &AppState, key: &PublicKey) -> bool {
    state.settings().refuse_rsa_pkcs1 && key.algorithm() == SignatureAlgorithm::RsaPkcs1Sha256
}

fn public_key(identity: &Identity) -> ApiResult<PublicKey> {
    let algorithm: SignatureAlgorithm = identity.signature_algorithm.parse().map_err(ApiError::internal)?;
    PublicKey::from_spki(identity.public_key.clone(), Some(algorithm)).map_err(ApiError::internal)
}

/// Before the signature is known to be good every failure looks the same; the log holds the reason.
fn refuse(reason: &'static str) -> ApiError {
    tracing::info!(reason, "device request refused");
    ApiError::unauthenticated(
        "the request is not signed by a known device: X-Device-ID, X-Device-Timestamp and X-Device-Signature must stand there \
         once each and sign the request as KERNEX-DEVICE-V1; the server's log has the reason under this request_id",
    )
}

struct Fields<'a> {
    device_id: &'a str,
    timestamp: &'a str,
    millis: i64,
    signature: Vec<u8>,
    challenge: Option<&'a str>,
}

impl<'a> Fields<'a> {
    fn read(headers: &'a HeaderMap) -> ApiResult<Self> {
        let required = |name| once(headers, name)?.ok_or_else(|| refuse("a header is missing"));
        let timestamp = required(TIMESTAMP_HEADER)?;
        let digits =
            (1..=15).contains(&timestamp.len()) && timestamp.bytes().all(|byte| byte.is_ascii_digit());
        let millis = timestamp.parse().ok().filter(|_| digits);
        let signature = required(SIGNATURE_HEADER)?;
        let signature =
            Some(signature).filter(|text| text.len() <= MAX_SIGNATURE_CHARS).and_then(decode_signature);
        Ok(Self {
            device_id: required(DEVICE_ID_HEADER)?,
            timestamp,
            millis: millis.ok_or_else(|| refuse("the timestamp is no number of milliseconds"))?,
            signature: signature.ok_or_else(|| refuse("the signature is not base64"))?,
            challenge: once(headers, CHALLENGE_HEADER)?,
        })
    }

    fn require_close(&self, state: &AppState) -> ApiResult<()> {
        let now = state.now();
        let skew = self.millis.saturating_sub(now.as_millis()).saturating_abs();
        if skew <= MAX_SKEW_MILLIS { Ok(()) } else { Err(ApiError::clock_skew(now)) }
    }

    fn require_signature(&self, key: &PublicKey, method: &Method, uri: &Uri, body: &[u8]) -> ApiResult<()> {
        let text = CanonicalRequest {
            method: method.as_str(),
            path: uri.path(),
            query: uri.query().unwrap_or(""),
            device_id: self.device_id,
            timestamp: self.timestamp,
            challenge: self.challenge,
            body,
        }
        .text()
        .map_err(|_| refuse("a field holds a control character"))?;
        if key.verify(text.as_bytes(), &self.signature) { Ok(()) } else { Err(refuse("wrong signature")) }
    }
}

/// The only value of a header; a second one is refused.
fn once<'a>(headers: &'a HeaderMap, name: &'static str) -> ApiResult<Option<&'a str>> {
    let mut values = headers.get_all(name).iter();
    match (values.next(), values.next()) {
        (None, _) => Ok(None),
        (Some(value), None) => value.to_str().map(Some).map_err(|_| refuse("a header is not ASCII")),
        _ => Err(refuse("a header stands there twice")),
    }
}
