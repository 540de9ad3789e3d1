//! Bytes that are known to be of no use: they are not fetched again for the same deployment.

use kernex_core::{DeploymentId, FailureCode};
use serde::{Deserialize, Serialize};

use super::{AgentState, Attempt, Failure};

/// More than any device has open deployments; the oldest are forgotten.
const MAX_REMEMBERED: usize = 32;

/// What was wrong with a deployment's bytes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FailedContent {
    /// The deployment.
    pub deployment_id: DeploymentId,
    /// SHA-256 of the archive as it was promised.
    pub digest: String,
    /// What was wrong.
    pub failure: Failure,
}

impl AgentState {
    /// What is known to be wrong with a deployment's bytes.
    pub fn known_failure(&self, deployment_id: DeploymentId, digest: &str) -> Option<&Failure> {
        let is_it = |known: &&FailedContent| known.deployment_id == deployment_id && known.digest == digest;
        self.failed_content.iter().find(is_it).map(|known| &known.failure)
    }

    /// Remembers a failure that the bytes themselves are the reason of.
    pub(crate) fn remember_failed_content(&mut self, attempt: &Attempt, failure: &Failure) {
        if !is_of_content(failure.code)
            || self.known_failure(attempt.deployment_id, &attempt.release.digest).is_some()
        {
            return;
        }
        self.failed_content.push(FailedContent {
            deployment_id: attempt.deployment_id,
            digest: attempt.release.digest.clone(),
            failure: failure.clone(),
        });
        let surplus = self.failed_content.len().saturating_sub(MAX_REMEMBERED);
        self.failed_content.drain(..surplus);
    }
}

/// Whether the same bytes would fail in the same way again. Scripts and health checks may pass another time.
pub(crate) const fn is_of_content(code: FailureCode) -> bool {
    matches!(
        code,
        FailureCode::Checksum | FailureCode::Signature | FailureCode::Unpack | FailureCode::Manifest
    )
}
