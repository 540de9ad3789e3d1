//! The runner around the state machine: saves first, acts second.

use std::{
    sync::{Arc, atomic::Ordering},
    time::Duration,
};

use kernex_core::{DeploymentId, DeviceConfig, FailureCode};
use tokio::{
    sync::mpsc,
    task::JoinHandle,
    time::{Instant, sleep_until, timeout},
};
use tokio_util::sync::CancellationToken;

use crate::{
    Error,
    context::{Context, Snapshot},
    machine::{Effect, Event, step},
    outbox::Outbox,
    state::{AgentState, Failure, Phase, StateFile},
    telemetry::LevelHandle,
    work::{self, Job},
};

/// While the state cannot be saved nothing is done but trying again.
const SAVE_RETRY: Duration = Duration::from_secs(5);
/// Work that was asked to stop gets this long; its processes are killed long before.
const STOP_TIMEOUT: Duration = Duration::from_secs(40);
/// On the way out of the agent there is less time.
const SHUTDOWN_TIMEOUT: Duration = Duration::from_secs(13);

/// How often time without contact is counted while a configuration is on trial: a restart costs at most that much.
const TRIAL_TICK: Duration = Duration::from_secs(15);

/// Owns the state and everything that acts on it.
pub struct Runner {
    context: Arc<Context>,
    state: AgentState,
    file: StateFile,
    outbox: Outbox,
    local: DeviceConfig,
    own_interval: bool,
    level: LevelHandle,
    work: Option<Work>,
    clock: Option<AttemptClock>,
    /// While a configuration is on trial: since when no time was counted.
    silent_since: Option<Instant>,
    ending: Option<Ending>,
}

/// Why the runner ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ending {
    /// It was asked to.
    Stopped,
    /// Another agent has to go on.
    HandOver,
}

/// A phase's work that runs.
struct Work {
    deployment_id: DeploymentId,
    phase: Phase,
    stop: CancellationToken,
    task: JoinHandle<Event>,
}

/// How much of its time an attempt has used: measured by a clock that nobody sets.
#[derive(Clone, Copy)]
struct AttemptClock {
    since: Instant,
    spent_before: Duration,
}

impl Runner {
    /// A runner over the state that was saved last.
    pub fn new(
        context: Arc<Context>,
        state: AgentState,
        local: DeviceConfig,
        own_interval: bool,
        level: LevelHandle,
    ) -> Self {
        let file = StateFile::new(context.data.state());
        let outbox = Outbox::new(&context.data);
        Self {
            context,
            state,
            file,
            outbox,
            local,
            own_interval,
            level,
            work: None,
            clock: None,
            silent_since: None,
            ending: None,
        }
    }

    /// Works until it is asked to stop, then stops workloads and saves.
    pub async fn run(mut self, mut events: mpsc::Receiver<Event>, stop: CancellationToken) -> Ending {
        self.handle(Event::Started, &stop).await;
        self.handle(Event::Resumed, &stop).await;
        while !stop.is_cancelled() && self.ending.is_none() {
            let next_tick = self.next_tick();
            let event = tokio::select! {
                event = finished(&mut self.work) => Some(event),
                event = events.recv() => event,
                () = sleep_until(next_tick.unwrap_or_else(Instant::now)), if next_tick.is_some() => Some(self.tick()),
                () = stop.cancelled() => None,
            };
            match event {
                Some(event) => self.handle(event, &stop).await,
                None => break,
            }
        }
        self.shut_down().await
    }

    /// When time without contact is counted next, while a configuration is on trial.
    fn next_tick(&mut self) -> Option<Instant> {
        self.silent_since = match self.state.config_trial {
            Some(_) => self.silent_since.or_else(|| Some(Instant::now())),
            None => None,
        };
        self.silent_since.map(|since| since + TRIAL_TICK)
    }

    fn tick(&mut self) -> Event {
        let passed =
            self.silent_since.replace(Instant::now()).map_or(Duration::ZERO, |since| since.elapsed());
        let millis = u64::try_from(passed.as_millis()).unwrap_or(u64::MAX);
        Event::WithoutContact { millis, now: self.context.client.corrected_now() }
    }

    async fn handle(&mut self, event: Event, stop: &CancellationToken) {
        self.note_time();
        let (state, effects) = step(self.state.clone(), event);
        if state != self.state {
            if !is_same_attempt(&self.state, &state) {
                self.clock = None;
            }
            self.state = state;
            if !self.save_at_last(stop).await {
                return;
            }
            self.log_phase();
            // Before the link sees the new version: it is on trial with the next heartbeat.
            if effects.contains(&Effect::ApplyConfig) {
                self.apply_config();
            }
            self.publish();
            if effects.contains(&Effect::ApplyConfig) {
                self.reload_workloads();
            }
        } else if effects.contains(&Effect::ApplyConfig) {
            self.apply_config();
        }
        for effect in effects {
            self.act(effect).await;
        }
    }

