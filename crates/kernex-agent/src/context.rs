//! What the agent's parts share while it runs.

use std::sync::{
    Arc, Mutex as StdMutex, PoisonError,
    atomic::{AtomicBool, AtomicI64, AtomicU32, AtomicU64, Ordering},
};

use kernex_api::heartbeat::{InstalledBundle, TargetReport};
use kernex_client::DeviceClient;
use kernex_core::{DeploymentId, DeviceConfig, Timestamp};
use tokio::sync::{Mutex, Notify, watch};

use crate::{
    log_queue::LogQueue,
    paths::DataDir,
    process::RunnerProgram,
    sandbox::Policy,
    state::{AgentState, ConfigHold, Phase, Report},
    work::{DownloadTerms, Follower},
    workload::Supervisor,
};

/// Shared by the runner, the work and the link.
#[derive(Debug)]
pub struct Context {
    /// The data folder.
    pub data: DataDir,
    /// The control plane.
    pub client: Arc<DeviceClient>,
    /// For health checks.
    pub http: reqwest::Client,
    /// How to start scripts and workloads.
    pub program: RunnerProgram,
    /// What scripts and workloads may do.
    pub policy: Policy,
    /// What keeps running.
    pub supervisor: Mutex<Supervisor>,
    /// The kind of machine, for manifests that name some.
    pub device_type: Option<String>,
    /// Lines for the control plane.
    pub logs: LogQueue,
    /// What heartbeats report.
    pub snapshot: watch::Sender<Snapshot>,
    /// The attempt's download.
    pub download: DownloadStatus,
    /// Seconds that a script may take when its manifest says nothing.
    pub deploy_timeout_secs: AtomicU32,
    /// The state cannot be saved at the moment.
    pub cannot_save: AtomicBool,
    /// Something changed that the control plane should hear of at once.
    pub wake: Notify,
    /// Complete releases to keep of each bundle.
    pub keep_releases: usize,
    /// Heartbeats that were answered since the agent started.
    pub answered: watch::Sender<u64>,
}

impl Context {
    /// A context with defaults; the caller changes what differs before it is shared.
    pub fn new(data: DataDir, client: Arc<DeviceClient>, http: reqwest::Client) -> Self {
        let program = RunnerProgram::default();
        Self {
            data,
            client,
            http,
            supervisor: Mutex::new(Supervisor::new(program.clone())),
            program,
            policy: Policy::default(),
            device_type: None,
            logs: LogQueue::default(),
            snapshot: watch::Sender::new(Snapshot::default()),
            download: DownloadStatus::default(),
            deploy_timeout_secs: DeviceConfig::default().deploy_timeout.into(),
            cannot_save: false.into(),
            wake: Notify::new(),
            keep_releases: DEFAULT_KEEP_RELEASES,
            answered: watch::Sender::new(0),
        }
    }
}

/// One in use, one to return to, and one more.
pub const DEFAULT_KEEP_RELEASES: usize = 3;

/// The download in work, as others see it.
#[derive(Debug, Default)]
pub struct DownloadStatus {
    /// How patient downloads are.
    pub terms: DownloadTerms,
    /// Until when the control plane stands by the attempt, as it said last while the attempt was in work; milliseconds.
    pub lease_expires_millis: AtomicI64,
    /// Bytes that are here.
    pub done_bytes: AtomicU64,
    /// Bytes in all.
    pub total_bytes: AtomicU64,
    /// What computes the digest of the bytes that are here.
    pub follower: StdMutex<Option<Follower>>,
}

impl DownloadStatus {
    /// Notes until when the control plane stands by the attempt.
    pub fn note_lease(&self, expires_at: Timestamp) {
        self.lease_expires_millis.fetch_max(expires_at.as_millis(), Ordering::Relaxed);
    }

    /// What was noted.
    pub fn lease_expires_at(&self) -> Timestamp {
        Timestamp::from_millis(self.lease_expires_millis.load(Ordering::Relaxed))
    }

    /// Lets another follower, or none, follow the download.
    pub fn follow(&self, follower: Option<Follower>) {
        *self.follower.lock().unwrap_or_else(PoisonError::into_inner) = follower;
    }

    /// Takes what follows a deployment's download.
    pub fn take_follower(&self, deployment: DeploymentId) -> Option<Follower> {
        let follower = self.follower.lock().unwrap_or_else(PoisonError::into_inner).take();
        follower.filter(|follower| follower.deployment() == deployment)
    }

    /// How far it is, percent with one digit.
    pub fn progress_pct(&self) -> Option<f64> {
        let (done, total) =
            (self.done_bytes.load(Ordering::Relaxed), self.total_bytes.load(Ordering::Relaxed));
        (total > 0).then(|| (done as f64 / total as f64 * 1_000.0).round().min(1_000.0) / 10.0)
    }
}

/// What heartbeats report, derived from the state after each save.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Snapshot {
    /// What is installed.
    pub bundles: Vec<InstalledBundle>,
    /// The attempt in work.
    pub working: Option<(TargetReport, Phase)>,
    /// Outcomes that are not acknowledged.
    pub finished: Vec<TargetReport>,
    /// Those outcomes as they are to be reported: the outbox may not have been able to take them.
    pub reports: Vec<Report>,
    /// A version was given up after it had been committed.
    pub has_given_up: bool,
    /// The configuration's version.
    pub config_version: u64,
    /// The configuration.
    pub config: DeviceConfig,
    /// While the configuration is on trial: the interval before it, seconds. Heartbeats are no further apart.
    pub trial_interval_secs: Option<u32>,
    /// A version of the configuration that may have to wait.
    pub config_hold: Option<ConfigHold>,
    /// The interval was set on this device, and the control plane has not sent a configuration.
    pub own_interval: bool,
}

impl Snapshot {
    /// What a state reports, with the configuration that holds until the control plane sends one.
    pub fn of(state: &AgentState, local: &DeviceConfig, own_interval: bool) -> Self {
        let bundles = state.slots.iter().filter_map(|(name, slot)| {
            Some(InstalledBundle { name: name.clone(), version: slot.current.as_ref()?.version.clone() })
        });
        let working = state.attempt.as_ref().map(|attempt| {
            let report = TargetReport {
                deployment_id: attempt.deployment_id,
                attempt: attempt.attempt,
                state: attempt.phase.target_state(),
                progress_pct: None,
            };
            (report, attempt.phase)
        });
        let finished = state.reports.iter().map(|report| TargetReport {
            deployment_id: report.deployment_id,
            attempt: report.attempt,
            state: report.status.target_state(),
            progress_pct: None,
        });
        Self {
            bundles: bundles.collect(),
            working,
            finished: finished.collect(),
            reports: state.reports.clone(),
            has_given_up: state.slots.values().any(|slot| slot.given_up.is_some()),
            config_version: state.config_version(),
            config: state.config.clone().unwrap_or_else(|| local.clone()),
            trial_interval_secs: state.config_trial.as_ref().map(|trial| trial.before_interval_secs),
            config_hold: state.config_hold.clone(),
            own_interval: own_interval && state.config.is_none(),
        }
    }

    /// The interval between heartbeats as configured, seconds.
    pub fn interval_secs(&self) -> u32 {
        self.config.polling_interval.min(self.trial_interval_secs.unwrap_or(u32::MAX))
    }
}
