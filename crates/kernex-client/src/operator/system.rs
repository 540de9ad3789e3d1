//! Health and statistics.

use kernex_api::system::{Health, Stats};

use super::OperatorClient;
use crate::Error;

impl OperatorClient {
    /// `GET /health`; needs no token. A failing control plane answers with an error.
    pub async fn health(&self) -> Result<Health, Error> {
        self.get(&["health"]).await
    }

    /// `GET /devices/stats`.
    pub async fn stats(&self) -> Result<Stats, Error> {
        self.get(&["devices", "stats"]).await
    }
}
