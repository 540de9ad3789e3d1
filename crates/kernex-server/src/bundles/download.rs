//! `GET` and `HEAD /bundles/{id}`

use axum::{
    body::Body,
    extract::State,
    response::{IntoResponse as _, Response},
};
use base64::Engine as _;
use bytes::Bytes;
use futures_util::{Stream, StreamExt as _, stream};
use http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use kernex_api::{ErrorCode, Problem};
use kernex_blobs::{Blob, ByteStream};
use kernex_core::BundleId;
use kernex_store::BundleRecord;

use super::ranges::{self, ByteRange, Wanted};
use crate::{
    AppState,
    auth::BundleAccess,
    error::{ApiError, ApiResult},
    extract::PathId,
    secrets::random_token,
};

const REPR_DIGEST: header::HeaderName = header::HeaderName::from_static("repr-digest");

/// Download a bundle's bytes.
///
/// Answers `Range` (several, too), `If-Range` and `If-None-Match`; the `ETag` is the SHA-256 of the bytes. For users, for devices
/// that have a deployment with the bundle, and without a login for the `download_url` of a command until it expires.
#[utoipa::path(get, path = "/bundles/{bundle_id}", operation_id = "download_bundle", tag = "bundles",
    params(("bundle_id" = BundleId, Path)), responses(
    (status = 200, content_type = "application/gzip"),
    (status = 206, content_type = "application/gzip"),
    (status = 304),
    (status = 401, body = Problem, content_type = "application/problem+json"),
    (status = 403, body = Problem, content_type = "application/problem+json"),
    (status = 404, body = Problem, content_type = "application/problem+json"),
    (status = 416, body = Problem, content_type = "application/problem+json"),
))]
pub(super) async fn download(
    State(state): State<AppState>,
    access: BundleAccess,
    PathId(id): PathId<BundleId>,
    method: Method,
    headers: HeaderMap,
) -> ApiResult<Response> {
    let org = access.require(&state, id).await?;
    let record =
        state.store().find_bundle(org, id).await?.ok_or_else(|| ApiError::not_found("bundle", id))?;
    let blob = state.blobs().find(id.0).await?.filter(|blob| blob.size_bytes() == record.size_bytes);
    let blob = blob.ok_or_else(|| {
        tracing::error!(bundle.id = %id, "the bytes of a bundle are missing from the storage, or cut off");
        ApiError::unavailable("the bundle's bytes are missing from the storage")
    })?;

    let about = About::new(&record);
    if about.is_known(&headers) {
        return Ok(about.dress(StatusCode::NOT_MODIFIED.into_response()));
    }
    let wanted = match headers.get(header::RANGE).and_then(|value| value.to_str().ok()) {
        Some(range) if method == Method::GET && about.may_continue(&headers) => {
            ranges::parse(range, about.size)
        }
        _ => Wanted::Whole,
    };
    let only_head = method == Method::HEAD;
    let (response, bytes) = match wanted {
        Wanted::Unsatisfiable => return Ok(about.refuse_range()),
        Wanted::Whole => (about.whole(blob, only_head).await?, about.size),
        Wanted::Parts(parts) => match parts.as_slice() {
            [part] => (about.one_part(blob, *part).await?, part.length),
            parts => (about.many_parts(blob, parts).await?, parts.iter().map(|part| part.length).sum()),
        },
    };
    if !only_head {
        state.telemetry().counter("kernex_bundle_download_bytes_total", &[]).increment(bytes);
    }
    Ok(about.dress(response))
}

/// What the headers say of the bytes.
struct About {
    size: u64,
    etag: String,
    digest: String,
    file_name: String,
    media_type: &'static str,
}

impl About {
    fn new(record: &BundleRecord) -> Self {
        let digest = hex::decode(&record.checksum_sha256).unwrap_or_default();
        Self {
            size: record.size_bytes,
            etag: format!("\"{}\"", record.checksum_sha256),
            digest: format!("sha-256=:{}:", base64::engine::general_purpose::STANDARD.encode(digest)),
            // Name and version consist of characters that need no quoting.
            file_name: format!(
                "attachment; filename=\"{}-{}.tar.{}\"",
                record.name, record.version, record.format
            ),
            media_type: if record.format == "zst" { "application/zstd" } else { "application/gzip" },
        }
    }

