//! What keeps running: starts workloads, starts them again when they end, stops them for a switch.

mod log_file;

use std::{
    collections::{BTreeMap, VecDeque},
    path::PathBuf,
    time::{Duration, Instant},
};

use kernex_bundle::{Restart, Workload};
use kernex_core::BundleName;
use tokio::{io::AsyncReadExt as _, process::ChildStderr, sync::watch, task::JoinHandle, time::timeout};
use tokio_util::sync::CancellationToken;

use crate::{
    backoff::Backoff,
    process::{Process, RunnerProgram},
    sandbox::Sandbox,
    script::{Tail, inside},
    script_runner::{Outcome, Spec},
};
use log_file::LogFile;

/// How long a workload may take to end after SIGTERM.
const GRACE: Duration = Duration::from_secs(10);
/// A stop that takes longer than this is given up; SIGKILL has been sent long before.
const STOP_TIMEOUT: Duration = Duration::from_secs(45);
/// Delays between starts of a workload that keeps ending.
const FIRST_RESTART: Duration = Duration::from_secs(1);
const LONGEST_RESTART: Duration = Duration::from_secs(60);
/// What ran this long has recovered: the next restart is quick again.
const RECOVERED: Duration = Duration::from_secs(60);
/// How much of the last output is kept for a failure's reason.
const MAX_TAIL_BYTES: usize = 2 * 1024;
/// More crashes than this are not remembered; more than any sensible limit.
const MAX_REMEMBERED_CRASHES: usize = 1_000;

/// A workload to keep running.
#[derive(Clone, Debug)]
pub struct WorkloadSpec {
    /// What the manifest says.
    pub workload: Workload,
    /// The release's folder.
    pub dir: PathBuf,
    /// Its whole environment.
    pub env: BTreeMap<String, String>,
    /// Where its output goes.
    pub log: PathBuf,
    /// Held as long as any of its processes runs.
    pub lock: PathBuf,
    /// What it may do.
    pub sandbox: Sandbox,
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
}

/// All workloads of the device.
#[derive(Debug)]
pub struct Supervisor {
    program: RunnerProgram,
    running: BTreeMap<BundleName, Running>,
}

#[derive(Debug)]
struct Running {
    stop: CancellationToken,
    task: JoinHandle<()>,
    status: watch::Receiver<Status>,
    max_crashes: u32,
}

impl Supervisor {
    /// No workload yet.
    pub fn new(program: RunnerProgram) -> Self {
        Self { program, running: BTreeMap::new() }
    }

    /// Starts a bundle's workload in place of the one that runs under its name.
    pub async fn start(&mut self, name: &BundleName, spec: WorkloadSpec) -> watch::Receiver<Status> {
        self.stop(name).await;
        let (sender, status) = watch::channel(Status::default());
        let stop = CancellationToken::new();
        let max_crashes = spec.workload.max_crashes;
        let keeper = Keeper { program: self.program.clone(), spec, name: name.clone(), status: sender };
        let task = tokio::spawn(keeper.run(stop.clone()));
        self.running.insert(name.clone(), Running { stop, task, status: status.clone(), max_crashes });
        status
    }

    /// The status of a bundle's workload, if it is supervised.
    pub fn status(&self, name: &BundleName) -> Option<watch::Receiver<Status>> {
        Some(self.running.get(name)?.status.clone())
    }

    /// Stops a bundle's workload and waits until its processes are gone.
    pub async fn stop(&mut self, name: &BundleName) {
        if let Some(running) = self.running.remove(name) {
            running.stop.cancel();
            if timeout(STOP_TIMEOUT, running.task).await.is_err() {
                tracing::error!(bundle.name = %name, "the workload does not end");
            }
        }
    }

    /// Stops every workload.
    pub async fn stop_all(&mut self) {
        for running in self.running.values() {
            running.stop.cancel();
        }
        let names: Vec<BundleName> = self.running.keys().cloned().collect();
        for name in names {
            self.stop(&name).await;
        }
    }

    /// Names of workloads that do not do their work.
    pub fn failing(&self) -> Vec<BundleName> {
        let is_failing = |running: &Running| running.status.borrow().is_failing(running.max_crashes);
        self.running.iter().filter(|(_, running)| is_failing(running)).map(|(name, _)| name.clone()).collect()
    }
}