    /// Saves, however long it takes; nothing may happen before. Gives up only when the agent is to stop.
    async fn save_at_last(&mut self, stop: &CancellationToken) -> bool {
        self.state.last_timestamp_millis = self.context.client.last_timestamp().as_millis();
        self.state.clock_offset_millis = self.context.client.clock_offset_millis();
        if self.file.save(&self.state).is_ok() {
            return true;
        }
        work::make_room(&self.context, &self.state);
        loop {
            match self.file.save(&self.state) {
                Ok(()) => {
                    self.context.cannot_save.store(false, Ordering::Relaxed);
                    return true;
                }
                Err(error) if !self.context.cannot_save.swap(true, Ordering::Relaxed) => {
                    tracing::error!(%error, "the state cannot be saved; nothing is done until it can");
                }
                Err(error) => tracing::debug!(%error, "the state still cannot be saved"),
            }
            tokio::select! {
                () = tokio::time::sleep(SAVE_RETRY) => {}
                () = stop.cancelled() => return false,
            }
        }
    }

    fn log_phase(&self) {
        match &self.state.attempt {
            Some(attempt) => tracing::info!(
                deployment.id = %attempt.deployment_id, attempt = attempt.attempt, bundle.name = %attempt.bundle_name,
                bundle.version = %attempt.release.version, state = %attempt.phase.target_state(), "the attempt goes on"
            ),
            None => tracing::debug!("no attempt in work"),
        }
    }

    /// Lets the link see the state, and wakes it when the control plane should hear of it at once.
    fn publish(&self) {
        let snapshot = Snapshot::of(&self.state, &self.local, self.own_interval);
        let has_changed = self.context.snapshot.send_if_modified(|present| {
            let has_changed = *present != snapshot;
            *present = snapshot;
            has_changed
        });
        if has_changed {
            self.context.wake.notify_one();
        }
    }

    async fn act(&mut self, effect: Effect) {
        match effect {
            Effect::StopWork => self.stop_work(STOP_TIMEOUT).await,
            Effect::Work(phase) => self.start_work(phase),
            Effect::WriteReport(report) => {
                if let Some(failure) = &report.failure {
                    tracing::warn!(deployment.id = %report.deployment_id, status = %report.status, code = %failure.code, reason = failure.message, "the attempt did not work");
                } else {
                    tracing::info!(deployment.id = %report.deployment_id, status = %report.status, "the attempt is done");
                }
                // The report is part of the state and comes back at the next start.
                if let Err(error) = self.outbox.write(&report) {
                    tracing::error!(%error, "the result cannot be put into the outbox");
                }
                self.context.wake.notify_one();
            }
            Effect::DeleteReport(seq) => {
                if let Err(error) = self.outbox.delete(seq) {
                    tracing::error!(%error, "the result cannot be taken out of the outbox");
                }
            }
            Effect::CleanUp { .. } => work::clean_up(&self.context, &self.state).await,
            Effect::Restore { except } => work::restore(&self.context, &self.state, except.as_ref()).await,
            Effect::HandOver => self.ending = Some(Ending::HandOver),
            // Done before the state was published.
            Effect::Return { bundle_name } => {
                work::return_to_current(&self.context, &self.state, &bundle_name).await;
            }
            Effect::ApplyConfig => {}
            Effect::SayConfigReturned { version } => tracing::error!(
                config.version = version,
                "the configuration is taken back: the control plane could not be reached since it was applied"
            ),
        }
    }

    fn start_work(&mut self, phase: Phase) {
        let Some(attempt) = self.state.attempt.clone() else { return };
        if phase == Phase::Downloading {
            self.context.download.done_bytes.store(0, Ordering::Relaxed);
            self.context.download.lease_expires_millis.store(0, Ordering::Relaxed);
        }
        let clock = *self.clock.get_or_insert_with(|| AttemptClock {
            since: Instant::now(),
            spent_before: Duration::from_millis(attempt.spent_millis),
        });
        let allowed = Duration::from_secs(u64::from(attempt.timeout_secs));
        let deadline = clock.since + allowed.saturating_sub(clock.spent_before);
        let slot = self.state.slots.get(&attempt.bundle_name).cloned().unwrap_or_default();
        let stop = CancellationToken::new();
        let deployment_id = attempt.deployment_id;
        let job = Job { context: self.context.clone(), attempt, slot, deadline, stop: stop.clone() };
        self.work = Some(Work { deployment_id, phase, stop, task: tokio::spawn(job.run()) });
    }

