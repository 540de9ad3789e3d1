//! Tells those who watch that there are new events.
//!
//! One task per replica looks at the database while somebody watches, so that a hundred watchers cost one small query twice a
//! second. It is the same on both databases and needs no channel between replicas: what one of them wrote, the others read.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use kernex_core::UserId;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use crate::AppState;

const LOOK_EVERY: Duration = Duration::from_millis(500);
/// Watchers of one replica, and of one user there.
const MAX_WATCHERS: usize = 500;
const MAX_WATCHERS_OF_USER: usize = 20;

/// The number of the latest event, as far as this replica knows, and who watches.
#[derive(Clone, Debug)]
pub struct EventFeed {
    latest: watch::Sender<u64>,
    watchers: Arc<Mutex<HashMap<UserId, usize>>>,
    closing: CancellationToken,
}

/// A place for one watcher; given back when it goes away.
#[derive(Debug)]
pub struct Place {
    user: UserId,
    watchers: Arc<Mutex<HashMap<UserId, usize>>>,
}

impl Default for EventFeed {
    fn default() -> Self {
        Self { latest: watch::channel(0).0, watchers: Arc::default(), closing: CancellationToken::new() }
    }
}

impl EventFeed {
    /// What changes when there are new events.
    pub fn subscribe(&self) -> watch::Receiver<u64> {
        self.latest.subscribe()
    }

    /// Ends when the server stops.
    pub fn closing(&self) -> CancellationToken {
        self.closing.clone()
    }

    /// A place, if there is one left for this user.
    pub fn take_place(&self, user: UserId) -> Option<Place> {
        let mut watchers = self.watchers.lock().unwrap_or_else(PoisonError::into_inner);
        let own = watchers.get(&user).copied().unwrap_or(0);
        if own >= MAX_WATCHERS_OF_USER || watchers.values().sum::<usize>() >= MAX_WATCHERS {
            return None;
        }
        watchers.insert(user, own + 1);
        Some(Place { user, watchers: Arc::clone(&self.watchers) })
    }

    /// Looks for new events until it is told to stop.
    pub async fn run(&self, state: AppState, stop: CancellationToken) {
        let mut ticks = tokio::time::interval(LOOK_EVERY);
        ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                () = stop.cancelled() => break,
                _ = ticks.tick() => {}
            }
            if self.latest.receiver_count() == 0 {
                continue;
            }
            match look(&state).await {
                Ok(latest) => {
                    self.latest.send_if_modified(|known| std::mem::replace(known, latest) != latest);
                }
                Err(error) => tracing::debug!(error = %error, "events cannot be looked for at the moment"),
            }
        }
        self.closing.cancel();
    }
}

async fn look(state: &AppState) -> kernex_store::Result<u64> {
    state.store().number_events().await?;
    state.store().last_event_seq().await
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut watchers = self.watchers.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(own) = watchers.get_mut(&self.user) {
            *own -= 1;
            if *own == 0 {
                watchers.remove(&self.user);
            }
        }
    }
}
