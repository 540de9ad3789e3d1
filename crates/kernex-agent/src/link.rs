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
    backoff::{Backoff, around},
    context::Context,
    disk, heartbeat,
    machine::Event,
    outbox::Outbox,
    state::Phase,
    vitals::Sampler,
};

/// Heartbeats that report a change are at least this far apart.
const MIN_INTERVAL: Duration = Duration::from_secs(1);
/// While an attempt is in work, progress is reported at least this often.
const WORKING_INTERVAL: Duration = Duration::from_secs(10);
/// Heartbeats of a fleet spread over this share of the interval, to both sides.
const JITTER: f64 = 0.1;
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
                () = sleep_until(next) => {}
                // After a failure there is no hurry; the backoff protects the control plane.
                () = self.context.wake.notified(), if may_wake => {
                    sleep_until(next.min(began + MIN_INTERVAL)).await;
                }
                () = stop.cancelled() => return,
            }
        }
    }

    /// Sends what there is; gives the time until the next heartbeat.
    async fn speak(&mut self) -> Result<Duration, Error> {
        self.send_results().await?;
        let snapshot = self.context.snapshot.borrow().clone();
        let vitals = self.sampler.sample(self.context.data.root());
        let request = heartbeat::build(&self.context, &snapshot, vitals).await;
        let answer = self.context.client.heartbeat(&request).await?;
        if self.backoff.has_failed() {
            tracing::info!("the control plane answers again");
        }
        self.is_refused = false;
        self.backoff.reset();
        let now = self.context.client.corrected_now();
        let _ = disk::touch(&self.context.data.contact(), now);
        for command in answer.commands {
            tracing::debug!(?command, "a command arrived");
            if let Some(event) = heartbeat::event_of(command, &snapshot, now) {
                self.tell(event).await;
            }
        }
        self.ship_logs().await?;
        let answered = Duration::from_secs(u64::from(answer.next_heartbeat_secs.max(1)));
        let own = Duration::from_secs(u64::from(snapshot.config.polling_interval));
        let interval = if snapshot.own_interval { own.min(answered) } else { answered };
        let is_working = snapshot.working.as_ref().is_some_and(|(_, phase)| *phase != Phase::RollingBack);
        Ok(around(if is_working { interval.min(WORKING_INTERVAL) } else { interval }, JITTER))
    }

    async fn tell(&self, event: Event) {
        // The runner is gone only when the agent stops.
        let _ = self.events.send(event).await;
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
