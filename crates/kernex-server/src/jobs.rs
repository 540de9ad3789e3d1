//! Background jobs. Each tick is bounded; every replica runs them, and the rows they change decide who was first.

mod expire_attempts;
mod prune;
mod refresh_keys;
mod sign_checkpoints;
mod sweep_blobs;
mod watch_offline;
mod webhooks;

use std::time::Duration;

use tokio_util::sync::CancellationToken;

use crate::AppState;

/// How often leases are looked at.
const EXPIRE_EVERY: Duration = Duration::from_secs(5);
/// How often missing heartbeats are looked for.
const OFFLINE_EVERY: Duration = Duration::from_secs(10);
/// How often old rows are removed.
const PRUNE_EVERY: Duration = Duration::from_secs(30);
/// How often bytes that no bundle needs are looked for.
const SWEEP_EVERY: Duration = Duration::from_secs(3_600);

/// How often the ends of the audit chains are signed.
const SIGN_EVERY: Duration = Duration::from_secs(3_600);

/// How often keys that somebody changed are looked for.
const REFRESH_EVERY: Duration = Duration::from_secs(5);

/// Runs every job until it is told to stop.
pub async fn run(state: AppState, stop: CancellationToken) {
    let mut expire = tokio::time::interval(EXPIRE_EVERY);
    let beside = (
        tokio::spawn(webhooks::run(state.clone(), stop.clone())),
        tokio::spawn({
            let (state, stop) = (state.clone(), stop.clone());
            async move { state.events().run(state.clone(), stop).await }
        }),
    );
    let mut offline = tokio::time::interval(OFFLINE_EVERY);
    let mut prune = tokio::time::interval(PRUNE_EVERY);
    let mut sweep = tokio::time::interval(SWEEP_EVERY);
    let mut sign = tokio::time::interval(SIGN_EVERY);
    let mut refresh = tokio::time::interval(REFRESH_EVERY);
    let mut keys = refresh_keys::RefreshKeys::default();
    for interval in [&mut expire, &mut offline, &mut prune, &mut sweep, &mut sign, &mut refresh] {
        interval.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    }
    loop {
        let result = tokio::select! {
            () = stop.cancelled() => break,
            _ = expire.tick() => expire_attempts::tick(&state).await,
            _ = offline.tick() => watch_offline::tick(&state).await,
            _ = prune.tick() => prune::tick(&state).await,
            _ = sweep.tick() => sweep_blobs::tick(&state).await,
            _ = sign.tick() => sign_checkpoints::tick(&state).await,
            _ = refresh.tick() => keys.tick(&state).await,
        };
        if let Err(error) = result {
            tracing::warn!(error = %format!("{error:#}"), "a background job failed and will be tried again");
        }
    }
    let (webhooks, events) = beside;
    let _ = tokio::join!(webhooks, events);
}
