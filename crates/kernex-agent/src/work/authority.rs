//! Whether a deployment is still meant for this device: asked before bytes are fetched and before anything is switched.
//!
//! A command is only what the control plane wanted when it answered a heartbeat. A download begins after a yes. A release
//! that is on the disk may also be activated without an answer, until the lease that the control plane gave runs out.

use std::time::Duration;

use kernex_client::Error;
use kernex_core::{FailureCode, Timestamp};

use super::Job;
use crate::{backoff::Backoff, state::Failure};

/// Delays between questions that got no answer.
const FIRST_RETRY: Duration = Duration::from_secs(1);
const LONGEST_RETRY: Duration = Duration::from_secs(30);

/// What came of one question.
enum Answer {
    /// Yes: with a fresh address of the bytes.
    Yes(String),
    /// Not any more.
    No(String),
    /// No answer that counts.
    Unknown(Error),
}

/// Waits for a yes; gives a fresh address of the bytes.
pub(super) async fn ask_until_answered(job: &Job, last_error: impl Fn(&Error)) -> Result<String, Failure> {
    let mut backoff = Backoff::new(FIRST_RETRY, LONGEST_RETRY);
    loop {
        match ask(job).await {
            Answer::Yes(url) => return Ok(url),
            Answer::No(reason) => return Err(withdrawn(&reason)),
            Answer::Unknown(error) => {
                let wait = backoff.next_wait(error.retry_after());
                tracing::warn!(%error, wait_secs = wait.as_secs_f64(), "cannot ask whether the deployment still stands");
                last_error(&error);
                tokio::time::sleep(wait).await;
            }
        }
    }
}

/// Before the switch: waits for a yes, or goes on without one as long as the lease lasts.
///
/// `has_begun`: the switch has been made already, before a restart. Nothing runs then, so that only a no counts.
pub(super) async fn confirm_activation(job: &Job, has_begun: bool) -> Result<(), Failure> {
    let mut backoff = Backoff::new(FIRST_RETRY, LONGEST_RETRY);
    loop {
        let error = match ask(job).await {
            Answer::Yes(_) => return Ok(()),
            Answer::No(reason) => return Err(withdrawn(&reason)),
            Answer::Unknown(error) => error,
        };
        let lease = job.lease_expires_at();
        if has_begun || lease > job.context.client.corrected_now() {
            tracing::info!(%error, lease_expires_at = ?lease, "the control plane cannot be asked; its last word stands");
            return Ok(());
        }
        let wait = backoff.next_wait(error.retry_after());
        tracing::warn!(%error, wait_secs = wait.as_secs_f64(), "the lease is over and the control plane cannot be asked");
        let next = tokio::time::Instant::now() + wait;
        if next >= job.deadline {
            let message =
                format!("the lease was over and nobody could say whether the deployment stands: {error}");
            return Err(Failure::new(FailureCode::Download, message));
        }
        tokio::select! {
            () = tokio::time::sleep_until(next) => {}
            () = job.stop.cancelled() => {
                return Err(Failure::new(FailureCode::Cancelled, "the activation was stopped"));
            }
        }
    }
}

async fn ask(job: &Job) -> Answer {
    let attempt = &job.attempt;
    match job.context.client.order(attempt.deployment_id).await {
        Ok(order) if order.checksum_sha256 == attempt.release.digest => {
            job.context.download.note_lease(order.lease_expires_at);
            Answer::Yes(order.download_url)
        }
        Ok(_) => Answer::No("it has other bytes by now".to_owned()),
        // Only a refusal in Kernex' own words: a proxy in between knows nothing of deployments.
        Err(error) if error.problem().is_some_and(|problem| matches!(problem.status, 403 | 410)) => {
            Answer::No(error.to_string())
        }
        Err(error) => Answer::Unknown(error),
    }
}

fn withdrawn(reason: &str) -> Failure {
    let message =
        format!("the control plane does not want this deployment on this device any more: {reason}");
    Failure::new(FailureCode::Cancelled, message)
}

impl Job {
    /// Until when the control plane stands by the attempt, as far as this device was told.
    fn lease_expires_at(&self) -> Timestamp {
        let told = self.attempt.lease_expires_at.unwrap_or(Timestamp::from_millis(0));
        told.max(self.context.download.lease_expires_at())
    }
}
