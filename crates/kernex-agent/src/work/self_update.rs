//! Activating, checking and returning when the bundle is the agent itself.

use std::time::Duration;

use kernex_core::FailureCode;
use tokio::{
    process::Command,
    time::{Instant, sleep_until, timeout},
};

use super::{
    Done, Job,
    activate::{point_current, points_at},
    authority, local_failure,
};
use crate::{
    self_update::{NAME, Running, Trial, Verdict, launcher::LONGEST_TRIAL},
    state::Failure,
};

/// A program that cannot even say its version in this time is not for this machine.
const VERSION_TIMEOUT: Duration = Duration::from_secs(10);

/// An agent that cannot be returned to in so many starts cannot be returned to: the one that runs goes on.
const MAX_RETURNS: u32 = 20;

/// Writes the record of the trial, then switches. Runs no script, and stops nothing.
pub(super) async fn activate(job: &Job) -> Result<Done, Failure> {
    let data = &job.context.data;
    let name = &job.attempt.bundle_name;
    let has_begun = points_at(&data.current(name), &job.attempt.release);
    authority::confirm_activation(job, has_begun && job.attempt.restarts > 0).await?;
    let release = job.attempt.release.folder();
    let is_recorded = Trial::load(data)
        .is_some_and(|trial| trial.deployment_id == job.attempt.deployment_id && trial.release == release);
    if !is_recorded {
        says_its_version(job).await?;
        let left = job.deadline.saturating_duration_since(Instant::now()).min(LONGEST_TRIAL);
        let trial = Trial {
            deployment_id: job.attempt.deployment_id,
            release,
            previous: Running::here().release,
            deadline_secs: left.as_secs().max(1),
            starts: 0,
            verdict: Verdict::Pending,
        };
        trial.save(data).map_err(|error| local_failure("the trial cannot be recorded", &error))?;
    }
    point_current(&job.context, name, Some(&job.attempt.release))?;
    Ok(Done::Completed)
}

/// Whether the program can run on this machine at all.
async fn says_its_version(job: &Job) -> Result<(), Failure> {
    let mut command = Command::new(job.release_dir().join(NAME));
    command.arg("--version").env_clear().kill_on_drop(true).stdin(std::process::Stdio::null());
    let failed = |reason: String| {
        let message = format!("the new agent does not run on this device: {reason}");
        Failure::new(FailureCode::Incompatible, message)
    };
    match timeout(VERSION_TIMEOUT, command.output()).await {
        Ok(Ok(output)) if output.status.success() => Ok(()),
        Ok(Ok(output)) => Err(failed(format!("`--version` ended with {}", output.status))),
        Ok(Err(error)) => Err(failed(error.to_string())),
        Err(_) => Err(failed(format!("`--version` did not end within {} s", VERSION_TIMEOUT.as_secs()))),
    }
}

/// In the old agent: hands over. In the new one: waits for the first answered heartbeat and confirms itself.
pub(super) async fn check(job: &Job) -> Result<Done, Failure> {
    let data = &job.context.data;
    let trial = Trial::load(data).filter(|trial| trial.deployment_id == job.attempt.deployment_id);
    let Some(trial) = trial else {
        return Err(Failure::new(FailureCode::Internal, "the record of the new agent's trial is missing"));
    };
    let running = Running::here();
    match &trial.verdict {
        Verdict::Confirmed => return Ok(Done::Completed),
        Verdict::Failed(failure) => return Err(failure.clone()),
        Verdict::Pending if running.release.as_ref() != Some(&trial.release) => return Ok(Done::HandOver),
        Verdict::Pending => {}
    }
    let mut answered = job.context.answered.subscribe();
    tokio::select! {
        _ = answered.wait_for(|count| *count > 0) => {}
        () = sleep_until(job.deadline) => {
            let message = "no heartbeat of the new agent was answered within the time of the attempt";
            return Err(Failure::new(FailureCode::HealthCheck, message));
        }
        () = job.stop.cancelled() => {
            return Err(Failure::new(FailureCode::Cancelled, "the trial was stopped"));
        }
    }
    let confirmed = trial.confirm(data, &running.base_version);
    confirmed.map_err(|error| local_failure("the trial cannot be confirmed", &error))?;
    Ok(Done::Completed)
}

/// Switches back, and hands over to the agent before if this is not it.
pub(super) async fn revert(job: &Job) -> Result<Done, Failure> {
    let data = &job.context.data;
    let failed = |error: std::io::Error| local_failure("the trial cannot be ended", &error);
    let trial = Trial::load(data).filter(|trial| trial.deployment_id == job.attempt.deployment_id);
    if let Some(mut trial) = trial {
        let reason = job.attempt.failure.clone();
        let reason = reason.unwrap_or_else(|| Failure::new(FailureCode::Internal, "the trial ended"));
        trial.fail(data, reason.code, reason.message).map_err(failed)?;
        point_current(&job.context, &job.attempt.bundle_name, job.slot.current.as_ref())?;
        let is_there = trial.previous.as_ref().is_none_or(|folder| data.agent_program(folder).is_file());
        let is_it = Running::here().release == trial.previous;
        if !is_it && is_there && job.attempt.restarts <= MAX_RETURNS {
            return Ok(Done::HandOver);
        }
    }
    point_current(&job.context, &job.attempt.bundle_name, job.slot.current.as_ref())?;
    Trial::remove(data).map_err(failed)?;
    Ok(Done::Completed)
}
