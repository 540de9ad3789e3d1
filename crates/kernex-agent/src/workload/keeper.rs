//! Keeps one workload running, counts its crashes, and says when they are too many.

use std::{
    pin::pin,
    time::{Duration, Instant},
};

use kernex_bundle::{ReloadSignal, Restart};
use kernex_core::BundleName;
use tokio::sync::{mpsc, watch};
use tokio_util::sync::CancellationToken;

use super::{Reported, Status, WorkloadSpec, log_file::LogFile, output::copy_output};
use crate::{
    backoff::Backoff,
    machine::Event,
    process::{Process, RunnerProgram},
    script::{Tail, inside},
    script_runner::{Outcome, Spec},
};

/// Delays between starts of a workload that keeps ending.
const FIRST_RESTART: Duration = Duration::from_secs(1);
const LONGEST_RESTART: Duration = Duration::from_secs(60);
/// What ran this long has recovered: the next restart is quick again.
const RECOVERED: Duration = Duration::from_secs(300);
/// How much of the last output goes into a failure's reason.
const MAX_QUOTED_BYTES: usize = 2 * 1024;
/// More crashes than this are not remembered; more than any limit in a manifest.
const MAX_REMEMBERED_CRASHES: usize = 1_000;

/// Keeps one workload running.
pub(super) struct Keeper {
    pub(super) program: RunnerProgram,
    pub(super) spec: WorkloadSpec,
    pub(super) name: BundleName,
    pub(super) status: watch::Sender<Status>,
    pub(super) events: Option<mpsc::Sender<Event>>,
    pub(super) reported: Reported,
}

impl Keeper {
    pub(super) async fn run(mut self, stop: CancellationToken, mut reloads: mpsc::Receiver<()>) {
        // What was counted before the agent restarted counts as of now.
        let before = self.spec.trial.as_ref().map_or(0, super::Trial::crashes);
        self.status.send_modify(|status| status.crashes.extend((0..before).map(|_| Instant::now())));
        let mut backoff = Backoff::new(FIRST_RESTART, LONGEST_RESTART);
        loop {
            let began = Instant::now();
            let (outcome, tail) = self.run_once(&stop, &mut reloads).await;
            if stop.is_cancelled() {
                break;
            }
            let how = describe(&outcome);
            let is_error = outcome != Outcome::Exited { code: 0 };
            self.note_end(&how, is_error, &tail);
            if !self.is_started_again(is_error) {
                tracing::info!(bundle.name = %self.name, how, "the workload ended and is not started again");
                self.status.send_modify(|status| status.ended = Some((how, is_error)));
                self.tell_if_failing();
                break;
            }
            self.tell_if_failing();
            if began.elapsed() >= RECOVERED {
                backoff.reset();
            }
            let wait = backoff.next_wait(None);
            tracing::warn!(bundle.name = %self.name, how, wait_secs = wait.as_secs_f64(), "the workload ended and is started again");
            tokio::select! {
                () = tokio::time::sleep(wait) => {}
                () = stop.cancelled() => break,
            }
        }
        if let Some(trial) = &self.spec.trial {
            trial.save();
        }
    }

    const fn is_started_again(&self, is_error: bool) -> bool {
        match self.spec.workload.restart {
            Restart::No => false,
            Restart::OnFailure => is_error,
            Restart::Always => true,
        }
    }

    async fn run_once(&self, stop: &CancellationToken, reloads: &mut mpsc::Receiver<()>) -> (Outcome, Tail) {
        // Numbers of a program that has ended say nothing about the next one.
        self.reported.forget();
        let mut process = match Process::start(&self.program, &self.process_spec()).await {
            Ok(process) => process,
            Err(error) => return (Outcome::NotStarted { reason: error.to_string() }, Tail::default()),
        };
        self.status.send_modify(|status| status.running_since = Some(Instant::now()));
        let (stdout, stderr) = (process.take_stdout(), process.take_output());
        let reload = process.reloader();
        let log = LogFile::new(self.spec.log.clone());
        let mut ended = pin!(async {
            tokio::join!(process.wait(stop), copy_output(stdout, stderr, log, &self.spec.sink))
        });
        let ended = loop {
            tokio::select! {
                ended = &mut ended => break ended,
                Some(()) = reloads.recv() => reload.notify_one(),
            }
        };
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
            grace_millis: u64::from(self.spec.workload.stop_timeout_secs) * 1_000,
            lock: Some(self.spec.lock.clone()),
            has_two_outputs: true,
            reload_signal: self.spec.workload.reload_signal.map(number),
            sandbox: self.spec.sandbox.clone(),
        }
    }

    fn note_end(&mut self, how: &str, is_error: bool, tail: &Tail) {
        if !is_error {
            return;
        }
        if let Some(trial) = &mut self.spec.trial {
            trial.note_crash();
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
            let output = tail.quoted(MAX_QUOTED_BYTES);
            let output =
                if output.is_empty() { "no output".to_owned() } else { format!("last output: {output}") };
            status.last_crash = format!("{how}; {output}");
        });
    }

    /// Soon after the switch the version before is better; later there is only somebody to tell, by the heartbeat.
    fn tell_if_failing(&self) {
        let status = self.status.borrow();
        let max_crashes = self.spec.workload.max_crashes;
        if !status.is_failing(max_crashes) {
            return;
        }
        let reason = status.crash_message();
        let is_recent = self.spec.trial.as_ref().is_some_and(|trial| !trial.is_over());
        let Some(events) = self.events.as_ref().filter(|_| is_recent) else {
            tracing::error!(bundle.name = %self.name, reason, "the workload keeps crashing");
            return;
        };
        let event = Event::CrashLooped {
            bundle_name: self.name.clone(),
            digest: self.spec.digest.clone(),
            message: reason,
        };
        // When the queue is full, the next crash says it again.
        let _ = events.try_send(event);
    }
}

fn number(signal: ReloadSignal) -> i32 {
    let signal = match signal {
        ReloadSignal::Hup => nix::sys::signal::Signal::SIGHUP,
        ReloadSignal::Usr1 => nix::sys::signal::Signal::SIGUSR1,
        ReloadSignal::Usr2 => nix::sys::signal::Signal::SIGUSR2,
    };
    signal as i32
}

fn describe(outcome: &Outcome) -> String {
    match outcome {
        Outcome::Exited { code } => format!("ended with exit code {code}"),
        Outcome::Signalled { signal } => format!("was killed by signal {signal}"),
        Outcome::TimedOut | Outcome::Stopped => "was stopped".to_owned(),
        Outcome::NotStarted { reason } => format!("could not be started: {reason}"),
    }
}
