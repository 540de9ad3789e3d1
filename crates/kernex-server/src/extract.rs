//! Reading requests: every refusal is an [`ApiError`] that names what is wrong.

use std::{io::Read as _, time::Duration};

use axum::{
    RequestPartsExt as _,
    body::Body,
    extract::{FromRequest, FromRequestParts, Path, Query, Request},
};
use bytes::{Bytes, BytesMut};
use http::{HeaderMap, header, request::Parts};
use http_body_util::BodyExt as _;
use kernex_api::{ErrorCode, MAX_JSON_BODY_BYTES};
use kernex_core::{BundleId, DeploymentId, DeviceId, GroupId, RegistrationTokenId, SessionId, WebhookId};
use serde::de::{DeserializeOwned, IgnoredAny};

use crate::error::{ApiError, ApiResult};

/// How long a small body may take to arrive.
const BODY_DEADLINE: Duration = Duration::from_secs(30);

/// A JSON body of a user's request.
#[derive(Debug)]
pub struct JsonBody<T> {
    /// What it says.
    pub value: T,
    /// Its bytes as they came, for idempotency.
    pub bytes: Bytes,
}

impl<S: Send + Sync, T: DeserializeOwned> FromRequest<S> for JsonBody<T> {
    type Rejection = ApiError;

    async fn from_request(request: Request, _: &S) -> ApiResult<Self> {
        require_json(request.headers())?;
        let bytes = read_body(request.into_body(), MAX_JSON_BODY_BYTES).await?;
        Ok(Self { value: parse_json_object(&bytes)?, bytes })
    }
}

/// A JSON body that may be left out altogether.
#[derive(Debug)]
pub struct OptionalJsonBody<T>(pub JsonBody<T>);

impl<S: Send + Sync, T: DeserializeOwned + Default> FromRequest<S> for OptionalJsonBody<T> {
    type Rejection = ApiError;

    async fn from_request(request: Request, _: &S) -> ApiResult<Self> {
        let json = require_json(request.headers());
        let bytes = read_body(request.into_body(), MAX_JSON_BODY_BYTES).await?;
        if bytes.is_empty() {
            return Ok(Self(JsonBody { value: T::default(), bytes }));
        }
        json?;
        Ok(Self(JsonBody { value: parse_json_object(&bytes)?, bytes }))
    }
}

/// A body without its type is read as JSON; one of another type is refused.
fn require_json(headers: &HeaderMap) -> ApiResult<()> {
    let Some(value) = headers.get(header::CONTENT_TYPE) else { return Ok(()) };
    let kind = value.to_str().unwrap_or_default().split(';').next().unwrap_or_default().trim();
    if kind.eq_ignore_ascii_case("application/json") || kind.to_ascii_lowercase().ends_with("+json") {
        return Ok(());
    }
    Err(ApiError::new(
        http::StatusCode::UNSUPPORTED_MEDIA_TYPE,
        ErrorCode::UnsupportedMediaType,
        "Content-Type must be application/json",
    ))
}

/// Reads a whole body, up to a limit and a deadline.
pub async fn read_body(mut body: Body, limit: usize) -> ApiResult<Bytes> {
    let read = async {
        let mut bytes = BytesMut::new();
        while let Some(frame) = body.frame().await {
            let frame =
                frame.map_err(|_| ApiError::invalid("the connection broke while the body arrived"))?;
            let Ok(data) = frame.into_data() else { continue };
            if bytes.len() + data.len() > limit {
                return Err(ApiError::too_large(format!("the body is larger than {limit} bytes")));
            }
            bytes.extend_from_slice(&data);
        }
        Ok(bytes.freeze())
    };
    tokio::time::timeout(BODY_DEADLINE, read).await.unwrap_or_else(|_| {
        let detail = format!("the body did not arrive within {} s", BODY_DEADLINE.as_secs());
        Err(ApiError::new(http::StatusCode::REQUEST_TIMEOUT, ErrorCode::Timeout, detail))
    })
}

/// The bytes of a body that may be compressed, up to the same limit as an uncompressed one.
pub fn decompress(headers: &HeaderMap, body: Bytes, limit: usize) -> ApiResult<Bytes> {
    match headers.get(header::CONTENT_ENCODING).map(http::HeaderValue::as_bytes) {
        None | Some(b"identity") => Ok(body),
        Some(b"gzip") => {
            let mut plain = Vec::new();
            let read = flate2::read::GzDecoder::new(&body[..]).take(limit as u64 + 1).read_to_end(&mut plain);
            read.map_err(|_| ApiError::invalid("the body is not valid gzip"))?;
            if plain.len() > limit {
                return Err(ApiError::too_large(format!(
                    "the uncompressed body is larger than {limit} bytes"
                )));
            }
            Ok(plain.into())
        }
        Some(_) => Err(ApiError::new(
            http::StatusCode::UNSUPPORTED_MEDIA_TYPE,
            ErrorCode::UnsupportedMediaType,
            "Content-Encoding must be gzip, or absent",
        )),
    }
}