    /// Whether the client has these bytes already.
    fn is_known(&self, headers: &HeaderMap) -> bool {
        let known = headers.get_all(header::IF_NONE_MATCH).iter().filter_map(|value| value.to_str().ok());
        known
            .flat_map(|list| list.split(','))
            .map(str::trim)
            .any(|tag| tag == "*" || tag.strip_prefix("W/").unwrap_or(tag) == self.etag)
    }

    /// Whether what the client has is the beginning of these bytes; without `If-Range` it says so itself.
    fn may_continue(&self, headers: &HeaderMap) -> bool {
        headers.get(header::IF_RANGE).is_none_or(|value| value.as_bytes() == self.etag.as_bytes())
    }

    fn dress(&self, mut response: Response) -> Response {
        let headers = response.headers_mut();
        let mut set = |name: header::HeaderName, value: &str| {
            if let Ok(value) = HeaderValue::from_str(value) {
                headers.insert(name, value);
            }
        };
        set(header::ETAG, &self.etag);
        set(header::ACCEPT_RANGES, "bytes");
        set(header::CACHE_CONTROL, "private, no-cache");
        set(header::CONTENT_DISPOSITION, &self.file_name);
        set(REPR_DIGEST, &self.digest);
        headers.entry(header::CONTENT_TYPE).or_insert(HeaderValue::from_static(self.media_type));
        response
    }

    fn refuse_range(&self) -> Response {
        let detail = format!("no byte of the range lies within the bundle's {} bytes", self.size);
        let error = ApiError::new(StatusCode::RANGE_NOT_SATISFIABLE, ErrorCode::RangeNotSatisfiable, detail);
        let mut response = error.into_response();
        if let Ok(value) = HeaderValue::from_str(&format!("bytes */{}", self.size)) {
            response.headers_mut().insert(header::CONTENT_RANGE, value);
        }
        response
    }

    async fn whole(&self, blob: Blob, only_head: bool) -> ApiResult<Response> {
        let body =
            if only_head { Body::empty() } else { Body::from_stream(blob.stream(0, self.size).await?) };
        Ok(([(header::CONTENT_LENGTH, self.size)], [(header::CONTENT_TYPE, self.media_type)], body)
            .into_response())
    }

    async fn one_part(&self, blob: Blob, part: ByteRange) -> ApiResult<Response> {
        let body = Body::from_stream(blob.stream(part.start, part.length).await?);
        let headers = [
            (header::CONTENT_RANGE, part.content_range(self.size)),
            (header::CONTENT_LENGTH, part.length.to_string()),
            (header::CONTENT_TYPE, self.media_type.to_owned()),
        ];
        Ok((StatusCode::PARTIAL_CONTENT, headers, body).into_response())
    }

    /// `multipart/byteranges` (RFC 9110, section 14.6).
    async fn many_parts(&self, blob: Blob, parts: &[ByteRange]) -> ApiResult<Response> {
        let boundary = random_token();
        let mut pieces: Vec<ByteStream> = Vec::new();
        let mut length = 0;
        for part in parts {
            let head = format!(
                "\r\n--{boundary}\r\nContent-Type: {}\r\nContent-Range: {}\r\n\r\n",
                self.media_type,
                part.content_range(self.size)
            );
            length += head.len() as u64 + part.length;
            pieces.push(Box::pin(text(head)));
            // Each part has a handle of its own: a cloned one would share the place in the file.
            pieces.push(later(blob.reopen(), *part));
        }
        let tail = format!("\r\n--{boundary}--\r\n");
        length += tail.len() as u64;
        pieces.push(Box::pin(text(tail)));
        let headers = [
            (header::CONTENT_TYPE, format!("multipart/byteranges; boundary={boundary}")),
            (header::CONTENT_LENGTH, length.to_string()),
        ];
        let body = Body::from_stream(stream::iter(pieces).flatten());
        Ok((StatusCode::PARTIAL_CONTENT, headers, body).into_response())
    }
}

fn text(text: String) -> impl Stream<Item = std::io::Result<Bytes>> + Send {
    stream::iter([Ok(Bytes::from(text))])
}

/// Opens a part when its turn comes, so that one request holds one file open at a time.
fn later(
    open: impl Future<Output = kernex_blobs::Result<Blob>> + Send + 'static,
    part: ByteRange,
) -> ByteStream {
    let opened = async move {
        let blob = open.await.map_err(std::io::Error::other)?;
        blob.stream(part.start, part.length).await.map_err(std::io::Error::other)
    };
    Box::pin(stream::once(opened).flat_map(|opened| match opened {
        Ok(bytes) => bytes,
        Err(error) => Box::pin(stream::iter([Err(error)])),
    }))
}
