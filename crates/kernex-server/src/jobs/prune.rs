//! Removes rows that are older than their retention, a bounded number per tick.

use anyhow::Context as _;

use crate::AppState;

/// Rows of a kind per tick.
const LIMIT: u32 = 5_000;
/// The log of webhooks' deliveries is kept for a week.
const DELIVERY_RETENTION_DAYS: i64 = 7;
const DAY_SECS: i64 = 24 * 60 * 60;

pub(super) async fn tick(state: &AppState) -> anyhow::Result<()> {
    let (store, settings, now) = (state.store(), state.settings(), state.now());
    let heartbeats = now.plus_secs(-DAY_SECS * i64::from(settings.heartbeat_retention_days));
    store.prune_heartbeats(heartbeats, LIMIT).await.context("pruning heartbeats")?;
    let logs = now.plus_secs(-DAY_SECS * i64::from(settings.log_retention_days));
    store.prune_logs(logs, LIMIT).await.context("pruning logs")?;
    store.prune_idempotency_keys(now).await.context("pruning idempotency keys")?;
    let events = now.plus_secs(-DAY_SECS * i64::from(settings.event_retention_days));
    store.prune_events(events, LIMIT).await.context("pruning events")?;
    store.prune_target_steps(events, LIMIT).await.context("pruning steps of targets")?;
    let deliveries = now.plus_secs(-DAY_SECS * DELIVERY_RETENTION_DAYS);
    store.prune_deliveries(deliveries, LIMIT).await.context("pruning deliveries")?;
    // Rows that a replica of an older version wrote while both ran.
    store.fill_version_keys().await.context("computing keys of versions")?;
    state.telemetry().run_upkeep();
    Ok(())
}
