//! Health, statistics, metrics, schemas.

mod health;
mod metrics;
mod schemas;
mod stats;

use utoipa_axum::{router::OpenApiRouter, routes};

use crate::AppState;

/// Routes under the API's base path.
pub fn api_routes() -> OpenApiRouter<AppState> {
    OpenApiRouter::new()
        .routes(routes!(stats::stats))
        .routes(routes!(schemas::manifest_schema))
        .routes(routes!(health::api_health))
}

/// Routes at the root.
pub fn root_routes() -> OpenApiRouter<AppState> {
    OpenApiRouter::new()
        .routes(routes!(health::health))
        .routes(routes!(health::live))
        .routes(routes!(health::ready))
        .routes(routes!(metrics::metrics))
}
