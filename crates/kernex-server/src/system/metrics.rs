//! `GET /metrics`

use axum::{extract::State, response::IntoResponse};
use http::header;

use crate::AppState;

/// Counts in Prometheus' text form. Without a login: it holds no names of devices or people.
#[utoipa::path(get, path = "/metrics", tag = "system", responses((status = 200, body = String, content_type = "text/plain")))]
pub(super) async fn metrics(State(state): State<AppState>) -> impl IntoResponse {
    match state.store().count_devices(state.now()).await {
        Ok(by_status) => state.telemetry().show_devices(&by_status),
        Err(error) => tracing::warn!(error = %error, "devices could not be counted"),
    }
    ([(header::CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")], state.telemetry().render())
}
