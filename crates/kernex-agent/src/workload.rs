//! What keeps running: starts workloads, starts them again when they end, stops them for a switch; and what goes with
//! them: health checks, the local API, numbers for heartbeats.

mod keeper;
mod log_file;
mod monitor;
mod output;
mod reported;
mod scrape;
mod trial;

use std::{
    collections::{BTreeMap, VecDeque},
    path::PathBuf,
    time::{Duration, Instant},
};

use kernex_bundle::Workload;
use kernex_core::{BundleName, DeviceHealth};
use tokio::{
    sync::{mpsc, watch},
    task::JoinHandle,
    time::timeout,
};
use tokio_util::sync::CancellationToken;

use crate::{
    local_api::{self, LocalApi},
    log_queue::LogSink,
    machine::Event,
    process::RunnerProgram,
    sandbox::Sandbox,
};
use keeper::Keeper;
pub use monitor::HealthWatch;
pub use reported::Reported;
pub use scrape::scrape;
pub use trial::Trial;

/// A stop that takes longer than this, beyond the workload's own time, is given up; SIGKILL has been sent long before.
const STOP_SLACK: Duration = Duration::from_secs(35);

/// A workload to keep running.
#[derive(Clone, Debug)]
pub struct WorkloadSpec {
    /// What the manifest says.
    pub workload: Workload,
    /// The release's folder.
    pub dir: PathBuf,
    /// The release's digest.
    pub digest: String,
    /// Its whole environment.
    pub env: BTreeMap<String, String>,
    /// Where its output goes.
    pub log: PathBuf,
    /// And to the control plane.
    pub sink: LogSink,
    /// Held as long as any of its processes runs.
    pub lock: PathBuf,
    /// What it may do.
    pub sandbox: Sandbox,
    /// While the switch to it is recent: what counts against it.
    pub trial: Option<Trial>,
}

/// What is known of a workload.
#[derive(Clone, Debug, Default)]
pub struct Status {
    /// Since when it runs; absent while it does not.
    pub running_since: Option<Instant>,
    /// When it ended with an error, as far as that lies within its crash window.
    pub crashes: VecDeque<Instant>,
    /// It has ended and will not be started again: how it ended, and whether that was an error.
    pub ended: Option<(String, bool)>,
    /// How it ended the last time, with an error, and the end of its output.
    pub last_crash: String,
}

impl Status {
    /// Whether it ended with an error too often, or for good.
    pub fn is_failing(&self, max_crashes: u32) -> bool {
        let for_good = self.ended.as_ref().is_some_and(|(_, is_error)| *is_error);
        for_good || self.crashes.len() >= max_crashes.max(1) as usize
    }

    /// A sentence about its crashes.
    pub fn crash_message(&self) -> String {
        match (&self.ended, self.crashes.len()) {
            (Some(_), _) => format!("the workload {} and is not to be started again", self.last_crash),
            (None, 1) => format!("the workload crashed: it {}", self.last_crash),
            (None, count) => {
                format!("the workload crashed {count} times; the last time it {}", self.last_crash)
            }
        }
    }
}

/// All workloads of the device.
#[derive(Debug)]
pub struct Supervisor {
    program: RunnerProgram,
    events: Option<mpsc::Sender<Event>>,
    bundles: BTreeMap<BundleName, Bundle>,
}

/// What runs for one bundle.
#[derive(Debug, Default)]
struct Bundle {
    workload: Option<Running>,
    health: Option<Watching>,
    local_api: Option<Watching>,
    reported: Reported,
    metrics: Option<kernex_bundle::Metrics>,
    is_unhealthy: Option<watch::Receiver<bool>>,
}

#[derive(Debug)]
struct Running {
    stop: CancellationToken,
    task: JoinHandle<()>,
    status: watch::Receiver<Status>,
    max_crashes: u32,
    stop_timeout: Duration,
    reload: Option<mpsc::Sender<()>>,
}

/// A task that ends with what it belongs to.
#[derive(Debug)]
struct Watching {
    stop: CancellationToken,
    task: JoinHandle<()>,
}

impl Watching {
    async fn end(self) {
        self.stop.cancel();
        // A check that runs is stopped like a script; its runner clears away in any case.
        let _ = timeout(STOP_SLACK, self.task).await;
    }
}

impl Supervisor {
    /// No workload yet.
    pub fn new(program: RunnerProgram) -> Self {
        Self { program, events: None, bundles: BTreeMap::new() }
    }

    /// Whom to tell when a workload keeps crashing soon after the switch to it.
    pub fn report_to(&mut self, events: mpsc::Sender<Event>) {
        self.events = Some(events);
    }

    /// Starts a bundle's workload in place of the one that runs under its name.
    pub async fn start(&mut self, name: &BundleName, spec: WorkloadSpec) -> watch::Receiver<Status> {
        self.stop_workload(name).await;
        let (sender, status) = watch::channel(Status::default());
        let stop = CancellationToken::new();
        let max_crashes = spec.workload.max_crashes;
        let stop_timeout = Duration::from_secs(u64::from(spec.workload.stop_timeout_secs));
        let (reload, reloads) = mpsc::channel(1);
        let reload = spec.workload.reload_signal.map(|_| reload);
        let bundle = self.bundles.entry(name.clone()).or_default();
        bundle.reported.forget();
        let keeper = Keeper {
            program: self.program.clone(),
            spec,
            name: name.clone(),
            status: sender,
            events: self.events.clone(),
            reported: bundle.reported.clone(),
        };
        let task = tokio::spawn(keeper.run(stop.clone(), reloads));
        bundle.workload =
            Some(Running { stop, task, status: status.clone(), max_crashes, stop_timeout, reload });
        status
    }

