//! Activating: stops the old version, switches, runs the script; and the way back.

use std::{path::Path, time::Duration};

use kernex_bundle::{Manifest, Script as ManifestScript};
use kernex_core::{BundleName, DeploymentKind, FailureCode};
use tokio::time::Instant;

use super::{
    Done, Job, authority,
    bundle::{Recent, health_watch, local_api, read_manifest, workload_spec},
    local_failure,
};
use crate::{
    context::Context,
    disk,
    log_queue::LogSink,
    sandbox::Kind,
    script::{Belongs, Script, Tail, environment},
    state::{AgentState, Failure, Release, Slot},
};

/// Lines of a script's output that are shipped: its end.
const MAX_SHIPPED_LINES: usize = 200;

/// Stops the workload, switches `current`, and runs the deploy script (or, for a rollback, the rollback script).
pub(super) async fn activate(job: &Job) -> Result<Done, Failure> {
    let manifest = job.manifest()?;
    let name = &job.attempt.bundle_name;
    let data = &job.context.data;
    let has_begun = points_at(&data.current(name), &job.attempt.release);
    authority::confirm_activation(job, has_begun && job.attempt.restarts > 0).await?;
    job.context.supervisor.lock().await.stop(name).await;
    job.context
        .policy
        .prepare(data, name)
        .map_err(|error| local_failure("the data folder cannot be made", &error))?;
    point_current(&job.context, name, Some(&job.attempt.release))?;
    let is_rollback = job.attempt.kind == DeploymentKind::Rollback;
    let (what, script) = match (&manifest.deploy, &manifest.rollback) {
        (_, Some(script)) if is_rollback => ("rollback script", script),
        (Some(script), _) => ("deploy script", script),
        (None, _) => return Ok(Done::Completed),
    };
    run_script(job, &manifest, what, script).await?;
    Ok(Done::Completed)
}

async fn run_script(
    job: &Job,
    manifest: &Manifest,
    what: &str,
    script: &ManifestScript,
) -> Result<(), Failure> {
    let dir = job.release_dir();
    let left = job.deadline.saturating_duration_since(Instant::now());
    let sandbox = job.sandbox(manifest, Kind::Script);
    let run = Script {
        what,
        path: &script.script,
        dir: &dir,
        env: environment(&job.belongs(), &manifest.env, &sandbox),
        timeout: left.min(script_timeout(job, manifest, what, script)),
        lock: &job.context.data.process_lock(&job.attempt.bundle_name),
        sandbox,
    };
    tracing::info!(deployment.id = %job.attempt.deployment_id, script = script.script, "running the {what}");
    let (output, outcome) = run.run(&job.context.program, &job.stop).await;
    // A failure's reason has the last few lines only.
    ship(&job.context.logs.sink(&job.attempt.bundle_name), &output, what);
    outcome
}

/// What the manifest says; the configuration's `deploy_timeout` when it says nothing.
fn script_timeout(job: &Job, manifest: &Manifest, what: &str, script: &ManifestScript) -> Duration {
    let field = if what == "deploy script" { "/deploy/timeout_secs" } else { "/rollback/timeout_secs" };
    let is_given = manifest.json().pointer(field).is_some_and(|value| !value.is_null());
    let default = job.context.deploy_timeout_secs.load(std::sync::atomic::Ordering::Relaxed);
    Duration::from_secs(u64::from(if is_given { script.timeout_secs } else { default }))
}

/// The end of a script's output: into the log of this machine, and on the way of all output to the control plane.
fn ship(sink: &LogSink, output: &Tail, what: &str) {
    let text = output.text();
    let lines: Vec<&str> = text.lines().collect();
    for line in lines.iter().skip(lines.len().saturating_sub(MAX_SHIPPED_LINES)) {
        tracing::info!(target: "kernex_output", output_of = what, "{line}");
        sink.line(what, line);
    }
}

/// Brings back what was in use before the attempt: its link and its workload. Runs no script.
pub(super) async fn revert(job: &Job) -> Result<Done, Failure> {
    let name = &job.attempt.bundle_name;
    job.context.supervisor.lock().await.stop(name).await;
    point_current(&job.context, name, job.slot.current.as_ref())?;
    run_current(&job.context, name, &job.slot).await?;
    Ok(Done::Completed)
}

/// After a committed version was given up, or the way back has failed: switches to what is in use now, and starts its workload.
/// Runs no script.
pub async fn return_to_current(context: &Context, state: &AgentState, name: &BundleName) {
    let Some(slot) = state.slots.get(name) else { return };
    if let (Some(given_up), Some(current)) = (&slot.given_up, &slot.current) {
        tracing::error!(
            bundle.name = %name, bundle.version = %given_up.release.version, returned_to = %current.version,
            code = %FailureCode::CrashLoop, reason = given_up.reason,
            "the version crashes soon after the switch; the version before comes back"
        );
    }
    context.supervisor.lock().await.stop(name).await;
    let switched = point_current(context, name, slot.current.as_ref()).and_then(|()| {
        point(&context.data.previous(name), slot.previous.as_ref())
            .map_err(|error| local_failure("`previous` cannot be switched", &error))
    });
    // A link that cannot be switched now is at the next start; the workload does not go by it.
    for failure in [switched.err(), run_current(context, name, slot).await.err()].into_iter().flatten() {
        tracing::error!(bundle.name = %name, reason = failure.message, "the version before cannot be brought back");
    }
}

/// Starts the workload of what is in use under a name, if it has one.
pub(super) async fn run_current(context: &Context, name: &BundleName, slot: &Slot) -> Result<(), Failure> {
    let Some(release) = &slot.current else { return Ok(()) };
    let manifest = read_manifest(&context.data, name, release)?;
    let previous = slot.previous.as_ref();
    let belongs = Belongs { data: &context.data, name, release, previous, deployment: None };
    context
        .policy
        .prepare(&context.data, name)
        .map_err(|error| local_failure("the data folder cannot be made", &error))?;
    let mut supervisor = context.supervisor.lock().await;
    supervisor.serve(name, local_api(context, &belongs), manifest.metrics.clone()).await;
    if let Some(spec) = workload_spec(context, &belongs, &manifest, Recent::AsSaved) {
        supervisor.start(name, spec).await;
    }
    if let Some(watch) = health_watch(context, &belongs, &manifest) {
        supervisor.watch(name, watch).await;
    }
    Ok(())
}

/// Points `current` at a release, or removes it.
pub(super) fn point_current(
    context: &Context,
    name: &BundleName,
    release: Option<&Release>,
) -> Result<(), Failure> {
    point(&context.data.current(name), release)
        .map_err(|error| local_failure("`current` cannot be switched", &error))
}

/// Whether a link points at a release.
pub(super) fn points_at(link: &Path, release: &Release) -> bool {
    std::fs::read_link(link).is_ok_and(|target| target == Path::new("releases").join(release.folder()))
}

/// Points a link at a release, or removes it. Relative, so that the data folder can move.
pub(super) fn point(link: &Path, release: Option<&Release>) -> std::io::Result<()> {
    match release {
        Some(release) => disk::switch_link(link, &Path::new("releases").join(release.folder())),
        None => {
            disk::remove_file_if_there(link)?;
            disk::sync_parent(link)
        }
    }
}