    /// Ends the running work; what it led to does not count any more.
    async fn stop_work(&mut self, limit: Duration) {
        if let Some(work) = self.work.take() {
            work.stop.cancel();
            if timeout(limit, work.task).await.is_err() {
                tracing::error!("the running work does not end");
            }
        }
    }

    /// Tells workloads that asked for it of the new configuration, which they can read by now.
    /// Beside the runner: whoever holds the supervisor may be stopping a workload, and that takes its time.
    fn reload_workloads(&self) {
        let context = self.context.clone();
        tokio::spawn(async move { context.supervisor.lock().await.reload() });
    }

    fn apply_config(&self) {
        let config = self.state.config.as_ref().unwrap_or(&self.local);
        self.context.client.set_request_timeout(Duration::from_secs(u64::from(config.heartbeat_timeout)));
        self.context.deploy_timeout_secs.store(config.deploy_timeout, Ordering::Relaxed);
        self.level.set(config.log_level);
        tracing::info!(
            config.version = self.state.config_version(),
            polling_interval = config.polling_interval,
            heartbeat_timeout = config.heartbeat_timeout,
            deploy_timeout = config.deploy_timeout,
            log_level = config.log_level.as_str(),
            "going by the configuration"
        );
    }

    fn note_time(&mut self) {
        if let (Some(attempt), Some(clock)) = (&mut self.state.attempt, &self.clock) {
            let spent = clock.spent_before + clock.since.elapsed();
            attempt.spent_millis = u64::try_from(spent.as_millis()).unwrap_or(u64::MAX);
            attempt.lease_expires_at =
                attempt.lease_expires_at.max(Some(self.context.download.lease_expires_at()));
        }
    }

    async fn shut_down(mut self) -> Ending {
        let ending = self.ending.unwrap_or(Ending::Stopped);
        tracing::info!(hands_over = ending == Ending::HandOver, "stopping");
        let context = self.context.clone();
        let stop_workloads = async { context.supervisor.lock().await.stop_all().await };
        self.note_time();
        let stop_work = self.stop_work(SHUTDOWN_TIMEOUT);
        if timeout(SHUTDOWN_TIMEOUT, async { tokio::join!(stop_work, stop_workloads) }).await.is_err() {
            tracing::error!("not everything ended in time; what is left is killed");
        }
        self.state.last_timestamp_millis = self.context.client.last_timestamp().as_millis();
        self.state.clock_offset_millis = self.context.client.clock_offset_millis();
        self.keep_at_the_end(ending);
        ending
    }

    /// Everything that counts was saved before it was acted on. What is lost when the disk takes nothing now is some time of
    /// the attempt, lines of log, and, should a newer agent not stay, one of three states that this one could go on from.
    fn keep_at_the_end(&self, ending: Ending) {
        let (file, logs) = (&self.file, &self.context.logs);
        let keep: [&dyn Fn() -> Result<(), Error>; 3] = [
            &|| file.save(&self.state),
            // A newer agent may write what this one cannot read.
            &|| if ending == Ending::HandOver { file.keep_copy() } else { Ok(()) },
            &|| logs.keep(&self.context.data),
        ];
        for keep in keep {
            if let Err(error) = keep().or_else(|_| keep()) {
                tracing::error!(%error, "not everything can be kept at the end");
            }
        }
    }
}

/// Whether the time that the attempt has used goes on counting; a later attempt's number starts it anew.
fn is_same_attempt(old: &AgentState, new: &AgentState) -> bool {
    match (&old.attempt, &new.attempt) {
        (Some(old), Some(new)) => {
            old.deployment_id == new.deployment_id && old.spent_millis <= new.spent_millis
        }
        (old, new) => old.is_none() && new.is_none(),
    }
}

/// What the running work led to; never, if there is none.
async fn finished(work: &mut Option<Work>) -> Event {
    let Some(running) = work else { return std::future::pending().await };
    let outcome = (&mut running.task).await;
    let (deployment_id, phase) = (running.deployment_id, running.phase);
    *work = None;
    outcome.unwrap_or_else(|error| {
        let failure = Failure::new(FailureCode::Internal, format!("the work ended unexpectedly: {error}"));
        Event::Failed { deployment_id, phase, failure }
    })
}
