//! Errors on the wire: `application/problem+json` (RFC 9457) with a machine code and the request's id.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// Media type of an error body.
pub const PROBLEM_JSON: &str = "application/problem+json";

/// The closed set of machine codes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum ErrorCode {
    /// 400: a field, parameter, header or part is missing, malformed or out of range; `detail` names it.
    InvalidRequest,
    /// 400: the body is not JSON of the expected shape.
    InvalidJson,
    /// 400: the uploaded file is no bundle archive, is truncated, or breaks the rules for archives.
    InvalidArchive,
    /// 400: the manifest is missing, invalid, or disagrees with the form.
    InvalidManifest,
    /// 400: a bundle that the request names does not exist.
    UnknownBundle,
    /// 400: devices that the request names do not exist.
    UnknownDevices,
    /// 400: a device never ran the version it is to return to.
    NoSuccessfulDeployment,
    /// 401: the credentials are missing, wrong, expired or revoked.
    Unauthenticated,
    /// 401: the device's clock differs too much; `server_time` says what time it is. Sign again.
    ClockSkew,
    /// 401: the timestamp is not greater than the last one accepted from this device. Sign again.
    Replayed,
    /// 403: known, but not allowed to do this.
    Forbidden,
    /// 403: somebody else has set the password; it has to be changed first.
    PasswordChangeRequired,
    /// 403: the device waits for an operator's approval.
    PendingApproval,
    /// 403: the device has no target with this deployment or bundle.
    NotATarget,
    /// 404: no such thing, or it belongs to another organisation.
    NotFound,
    /// 405: the path exists, the method does not.
    MethodNotAllowed,
    /// 409: it exists already, or is in a state that does not allow this.
    Conflict,
    /// 409: the same `Idempotency-Key` came with another request.
    IdempotencyMismatch,
    /// 410: it was there and is gone for good.
    Gone,
    /// 408: the body did not arrive in time.
    Timeout,
    /// 413: the body is larger than allowed.
    TooLarge,
    /// 415: the body's content type is not the expected one.
    UnsupportedMediaType,
    /// 416: the range lies outside the bundle.
    RangeNotSatisfiable,
    /// 429: too many requests; `Retry-After` says when to come back.
    RateLimited,
    /// 500: a fault of the server; the log has the cause under `request_id`.
    Internal,
    /// 503: the database or the storage does not answer or has no space; `Retry-After` says when to come back.
    Unavailable,
    /// Never sent: what a program reads for a code that is newer than itself.
    #[serde(other)]
    Unknown,
}

impl ErrorCode {
    /// The code as it stands in JSON.
    pub fn word(self) -> String {
        let value = serde_json::to_value(self).ok();
        value.and_then(|value| value.as_str().map(str::to_owned)).unwrap_or_default()
    }
}

/// The body of every error.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Problem {
    /// A URI for the kind of error: `urn:kernex:error:<code>`.
    #[serde(rename = "type")]
    pub kind: String,
    /// The status in words.
    pub title: String,
    /// The HTTP status.
    pub status: u16,
    /// What is wrong with this request, for a person.
    pub detail: String,
    /// What is wrong, for a program.
    pub code: ErrorCode,
    /// Finds the request in the server's log.
    pub request_id: String,
    /// With `clock_skew`: the server's time, Unix milliseconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub server_time: Option<i64>,
}

impl std::fmt::Display for Problem {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} ({} {}, request {})", self.detail, self.status, self.title, self.request_id)
    }
}
