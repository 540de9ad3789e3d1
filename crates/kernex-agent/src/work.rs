//! The work of an attempt's phases. Each piece may be repeated from its beginning at any time.

mod activate;
mod authority;
mod bundle;
mod check;
mod clean_up;
mod download;
mod follower;
mod interruptible;
mod pace;
mod part;
mod self_update;
mod space;
mod stage;
mod verify;

use std::sync::Arc;

use kernex_core::FailureCode;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

pub use activate::return_to_current;
pub use clean_up::{clean_up, make_room, restore};
pub use follower::Follower;
pub use pace::DownloadTerms;

use crate::{
    context::Context,
    machine::Event,
    quarantine,
    self_update::is_agent,
    state::{Attempt, Failure, Phase, Slot, is_of_content},
};

/// One phase's work.
#[derive(Debug)]
pub struct Job {
    /// What is shared.
    pub context: Arc<Context>,
    /// The attempt.
    pub attempt: Attempt,
    /// What is installed under the bundle's name.
    pub slot: Slot,
    /// When the attempt's time is up.
    pub deadline: Instant,
    /// Asks the work to end.
    pub stop: CancellationToken,
}

/// What a phase's work led to, if it did not fail.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Done {
    Completed,
    FoundStaged,
    HandOver,
}

impl Job {
    /// Does the work of the attempt's phase.
    pub async fn run(self) -> Event {
        let phase = self.attempt.phase;
        let deployment_id = self.attempt.deployment_id;
        let is_agent = is_agent(&self.attempt.bundle_name);
        let outcome = match phase {
            Phase::Downloading => download::download(&self).await,
            Phase::Verifying => verify::verify(&self).await,
            Phase::Staging => stage::stage(&self).await,
            Phase::Activating if is_agent => self_update::activate(&self).await,
            Phase::Checking if is_agent => self_update::check(&self).await,
            Phase::RollingBack if is_agent => self_update::revert(&self).await,
            Phase::Activating => activate::activate(&self).await,
            Phase::Checking => check::check(&self).await,
            Phase::RollingBack => activate::revert(&self).await,
        };
        match outcome {
            Ok(Done::Completed) => Event::Completed { deployment_id, phase },
            Ok(Done::FoundStaged) => Event::FoundStaged { deployment_id },
            Ok(Done::HandOver) => Event::HandOver { deployment_id },
            Err(failure) => {
                if matches!(phase, Phase::Verifying | Phase::Staging) && is_of_content(failure.code) {
                    self.quarantine(&failure).await;
                }
                Event::Failed { deployment_id, phase, failure }
            }
        }
    }

    /// Puts bytes that are of no use aside; when that is not possible nobody will miss them.
    async fn quarantine(&self, failure: &Failure) {
        let (data, attempt, failure) = (self.context.data.clone(), self.attempt.clone(), failure.clone());
        let now = self.context.client.corrected_now();
        let kept =
            tokio::task::spawn_blocking(move || quarantine::keep(&data, &attempt, &failure, now)).await;
        match kept {
            Ok(Ok(())) => {}
            Ok(Err(error)) => tracing::warn!(%error, "the bundle cannot be put into quarantine"),
            Err(error) => tracing::warn!(%error, "putting the bundle into quarantine was interrupted"),
        }
    }
}

/// A failure of the machine or of ours: a full disk has its own code.
fn local_failure(what: &str, error: &std::io::Error) -> Failure {
    let code = if crate::disk::is_disk_full(error) { FailureCode::DiskFull } else { FailureCode::Internal };
    Failure::new(code, format!("{what}: {error}"))
}

/// Runs blocking work off the async thread.
async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, Failure> + Send + 'static,
) -> Result<T, Failure> {
    match tokio::task::spawn_blocking(work).await {
        Ok(outcome) => outcome,
        Err(_) => Err(Failure::new(FailureCode::Internal, "the work was interrupted")),
    }
}
