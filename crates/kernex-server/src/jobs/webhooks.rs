//! Makes deliveries of events and sends them. Every replica does; a delivery is taken by one of them for a while.

use std::time::Duration;

use anyhow::Context as _;
use futures_util::{StreamExt as _, stream};
use tokio_util::sync::CancellationToken;

use crate::{AppState, webhooks::send};

const LOOK_EVERY: Duration = Duration::from_secs(2);
/// Taken at once, and sent at the same time: a slow receiver holds up a few others, for seconds.
const BATCH: u32 = 64;
const AT_ONCE: usize = 16;

/// Runs until it is told to stop, beside the other jobs, because receivers may be slow.
pub(super) async fn run(state: AppState, stop: CancellationToken) {
    let mut ticks = tokio::time::interval(LOOK_EVERY);
    ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            () = stop.cancelled() => return,
            _ = ticks.tick() => {}
        }
        tokio::select! {
            () = stop.cancelled() => return, // what is being sent is sent again when its minute is over
            result = tick(&state) => if let Err(error) = result {
                tracing::warn!(error = %format!("{error:#}"), "webhooks could not be told and will be later");
            }
        }
    }
}

async fn tick(state: &AppState) -> anyhow::Result<()> {
    let store = state.store();
    store.make_deliveries(state.now(), send::body).await.context("making deliveries")?;
    let due = store.take_deliveries(BATCH, state.now()).await.context("taking deliveries")?;
    let sent = stream::iter(due).map(|due| async move {
        let attempt = send::send(state, &due).await;
        let outcome = if attempt.error.is_none() { "delivered" } else { "failed" };
        state.telemetry().counter("kernex_webhook_attempts_total", &[("outcome", outcome)]).increment(1);
        store.settle_delivery(&due, &attempt, state.now()).await.map(|disabled| {
            if disabled {
                tracing::warn!(webhook.id = %due.webhook.id, "webhook switched off: nothing got through for three days");
            }
        })
    });
    let mut results = sent.buffer_unordered(AT_ONCE);
    while let Some(result) = results.next().await {
        result.context("noting what became of a delivery")?;
    }
    Ok(())
}
