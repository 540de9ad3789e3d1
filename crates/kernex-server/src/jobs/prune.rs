//! Removes rows that are older than their retention, a bounded number per tick.

use anyhow::Context as _;

use crate::AppState;

/// Rows of a kind per tick.
const LIMIT: u32 = 5_000;
const DAY_SECS: i64 = 24 * 60 * 60;

pub(super) async fn tick(state: &AppState) -> anyhow::Result<()> {
    let (store, settings, now) = (state.store(), state.settings(), state.now());
    let heartbeats = now.plus_secs(-DAY_SECS * i64::from(settings.heartbeat_retention_days));
    store.prune_heartbeats(heartbeats, LIMIT).await.context("pruning heartbeats")?;
    let logs = now.plus_secs(-DAY_SECS * i64::from(settings.log_retention_days));
    store.prune_logs(logs, LIMIT).await.context("pruning logs")?;
    store.prune_idempotency_keys(now).await.context("pruning idempotency keys")?;
    // Rows that a replica of an older version wrote while both ran.
    store.fill_version_keys().await.context("computing keys of versions")?;
    state.telemetry().run_upkeep();
    Ok(())
}