    /// Listens for a bundle's programs, and takes up its metrics, in place of what did under its name.
    pub async fn serve(&mut self, name: &BundleName, api: LocalApi, metrics: Option<kernex_bundle::Metrics>) {
        let bundle = self.bundles.entry(name.clone()).or_default();
        if let Some(old) = bundle.local_api.take() {
            old.end().await;
        }
        bundle.metrics = metrics;
        let stop = CancellationToken::new();
        match local_api::serve(api, bundle.reported.clone(), stop.clone()) {
            Ok(task) => bundle.local_api = Some(Watching { stop, task }),
            Err(error) => tracing::warn!(bundle.name = %name, %error, "the local API cannot be offered"),
        }
    }

    /// Checks a bundle's health from now on.
    pub async fn watch(&mut self, name: &BundleName, health: HealthWatch) {
        let bundle = self.bundles.entry(name.clone()).or_default();
        if let Some(old) = bundle.health.take() {
            old.end().await;
        }
        let (sender, is_unhealthy) = watch::channel(false);
        let stop = CancellationToken::new();
        let task = tokio::spawn(health.run(name.clone(), self.program.clone(), sender, stop.clone()));
        bundle.health = Some(Watching { stop, task });
        bundle.is_unhealthy = Some(is_unhealthy);
    }

    /// The status of a bundle's workload, if it is supervised.
    pub fn status(&self, name: &BundleName) -> Option<watch::Receiver<Status>> {
        Some(self.bundles.get(name)?.workload.as_ref()?.status.clone())
    }

    /// Tells workloads that want to know of a new configuration.
    pub fn reload(&self) {
        for reload in self.bundles.values().filter_map(|bundle| bundle.workload.as_ref()?.reload.as_ref()) {
            // One that waits already will do.
            let _ = reload.try_send(());
        }
    }

    /// Stops a bundle's workload and what goes with it, and waits until its processes are gone.
    pub async fn stop(&mut self, name: &BundleName) {
        if let Some(bundle) = self.bundles.get_mut(name) {
            for watching in [bundle.health.take(), bundle.local_api.take()].into_iter().flatten() {
                watching.end().await;
            }
        }
        self.stop_workload(name).await;
        self.bundles.remove(name);
    }

    async fn stop_workload(&mut self, name: &BundleName) {
        let Some(running) = self.bundles.get_mut(name).and_then(|bundle| bundle.workload.take()) else {
            return;
        };
        running.stop.cancel();
        if timeout(running.stop_timeout + STOP_SLACK, running.task).await.is_err() {
            tracing::error!(bundle.name = %name, "the workload does not end");
        }
    }

    /// Stops every workload, all at the same time.
    pub async fn stop_all(&mut self) {
        for bundle in self.bundles.values() {
            let watching = bundle.health.iter().chain(&bundle.local_api).map(|watching| &watching.stop);
            let workload = bundle.workload.iter().map(|running| &running.stop);
            watching.chain(workload).for_each(CancellationToken::cancel);
        }
        let names: Vec<BundleName> = self.bundles.keys().cloned().collect();
        for name in names {
            self.stop(&name).await;
        }
    }

    /// Names of bundles whose workload does not do its work, by its crashes or by its health check.
    pub fn failing(&self) -> Vec<BundleName> {
        let crashes = |running: &Running| running.status.borrow().is_failing(running.max_crashes);
        let is_failing = |bundle: &Bundle| {
            bundle.workload.as_ref().is_some_and(crashes)
                || bundle.is_unhealthy.as_ref().is_some_and(|unhealthy| *unhealthy.borrow())
        };
        self.bundles.iter().filter(|(_, bundle)| is_failing(bundle)).map(|(name, _)| name.clone()).collect()
    }

    /// The worst of what workloads say of themselves and what is known of them.
    pub fn health(&self) -> DeviceHealth {
        let own = if self.failing().is_empty() { DeviceHealth::Healthy } else { DeviceHealth::Degraded };
        let said = self.bundles.values().filter_map(|bundle| bundle.reported.health());
        said.chain([own]).max_by_key(|health| reported::severity(*health)).unwrap_or(own)
    }

    /// Numbers of all workloads, for a heartbeat.
    pub fn metrics(&self) -> BTreeMap<String, f64> {
        reported::merge(self.bundles.iter().map(|(name, bundle)| (name.as_str(), bundle.reported.metrics())))
    }

    /// What is to be scraped, and where the numbers go.
    fn scraped(&self) -> Vec<(kernex_bundle::Metrics, Reported)> {
        let bundles = self.bundles.values();
        bundles.filter_map(|bundle| Some((bundle.metrics.clone()?, bundle.reported.clone()))).collect()
    }
}
