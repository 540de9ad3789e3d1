//! The link to the control plane: results first, then a heartbeat, then logs, and again when something changed.

mod ship;

use std::{collections::BTreeSet, sync::Arc, time::Duration};

use kernex_client::Error;
use kernex_core::DeviceId;
use tokio::{
    sync::mpsc,
    time::{Instant, sleep_until},
};
use tokio_util::sync::CancellationToken;

use crate::{
    backoff::{Backoff, around, later_by_up_to},
    context::{Context, Snapshot},
    disk, heartbeat,
    log_queue::MAX_BATCH,
    machine::Event,
    outbox::Outbox,
    vitals::Sampler,
    workload,
};

/// Heartbeats that report a change are at least this far apart.
const MIN_INTERVAL: Duration = Duration::from_secs(1);
/// No answer can silence a device for longer.
const LONGEST_INTERVAL: Duration = Duration::from_secs(86_400);
/// While an attempt is in work, progress is reported at least this often.
const WORKING_INTERVAL: Duration = Duration::from_secs(10);
/// Heartbeats of a fleet spread over this share of the interval, to both sides.
const JITTER: f64 = 0.1;
/// Between batches of lines that have piled up: a fleet that comes back after an outage does not empty its queues at once.
const BATCH_PAUSE: Duration = Duration::from_millis(500);
/// Delays after failures.
const FIRST_RETRY: Duration = Duration::from_secs(1);
const LONGEST_RETRY: Duration = Duration::from_secs(60);

/// Speaks to the control plane until it is stopped.
pub struct Link {
    context: Arc<Context>,
    device_id: DeviceId,
    events: mpsc::Sender<Event>,
    outbox: Outbox,
    sampler: Sampler,
    backoff: Backoff,
    /// Reports that were acknowledged and are about to be taken out of the outbox.
    acknowledged: BTreeSet<(u64, u32)>,
    is_refused: bool,
}

impl Link {
    /// A link for a registered device; what it hears goes to `events`.
    pub fn new(context: Arc<Context>, device_id: DeviceId, events: mpsc::Sender<Event>) -> Self {
        let outbox = Outbox::new(&context.data);
        Self {
            context,
            device_id,
            events,
            outbox,
            sampler: Sampler::default(),
            backoff: Backoff::new(FIRST_RETRY, LONGEST_RETRY),
            acknowledged: BTreeSet::new(),
            is_refused: false,
        }
    }

    /// Works until it is asked to stop.
    pub async fn run(mut self, stop: CancellationToken) {
        loop {
            let began = Instant::now();
            let outcome = tokio::select! {
                outcome = self.speak() => outcome,
                () = stop.cancelled() => return,
            };
            let (next, may_wake) = match outcome {
                Ok(interval) => (began + interval, true),
                Err(error) => (Instant::now() + self.wait_after(&error), false),
            };
            tokio::select! {
                () = self.rest(began, next, may_wake) => {}
                () = stop.cancelled() => return,
            }
        }
    }

    /// Until the next heartbeat is due: earlier when something changed. Lines of log that pile up are shipped meanwhile.
    async fn rest(&mut self, began: Instant, next: Instant, may_wake: bool) {
        let context = self.context.clone();
        let mut next_batch = None;
        loop {
            tokio::select! {
                () = sleep_until(next) => return,
                // After a failure there is no hurry; the backoff protects the control plane.
                () = context.wake.notified(), if may_wake => return sleep_until(next.min(began + MIN_INTERVAL)).await,
                () = context.logs.has_batch(), if may_wake && next_batch.is_none() => {}
                () = sleep_until(next_batch.unwrap_or(next)), if next_batch.is_some() => {
                    // What cannot be shipped now goes with the next heartbeat.
                    if let Err(error) = self.ship_batch().await {
                        tracing::debug!(%error, "lines of log cannot be shipped now");
                        return sleep_until(next).await;
                    }
                }
            }
            let is_piled_up = self.context.logs.len() >= MAX_BATCH;
            next_batch = is_piled_up.then(|| Instant::now() + later_by_up_to(BATCH_PAUSE, 3.0));
        }
    }

    /// Sends what there is; gives the time until the next heartbeat.
    ///
    /// Results or logs that are not taken do not keep the device from its heartbeats.
    async fn speak(&mut self) -> Result<Duration, Error> {
        let results = self.send_results().await;
        let snapshot = self.context.snapshot.borrow().clone();
        workload::scrape(&self.context).await;
        let vitals = self.sampler.sample(self.context.data.root());
        let request = heartbeat::build(&self.context, &snapshot, vitals);
        let answer = self.context.client.heartbeat(&request).await?;
        if std::mem::take(&mut self.is_refused) {
            tracing::info!("the control plane accepts this device again");
        }
        self.context.answered.send_modify(|count| *count += 1);
        if snapshot.trial_interval_secs.is_some() {
            self.tell(Event::Contacted { config_version: snapshot.config_version });
        }
        let now = self.context.client.corrected_now();
        // For people only.
        let _ = disk::touch(&self.context.data.contact(), now);
        for command in answer.commands {
            tracing::debug!(?command, "a command arrived");
            if let Some(event) = heartbeat::event_of(command, &snapshot, now) {
                self.tell(event);
            }
        }
        let interval = interval(&snapshot, answer.next_heartbeat_secs);
        match results.and(self.ship_batch().await) {
            Ok(()) => {
                self.backoff.reset();
                Ok(around(interval, JITTER))
            }
            Err(error) => Ok(self.wait_after(&error).min(interval)),
        }
    }

    /// Tells the runner. When it cannot keep up (its disk is full, say) the event is dropped: commands come again, and so
    /// do results. Gives whether it was told.
    fn tell(&self, event: Event) -> bool {
        self.events.try_send(event).is_ok()
    }

    fn wait_after(&mut self, error: &Error) -> Duration {
        let wait = self.backoff.next_wait(error.retry_after());
        let wait_secs = wait.as_secs_f64();
        if error.status() != Some(401) {
            tracing::warn!(%error, wait_secs, "the control plane cannot be reached or refuses");
        } else if !std::mem::replace(&mut self.is_refused, true) {
            tracing::error!(%error, "the control plane does not accept this device (decommissioned?); the agent keeps trying");
        }
        wait
    }
}

fn interval(snapshot: &Snapshot, answered_secs: u32) -> Duration {
    let answered = Duration::from_secs(u64::from(answered_secs)).clamp(MIN_INTERVAL, LONGEST_INTERVAL);
    let own = Duration::from_secs(u64::from(snapshot.config.polling_interval));
    let interval = if snapshot.own_interval { own.min(answered) } else { answered };
    // A configuration that turns out to cut the device off must not do so for long.
    let trial = snapshot.trial_interval_secs.map(|secs| Duration::from_secs(u64::from(secs)));
    let interval = trial.map_or(interval, |trial| interval.min(trial));
    if snapshot.working.is_some() { interval.min(WORKING_INTERVAL) } else { interval }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_configuration_on_trial_does_not_slow_heartbeats_down() {
        let mut snapshot = Snapshot::default();
        snapshot.config.polling_interval = 86_400;
        assert_eq!(interval(&snapshot, 86_400), Duration::from_secs(86_400));
        snapshot.trial_interval_secs = Some(60);
        assert_eq!(interval(&snapshot, 86_400), Duration::from_secs(60));
        snapshot.config.polling_interval = 5;
        assert_eq!(interval(&snapshot, 5), Duration::from_secs(5));
    }
}
