//! The one error of the API. A handler returns it; the outermost layer writes it as `application/problem+json`, with the
//! request's id and the server's time, which only that layer knows.

use axum::response::{IntoResponse, Response};
use http::{HeaderValue, StatusCode, header};
use kernex_api::{ErrorCode, Problem, problem::PROBLEM_JSON};
use kernex_core::Timestamp;

/// How a handler ends badly.
#[derive(Clone, Debug)]
pub struct ApiError {
    status: StatusCode,
    code: ErrorCode,
    detail: String,
    retry_after_secs: Option<u32>,
    server_time: Option<Timestamp>,
}

/// The result of a handler.
pub type ApiResult<T> = Result<T, ApiError>;

impl ApiError {
    /// An error with its status, code and sentence.
    pub fn new(status: StatusCode, code: ErrorCode, detail: impl Into<String>) -> Self {
        Self { status, code, detail: detail.into(), retry_after_secs: None, server_time: None }
    }

    /// 400 with `invalid_request`.
    pub fn invalid(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, ErrorCode::InvalidRequest, detail)
    }

    /// 400 with another code.
    pub fn bad_request(code: ErrorCode, detail: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, code, detail)
    }

    /// 401 with `unauthenticated`.
    pub fn unauthenticated(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::UNAUTHORIZED, ErrorCode::Unauthenticated, detail)
    }

    /// 401 with `clock_skew` and the time.
    pub fn clock_skew(now: Timestamp) -> Self {
        let detail =
            "the timestamp differs from the server's clock by more than 300 s; sign again with server_time";
        let error = Self::new(StatusCode::UNAUTHORIZED, ErrorCode::ClockSkew, detail);
        Self { server_time: Some(now), ..error }
    }

    /// 403.
    pub fn forbidden(code: ErrorCode, detail: impl Into<String>) -> Self {
        Self::new(StatusCode::FORBIDDEN, code, detail)
    }

    /// 404: `device 1234 not found`.
    pub fn not_found(what: &str, id: impl std::fmt::Display) -> Self {
        let id: String = id.to_string().chars().take(80).collect();
        Self::new(StatusCode::NOT_FOUND, ErrorCode::NotFound, format!("{what} `{id}` not found"))
    }

    /// 409 with `conflict`.
    pub fn conflict(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::CONFLICT, ErrorCode::Conflict, detail)
    }

    /// 413.
    pub fn too_large(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::PAYLOAD_TOO_LARGE, ErrorCode::TooLarge, detail)
    }

    /// 429.
    pub fn rate_limited(detail: impl Into<String>, retry_after_secs: u32) -> Self {
        let error = Self::new(StatusCode::TOO_MANY_REQUESTS, ErrorCode::RateLimited, detail);
        Self { retry_after_secs: Some(retry_after_secs), ..error }
    }

    /// 503.
    pub fn unavailable(detail: impl Into<String>) -> Self {
        let error = Self::new(StatusCode::SERVICE_UNAVAILABLE, ErrorCode::Unavailable, detail);
        Self { retry_after_secs: Some(5), ..error }
    }

    /// 500; the cause goes to the log.
    pub fn internal(cause: impl std::fmt::Display) -> Self {
        tracing::error!(error = %cause, "request failed");
        let detail = "an internal error; the server's log has the cause under this request_id";
        Self::new(StatusCode::INTERNAL_SERVER_ERROR, ErrorCode::Internal, detail)
    }

    /// The sentence for people.
    pub fn detail(&self) -> &str {
        &self.detail
    }

    /// The HTTP status.
    pub fn status(&self) -> StatusCode {
        self.status
    }

    /// The code for programs.
    pub fn code(&self) -> ErrorCode {
        self.code
    }

    /// The answer's body and headers, once the request's id is known.
    pub fn render(&self, request_id: &str) -> Response {
        let problem = Problem {
            kind: format!("urn:kernex:error:{}", self.code.word()),
            title: self.status.canonical_reason().unwrap_or("Error").to_owned(),
            status: self.status.as_u16(),
            detail: self.detail.clone(),
            code: self.code,
            request_id: request_id.to_owned(),
            server_time: self.server_time.map(Timestamp::as_millis),
        };
        let body = serde_json::to_vec(&problem).unwrap_or_default();
        let mut response = (self.status, body).into_response();
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(PROBLEM_JSON));
        if let Some(secs) = self.retry_after_secs {
            headers.insert(header::RETRY_AFTER, HeaderValue::from(secs));
        }
        if self.status == StatusCode::UNAUTHORIZED {
            headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer realm=\"kernex\""));
        }
        response
    }
}

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        let mut response = self.status.into_response();
        response.extensions_mut().insert(self);
        response
    }
}

/// The one place that decides what of the store's errors is whose fault.
impl From<kernex_store::Error> for ApiError {
    fn from(error: kernex_store::Error) -> Self {
        use kernex_store::Error as Store;
        match error {
            Store::Exists => Self::conflict("it exists already"),
            Store::Replayed => Self::new(
                StatusCode::UNAUTHORIZED,
                ErrorCode::Replayed,
                "the timestamp is not greater than the last one accepted from this device; sign again",
            ),
            Store::IdempotencyMismatch => Self::new(
                StatusCode::CONFLICT,
                ErrorCode::IdempotencyMismatch,
                "the Idempotency-Key was used for another request; use a new key",
            ),
            Store::Unavailable(cause) => {
                tracing::error!(error = %cause, "database not available");
                Self::unavailable("the database does not answer or cannot be written; nothing was changed")
            }
            other => Self::internal(other),
        }
    }
}

impl From<kernex_blobs::Error> for ApiError {
    fn from(error: kernex_blobs::Error) -> Self {
        tracing::error!(error = %error, "storage not available");
        Self::unavailable(match error {
            kernex_blobs::Error::NoSpace => "the storage has no space left; nothing was stored",
            kernex_blobs::Error::Io(_) => "the storage does not answer; nothing was stored",
            kernex_blobs::Error::Key(_) => "the key of the stored bytes cannot be had",
            kernex_blobs::Error::Damaged(_) => {
                return Self::internal("the stored bytes are damaged");
            }
        })
    }
}
