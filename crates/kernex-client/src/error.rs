//! What can go wrong between a client and the control plane.

use std::time::Duration;

use kernex_api::Problem;

/// Why a request did not succeed.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The address is not usable.
    #[error("`{0}` is not an http or https address")]
    Address(String),
    /// A certificate authority to trust could not be read.
    #[error("the certificate authority is not usable: {0}")]
    Certificate(String),
    /// The control plane could not be reached, or the connection broke.
    #[error("cannot reach the control plane at {address}: {reason}")]
    Unreachable {
        /// Scheme, host and port.
        address: String,
        /// Why, in the words of the network library, without query or credentials.
        reason: String,
    },
    /// The control plane did not answer in time.
    #[error("the control plane at {address} did not answer in time")]
    TimedOut {
        /// Scheme, host and port.
        address: String,
    },
    /// The control plane refused the request and said why.
    #[error("{0}")]
    Refused(Box<Problem>),
    /// The control plane is busy or a dependency of it is down, and it said when to come back.
    #[error("{source}; come back in {} s", retry_after.as_secs())]
    Busy {
        /// How long to wait at least.
        retry_after: Duration,
        /// The refusal itself.
        source: Box<Error>,
    },
    /// The device has no id yet.
    #[error("this device is not registered yet")]
    NotRegistered,
    /// Something other than Kernex answered, or an incompatible version.
    #[error("unexpected answer with status {status} from {address}: {reason}")]
    Unexpected {
        /// Scheme, host and port.
        address: String,
        /// The HTTP status.
        status: u16,
        /// What was wrong with it.
        reason: String,
    },
    /// The request could not be signed.
    #[error(transparent)]
    Signing(#[from] kernex_api::signing::SigningKeyError),
    /// The bytes that arrived are not those that were promised; they were thrown away.
    #[error("the bytes have the SHA-256 {actual}, but {expected} was expected")]
    Checksum {
        /// The digest that was promised, lower-case hex.
        expected: String,
        /// The digest of what arrived, lower-case hex.
        actual: String,
    },
    /// A local file could not be read or written.
    #[error("{0}")]
    File(#[from] std::io::Error),
}

impl Error {
    /// The control plane's refusal, if it is one.
    pub fn problem(&self) -> Option<&Problem> {
        match self {
            Self::Refused(problem) => Some(problem),
            Self::Busy { source, .. } => source.problem(),
            _ => None,
        }
    }

    /// The HTTP status, if there was an answer.
    pub fn status(&self) -> Option<u16> {
        match self {
            Self::Refused(problem) => Some(problem.status),
            Self::Unexpected { status, .. } => Some(*status),
            Self::Busy { source, .. } => source.status(),
            _ => None,
        }
    }

    /// How long the control plane asked to be left alone.
    pub fn retry_after(&self) -> Option<Duration> {
        match self {
            Self::Busy { retry_after, .. } => Some(*retry_after),
            _ => None,
        }
    }
}
