//! What the agent's parts share while it runs.

use std::sync::{
    Arc,
    atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering},
};

use kernex_api::heartbeat::{InstalledBundle, TargetReport};
use kernex_client::DeviceClient;
use kernex_core::DeviceConfig;
use tokio::sync::{Mutex, Notify, watch};

use crate::{
    log_queue::LogQueue,
    paths::DataDir,
    process::RunnerProgram,
    state::{AgentState, Phase},
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
}

/// The download in work, as others see and steer it.
#[derive(Debug)]
pub struct DownloadStatus {
    /// Where the bytes are; a command may bring a new address.
    pub url: watch::Sender<String>,
    /// The address is not accepted any more: the target is left out of heartbeats so that the command comes again.
    pub needs_url: AtomicBool,
    /// Bytes that are here.
    pub done_bytes: AtomicU64,
    /// Bytes in all.
    pub total_bytes: AtomicU64,
}

impl Default for DownloadStatus {
    fn default() -> Self {
        Self {
            url: watch::Sender::new(String::new()),
            needs_url: AtomicBool::new(false),
            done_bytes: AtomicU64::new(0),
            total_bytes: AtomicU64::new(0),
        }
    }
}

impl DownloadStatus {
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
    /// The configuration's version.
    pub config_version: u64,
    /// The configuration.
    pub config: DeviceConfig,
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
            config_version: state.config_version(),
            config: state.config.clone().unwrap_or_else(|| local.clone()),
            own_interval: own_interval && state.config.is_none(),
        }
    }
}
