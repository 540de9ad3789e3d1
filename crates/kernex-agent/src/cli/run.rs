//! `kernex-agent run`.

use std::{os::unix::process::CommandExt as _, process::ExitCode, sync::Arc, time::Duration};

use anyhow::Context as _;
use clap::Args;
use kernex_core::{DeviceId, DeviceStatus};
use tokio::{
    signal::unix::{SignalKind, signal},
    sync::{mpsc, watch},
};
use tokio_util::sync::CancellationToken;

use super::connect::{Connection, connect};
use crate::{
    AGENT_VERSION, Error,
    backoff::Backoff,
    context::{Context, Snapshot},
    link::Link,
    lock::Lock,
    log_queue::LogQueue,
    machine::Event,
    process::RunnerProgram,
    runner::{Ending, Runner},
    sandbox::{Policy, cgroup},
    self_update::{
        Running,
        launcher::{self, HAND_OVER_CODE},
    },
    settings::{Settings, SettingsArgs},
    state::{AgentState, StateFile},
    telemetry,
};

/// Commands come a few at a time, and are sent again when they are not heard.
const EVENT_QUEUE: usize = 64;
/// Delays between tries to register.
const FIRST_RETRY: Duration = Duration::from_secs(1);
const LONGEST_RETRY: Duration = Duration::from_secs(60);

/// Arguments of `run`.
#[derive(Args, Debug)]
pub(super) struct RunArgs {
    #[command(flatten)]
    settings: SettingsArgs,
}

/// Decides which agent is to run, and runs it until SIGTERM or SIGINT.
pub(super) fn run(args: RunArgs) -> anyhow::Result<ExitCode> {
    let running = Running::here();
    if !running.is_launched() {
        let (data, _) = args.settings.data.resolve()?;
        if let Some(code) = launcher::launch(&data) {
            return Ok(code);
        }
    } else if !running.follow_launcher() {
        anyhow::bail!("the launcher of this agent has ended");
    }
    match super::block_on(work(args))? {
        Ending::Stopped => Ok(ExitCode::SUCCESS),
        Ending::HandOver if running.launcher.is_some() => Ok(ExitCode::from(HAND_OVER_CODE)),
        // Comes back only when it does not work.
        Ending::HandOver => Err(running.launcher_command().exec()).context("cannot hand over"),
    }
}

/// Works until SIGTERM or SIGINT, or until another agent has to go on.
async fn work(args: RunArgs) -> anyhow::Result<Ending> {
    let settings = args.settings.resolve()?;
    let logs = LogQueue::default();
    let level = telemetry::start(args.settings.log_format, settings.device_config.log_level, &logs);
    settings.data.create()?;
    let _lock = Lock::take(&settings.data)?;
    let state = StateFile::new(settings.data.state()).load()?.unwrap_or_default();
    let stop = stop_on_signal().context("cannot listen for signals")?;
    logs.restore(&settings.data);
    tracing::info!(version = AGENT_VERSION, data_dir = %settings.data.root().display(), control_plane = settings.control_plane, "starting");
    let connection = tokio::select! {
        connection = connect(&settings, &state) => connection?,
        () = stop.cancelled() => return Ok(Ending::Stopped),
    };
    let program = RunnerProgram::default();
    let policy = sandbox_policy(&settings, &program).await;
    let context = build_context(&settings, &state, &connection, logs, policy);
    let (sender, events) = mpsc::channel(EVENT_QUEUE);
    context.supervisor.lock().await.report_to(sender.clone());
    let local = settings.device_config.clone();
    let runner = Runner::new(context.clone(), state, local, settings.own_interval, level);
    let link = tokio::spawn(keep_in_touch(settings, connection, context, sender, stop.clone()));
    // Boxed: it lives as long as the program, and holds every effect.
    let outcome = Box::pin(runner.run(events, stop.clone())).await;
    stop.cancel();
    let _ = link.await;
    Ok(outcome)
}

fn stop_on_signal() -> std::io::Result<CancellationToken> {
    let (mut terminate, mut interrupt) = (signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?);
    let stop = CancellationToken::new();
    let stopped = stop.clone();
    tokio::spawn(async move {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
        stopped.cancel();
    });
    Ok(stop)
}

/// What scripts and workloads may do; tried out before anything of theirs runs.
async fn sandbox_policy(settings: &Settings, program: &RunnerProgram) -> Policy {
    if let Err(error) = cgroup::delegate() {
        tracing::debug!(%error, "the agent's control group cannot be divided");
    }
    let files = [settings.key_path.as_path(), settings.config_path.as_path()];
    Policy::new(settings.workload_uid, &settings.data, &files, program).await
}

fn build_context(
    settings: &Settings,
    state: &AgentState,
    connection: &Connection,
    logs: LogQueue,
    policy: Policy,
) -> Arc<Context> {
    let snapshot = Snapshot::of(state, &settings.device_config, settings.own_interval);
    Arc::new(Context {
        device_type: settings.device_type.clone(),
        logs,
        snapshot: watch::Sender::new(snapshot),
        deploy_timeout_secs: settings.device_config.deploy_timeout.into(),
        keep_releases: settings.keep_releases,
        policy,
        ..Context::new(settings.data.clone(), connection.client.clone(), connection.http.clone())
    })
}

/// Registers if that has not been done, then speaks to the control plane until the end.
async fn keep_in_touch(
    settings: Settings,
    connection: Connection,
    context: Arc<Context>,
    events: mpsc::Sender<Event>,
    stop: CancellationToken,
) {
    let device_id = match connection.client.device_id() {
        Some(device_id) => device_id,
        None => tokio::select! {
            device_id = register(&settings, &connection) => device_id,
            () = stop.cancelled() => return,
        },
    };
    Link::new(context, device_id, events).run(stop).await;
}

/// Tries to register until it works.
async fn register(settings: &Settings, connection: &Connection) -> DeviceId {
    let mut backoff = Backoff::new(FIRST_RETRY, LONGEST_RETRY);
    loop {
        let error = match connection.register(settings).await {
            Ok(device) => {
                tracing::info!(device.id = %device.device_id, status = %device.status, key.fingerprint = connection.fingerprint, "registered");
                if device.status == DeviceStatus::PendingApproval {
                    tracing::info!("an operator has to approve this device; compare the key's fingerprint");
                }
                // Registering the same key again gives the same device, so nothing is lost if this is.
                if let Err(error) = connection.remember(settings, &device) {
                    tracing::error!(%error, "the device id cannot be stored");
                }
                return device.device_id;
            }
            Err(error) => error,
        };
        let retry_after = match &error {
            Error::Client(error) => error.retry_after(),
            _ => None,
        };
        let wait = backoff.next_wait(retry_after);
        tracing::warn!(%error, wait_secs = wait.as_secs_f64(), "the device cannot register");
        tokio::time::sleep(wait).await;
    }
}
