//! What can go wrong between a client and the control plane.

use kernex_api::Problem;

/// Why a request did not succeed.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The address is not usable.
    #[error("`{0}` is not an http or https address")]
    Address(String),
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
    /// A local file could not be read or written.
    #[error("{0}")]
    File(#[from] std::io::Error),
}

impl Error {
    /// The control plane's refusal, if it is one.
    pub fn problem(&self) -> Option<&Problem> {
        match self {
            Self::Refused(problem) => Some(problem),
            _ => None,
        }
    }

    /// The HTTP status, if there was an answer.
    pub fn status(&self) -> Option<u16> {
        match self {
            Self::Refused(problem) => Some(problem.status),
            Self::Unexpected { status, .. } => Some(*status),
            _ => None,
        }
    }
}
