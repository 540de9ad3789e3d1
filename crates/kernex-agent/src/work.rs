//! The work of an attempt's phases. Each piece may be repeated from its beginning at any time.

mod activate;
mod bundle;
mod check;
mod clean_up;
mod download;
mod part;
mod stage;
mod verify;

use std::sync::Arc;

use kernex_core::FailureCode;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

pub use clean_up::{clean_up, make_room, restore};

use crate::{
    context::Context,
    machine::Event,
    state::{Attempt, Failure, Phase, Slot},
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
}

impl Job {
    /// Does the work of the attempt's phase.
    pub async fn run(self) -> Event {
        let phase = self.attempt.phase;
        let deployment_id = self.attempt.deployment_id;
        let outcome = match phase {
            Phase::Downloading => download::download(&self).await,
            Phase::Verifying => verify::verify(&self).await,
            Phase::Staging => stage::stage(&self).await,
            Phase::Activating => activate::activate(&self).await,
            Phase::Checking => check::check(&self).await,
            Phase::RollingBack => activate::revert(&self).await,
        };
        match outcome {
            Ok(Done::Completed) => Event::Completed { deployment_id, phase },
            Ok(Done::FoundStaged) => Event::FoundStaged { deployment_id },
            Err(failure) => Event::Failed { deployment_id, phase, failure },
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
