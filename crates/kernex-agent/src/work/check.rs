//! Checking: starts the workload and decides whether the version stays.

use std::time::Duration;

use kernex_bundle::{Health, Manifest};
use kernex_core::{DeploymentKind, FailureCode};
use tokio::{
    sync::watch,
    time::{Instant, sleep, sleep_until},
};

use super::{
    Done, Job,
    bundle::{Recent, health_watch, local_api, workload_spec},
};
use crate::{health::Checker, sandbox::Kind, script::environment, state::Failure, workload::Status};

/// A workload without a health check counts as healthy when it has run this long, or as long as its crash window: what
/// does not start at all has ended by then, and an operator waits for it.
const STABLE_AFTER: Duration = Duration::from_secs(10);
/// A version that an operator returns to has run on this device before: it only has to show that it starts. Crashes go on
/// counting after it is kept.
const RETURNED_AFTER: Duration = Duration::from_secs(1);

/// Starts the workload, if there is one, and waits for the health check, if there is one.
pub(super) async fn check(job: &Job) -> Result<Done, Failure> {
    let manifest = job.manifest()?;
    let (context, name) = (&job.context, &job.attempt.bundle_name);
    let status = {
        let mut supervisor = context.supervisor.lock().await;
        supervisor.serve(name, local_api(context, &job.belongs()), manifest.metrics.clone()).await;
        // After a restart of the agent the crashes before it count, too.
        let recent = if job.attempt.restarts > 0 { Recent::Resumed } else { Recent::FromNow };
        match workload_spec(context, &job.belongs(), &manifest, recent) {
            Some(spec) => Some(supervisor.start(name, spec).await),
            None => None,
        }
    };
    let max_crashes = manifest.workload.as_ref().map_or(u32::MAX, |workload| workload.max_crashes);
    let gate = async {
        match (&manifest.health, &status) {
            (Some(health), _) => pass_health_check(job, &manifest, health).await,
            (None, Some(status)) => {
                stay_up(status.clone(), stable_after(job.attempt.kind, &manifest), job.deadline).await
            }
            (None, None) => Ok(()),
        }
    };
    let outcome = tokio::select! {
        biased;
        () = job.stop.cancelled() => Err(Failure::new(FailureCode::Cancelled, "the health check was stopped")),
        failure = crash_loop(status.clone(), max_crashes) => Err(failure),
        outcome = gate => outcome.map(|()| Done::Completed),
    };
    if let (Ok(_), Some(watch)) = (&outcome, health_watch(context, &job.belongs(), &manifest)) {
        context.supervisor.lock().await.watch(name, watch).await;
    }
    outcome
}

fn stable_after(kind: DeploymentKind, manifest: &Manifest) -> Duration {
    let window = manifest.workload.as_ref().map_or(0, |workload| workload.crash_window_secs);
    let needed = match kind {
        DeploymentKind::Deploy => STABLE_AFTER,
        DeploymentKind::Rollback => RETURNED_AFTER,
    };
    needed.min(Duration::from_secs(u64::from(window)))
}

/// Ends when the workload has crashed too often; never, if there is none.
async fn crash_loop(status: Option<watch::Receiver<Status>>, max_crashes: u32) -> Failure {
    let Some(mut status) = status else { return std::future::pending().await };
    let seen = status.wait_for(|status| status.is_failing(max_crashes)).await.map(|status| status.clone());
    match seen {
        Ok(status) => Failure::new(FailureCode::CrashLoop, status.crash_message()),
        Err(_) => std::future::pending().await,
    }
}

/// Waits until the workload has run without a break for a while, or has ended as it should.
async fn stay_up(
    mut status: watch::Receiver<Status>,
    stable_after: Duration,
    deadline: Instant,
) -> Result<(), Failure> {
    loop {
        let (since, has_ended) = {
            let now = status.borrow_and_update();
            (now.running_since, now.ended.is_some())
        };
        if has_ended || since.is_some_and(|since| since.elapsed() >= stable_after) {
            return Ok(());
        }
        let stable_at = since.map(|since| stable_after.saturating_sub(since.elapsed()));
        tokio::select! {
            _ = status.changed() => {}
            () = sleep(stable_at.unwrap_or(stable_after)) => {}
            () = sleep_until(deadline) => {
                let message = "the workload did not keep running within the time of the attempt";
                return Err(Failure::new(FailureCode::HealthCheck, message));
            }
        }
    }
}

async fn pass_health_check(job: &Job, manifest: &Manifest, health: &Health) -> Result<(), Failure> {
    let (dir, sandbox) = (job.release_dir(), job.sandbox(manifest, Kind::Health));
    let env = environment(&job.belongs(), &manifest.env, &sandbox);
    let (http, program) = (&job.context.http, &job.context.program);
    let checker = Checker { http, program, dir: &dir, env: &env, sandbox: &sandbox };
    let deadline = job.deadline.min(Instant::now() + Duration::from_secs(u64::from(health.deadline_secs)));
    let (mut passed, mut last) = (0, String::from("there was no time for a check"));
    loop {
        let outcome = tokio::select! {
            outcome = checker.check(health, &job.stop) => outcome,
            () = sleep_until(deadline) => Err(last.clone()),
        };
        match outcome {
            Ok(()) => passed += 1,
            Err(reason) => {
                passed = 0;
                last = reason;
            }
        }
        if passed >= health.healthy_after.max(1) {
            return Ok(());
        }
        let next = Instant::now() + Duration::from_secs(u64::from(health.interval_secs));
        if next > deadline {
            let secs = health.deadline_secs;
            let needed = health.healthy_after;
            let message =
                format!("the health check did not pass {needed} times in a row within {secs} s: {last}");
            return Err(Failure::new(FailureCode::HealthCheck, message));
        }
        sleep_until(next).await;
    }
}