/// Keeps one workload running.
struct Keeper {
    program: RunnerProgram,
    spec: WorkloadSpec,
    name: BundleName,
    status: watch::Sender<Status>,
}

impl Keeper {
    async fn run(self, stop: CancellationToken) {
        let mut backoff = Backoff::new(FIRST_RESTART, LONGEST_RESTART);
        loop {
            let began = Instant::now();
            let (outcome, tail) = self.run_once(&stop).await;
            if stop.is_cancelled() {
                return;
            }
            let how = describe(&outcome);
            let is_error = outcome != Outcome::Exited { code: 0 };
            self.note_end(&how, is_error, &tail);
            let again = match self.spec.workload.restart {
                Restart::No => false,
                Restart::OnFailure => is_error,
                Restart::Always => true,
            };
            if !again {
                tracing::info!(bundle.name = %self.name, how, "the workload ended and is not started again");
                self.status.send_modify(|status| status.ended = Some((how, is_error)));
                return;
            }
            if began.elapsed() >= RECOVERED {
                backoff.reset();
            }
            let wait = backoff.next_wait(None);
            tracing::warn!(bundle.name = %self.name, how, wait_secs = wait.as_secs_f64(), "the workload ended and is started again");
            tokio::select! {
                () = tokio::time::sleep(wait) => {}
                () = stop.cancelled() => return,
            }
        }
    }

    async fn run_once(&self, stop: &CancellationToken) -> (Outcome, Tail) {
        let mut process = match Process::start(&self.program, &self.process_spec()).await {
            Ok(process) => process,
            Err(error) => return (Outcome::NotStarted { reason: error.to_string() }, Tail::default()),
        };
        self.status.send_modify(|status| status.running_since = Some(Instant::now()));
        let output = process.take_output();
        let ended =
            tokio::join!(process.wait(stop), copy_output(output, LogFile::new(self.spec.log.clone())));
        self.status.send_modify(|status| status.running_since = None);
        ended
    }

    fn process_spec(&self) -> Spec {
        let mut command = self.spec.workload.command.iter().cloned();
        let program = command.next().unwrap_or_default();
        let is_inside = program.contains('/') || self.spec.dir.join(&program).is_file();
        Spec {
            program: if is_inside { inside(&program) } else { program },
            args: command.collect(),
            dir: self.spec.dir.clone(),
            env: self.spec.env.clone(),
            timeout_millis: None,
            grace_millis: GRACE.as_millis() as u64,
            lock: Some(self.spec.lock.clone()),
            has_two_outputs: false,
            sandbox: self.spec.sandbox.clone(),
        }
    }

    fn note_end(&self, how: &str, is_error: bool, tail: &Tail) {
        if !is_error {
            return;
        }
        let window = Duration::from_secs(u64::from(self.spec.workload.crash_window_secs));
        let now = Instant::now();
        self.status.send_modify(|status| {
            status.crashes.push_back(now);
            while status.crashes.len() > MAX_REMEMBERED_CRASHES
                || status.crashes.front().is_some_and(|first| now.duration_since(*first) > window)
            {
                status.crashes.pop_front();
            }
            let output = tail.quoted(MAX_TAIL_BYTES);
            let output =
                if output.is_empty() { "no output".to_owned() } else { format!("last output: {output}") };
            status.last_crash = format!("{how}; {output}");
        });
    }
}

fn describe(outcome: &Outcome) -> String {
    match outcome {
        Outcome::Exited { code } => format!("ended with exit code {code}"),
        Outcome::Signalled { signal } => format!("was killed by signal {signal}"),
        Outcome::TimedOut | Outcome::Stopped => "was stopped".to_owned(),
        Outcome::NotStarted { reason } => format!("could not be started: {reason}"),
    }
}

/// Writes all output to the log file and keeps its end.
async fn copy_output(output: Option<ChildStderr>, mut log: LogFile) -> Tail {
    let mut tail = Tail::new(MAX_TAIL_BYTES);
    let Some(mut output) = output else { return tail };
    let mut buffer = vec![0; 8 * 1024];
    while let Ok(read @ 1..) = output.read(&mut buffer).await {
        tail.push(&buffer[..read]);
        log.write(&buffer[..read]);
    }
    tail
}
