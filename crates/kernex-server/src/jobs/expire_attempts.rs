//! Gives up attempts without progress: the next attempt, or the end.

use anyhow::Context as _;

use crate::AppState;

/// Attempts per tick.
const LIMIT: u32 = 200;

pub(super) async fn tick(state: &AppState) -> anyhow::Result<()> {
    let expired = state.store().expire_attempts(state.now(), LIMIT).await.context("expiring attempts")?;
    if expired > 0 {
        tracing::info!(attempts = expired, "attempts without progress were given up");
        state.telemetry().counter("kernex_attempts_expired_total", &[]).increment(expired);
    }
    Ok(())
}
