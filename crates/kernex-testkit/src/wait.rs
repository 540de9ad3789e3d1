//! Waiting for a thing instead of for a while.

use std::time::Duration;

use tokio::time::{Instant, sleep};

/// How often is asked.
const INTERVAL: Duration = Duration::from_millis(20);

/// Asks until there is an answer; fails the test, naming what was missing, when the deadline has passed.
#[track_caller]
pub fn wait_for<T>(
    what: &str,
    deadline: Duration,
    mut ask: impl AsyncFnMut() -> Option<T>,
) -> impl Future<Output = T> {
    let location = std::panic::Location::caller();
    async move {
        let end = Instant::now() + deadline;
        loop {
            if let Some(answer) = ask().await {
                return answer;
            }
            assert!(Instant::now() < end, "{what}: not within {deadline:?} (at {location})");
            sleep(INTERVAL).await;
        }
    }
}
