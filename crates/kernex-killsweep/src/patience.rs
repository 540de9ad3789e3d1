//! A control plane on a machine that is busy with a hundred agents may say 503: nothing was changed, and it is asked again.

use std::time::Duration;

use kernex_client::Error;
use tokio::time::{Instant, sleep};

/// For longer than this nothing is only busy.
const LIMIT: Duration = Duration::from_secs(240);
const PAUSE: Duration = Duration::from_millis(200);

/// Asks until there is an answer.
pub(crate) async fn patiently<T>(ask: impl AsyncFn() -> Result<T, Error>) -> Result<T, Error> {
    let end = Instant::now() + LIMIT;
    loop {
        match ask().await {
            Err(error) if error.status() == Some(503) && Instant::now() < end => sleep(PAUSE).await,
            outcome => return outcome,
        }
    }
}