/// Reads a JSON object; an error names the field. A list is refused: serde would take its values for the fields in their order.
pub fn parse_json_object<T: DeserializeOwned>(bytes: &[u8]) -> ApiResult<T> {
    if bytes.trim_ascii_start().first() == Some(&b'[') {
        let detail = "the body is not as expected: it must be an object, not a list";
        return Err(ApiError::bad_request(ErrorCode::InvalidJson, detail));
    }
    parse_json(bytes)
}

/// What is wrong with a body may name every word of a long list.
const MAX_DETAIL_CHARS: usize = 500;

fn cut(detail: String) -> String {
    match detail.char_indices().nth(MAX_DETAIL_CHARS) {
        Some((at, _)) => format!("{}…", &detail[..at]),
        None => detail,
    }
}

/// Reads JSON; an error names the field.
pub fn parse_json<T: DeserializeOwned>(bytes: &[u8]) -> ApiResult<T> {
    let mut deserializer = serde_json::Deserializer::from_slice(bytes);
    let value = serde_path_to_error::deserialize(&mut deserializer).map_err(|error| {
        let path = error.path().to_string();
        let cause = error.into_inner();
        // A `null` in the place of a word counts as a fault of the syntax.
        let is_json = cause.is_data() || serde_json::from_slice::<IgnoredAny>(bytes).is_ok();
        let detail = match (is_json, path.as_str()) {
            (false, _) => format!("the body is not valid JSON: {cause}"),
            (true, "." | "?") => format!("the body is not as expected: {cause}"),
            (true, path) => format!("the body is not as expected: {path}: {cause}"),
        };
        ApiError::bad_request(ErrorCode::InvalidJson, cut(detail))
    })?;
    deserializer.end().map_err(|error| {
        ApiError::bad_request(ErrorCode::InvalidJson, format!("the body is not valid JSON: {error}"))
    })?;
    Ok(value)
}

/// The query's parameters.
#[derive(Debug)]
pub struct QueryParams<T>(pub T);

impl<S: Send + Sync, T: DeserializeOwned + 'static> FromRequestParts<S> for QueryParams<T> {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> ApiResult<Self> {
        // No name or text has one, and PostgreSQL does not take it.
        if parts.uri.query().is_some_and(|query| query.contains("%00")) {
            return Err(ApiError::invalid("the query holds a zero byte"));
        }
        let Query(value) = parts.extract::<Query<T>>().await.map_err(|error| {
            ApiError::invalid(format!("the query is not as expected: {}", cause_of(&error)))
        })?;
        Ok(Self(value))
    }
}

fn cause_of(error: &dyn std::error::Error) -> String {
    error.source().map_or_else(|| error.to_string(), ToString::to_string)
}

/// The id in the path. What is no id is not found, like an id of nothing.
#[derive(Clone, Copy, Debug)]
pub struct PathId<T>(pub T);

/// What an id in a path stands for, in a sentence.
pub trait Noun: std::str::FromStr {
    /// `device`, `bundle`, …
    const NOUN: &'static str;
}
impl Noun for DeviceId {
    const NOUN: &'static str = "device";
}
impl Noun for BundleId {
    const NOUN: &'static str = "bundle";
}
impl Noun for DeploymentId {
    const NOUN: &'static str = "deployment";
}
impl Noun for GroupId {
    const NOUN: &'static str = "group";
}
impl Noun for SessionId {
    const NOUN: &'static str = "session";
}
impl Noun for WebhookId {
    const NOUN: &'static str = "webhook";
}
impl Noun for RegistrationTokenId {
    const NOUN: &'static str = "registration token";
}

impl<S: Send + Sync, T: Noun> FromRequestParts<S> for PathId<T> {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> ApiResult<Self> {
        let Path(text) =
            parts.extract::<Path<String>>().await.map_err(|_| ApiError::not_found(T::NOUN, "?"))?;
        text.parse().map(Self).map_err(|_| ApiError::not_found(T::NOUN, text))
    }
}
