//! `GET /health`, `/api/v1/health`, `/health/live`, `/health/ready`

use std::{collections::BTreeMap, time::Duration};

use axum::{
    Json,
    extract::State,
    response::{IntoResponse as _, Response},
};
use http::StatusCode;
use kernex_api::system::{Health, HealthCheck, HealthStatus};

use crate::AppState;

/// A check that takes longer has failed.
const DEADLINE: Duration = Duration::from_secs(5);
/// With less free space than this the disk counts as full.
const MIN_FREE_BYTES: u64 = 64 << 20;

/// Whether the control plane and all it needs works.
#[utoipa::path(get, path = "/health", tag = "system", responses((status = 200, body = Health), (status = 503, body = Health)))]
pub(super) async fn health(State(state): State<AppState>) -> Response {
    answer(check_all(&state).await)
}

/// The same as `/health`.
#[utoipa::path(get, path = "/health", operation_id = "api_health", tag = "system",
    responses((status = 200, body = Health), (status = 503, body = Health)))]
pub(super) async fn api_health(State(state): State<AppState>) -> Response {
    answer(check_all(&state).await)
}

/// Whether requests should be sent here: the same checks as `/health`.
#[utoipa::path(get, path = "/health/ready", tag = "system", responses((status = 200, body = Health), (status = 503, body = Health)))]
pub(super) async fn ready(State(state): State<AppState>) -> Response {
    answer(check_all(&state).await)
}

/// Whether the program runs at all; it asks nothing else.
#[utoipa::path(get, path = "/health/live", tag = "system", responses((status = 200, body = Health)))]
pub(super) async fn live() -> Json<Health> {
    Json(summary(BTreeMap::new()))
}

fn answer(health: Health) -> Response {
    let status = match health.status {
        HealthStatus::Ok => StatusCode::OK,
        HealthStatus::Failing => StatusCode::SERVICE_UNAVAILABLE,
    };
    (status, Json(health)).into_response()
}

fn summary(checks: BTreeMap<String, HealthCheck>) -> Health {
    let failing = checks.values().any(|check| check.status == HealthStatus::Failing);
    let status = if failing { HealthStatus::Failing } else { HealthStatus::Ok };
    Health { status, version: env!("CARGO_PKG_VERSION").to_owned(), checks }
}

async fn check_all(state: &AppState) -> Health {
    let (store, blobs) = (state.store(), state.blobs().clone());
    let database = tokio::time::timeout(DEADLINE, store.check());
    let disk = tokio::task::spawn_blocking(move || (blobs.check(), blobs.space()));
    let (database, disk) = tokio::join!(database, tokio::time::timeout(DEADLINE, disk));
    let database = match database {
        Ok(Ok(())) => passing(store.kind().to_owned()),
        Ok(Err(error)) => {
            tracing::warn!(error = %error, "health check of the database failed");
            failing("the database does not answer or cannot be written".to_owned())
        }
        Err(_) => failing("the database does not answer in time".to_owned()),
    };
    let (storage, disk) = match disk {
        Ok(Ok((storage, space))) => (storage, space),
        _ => (Err(kernex_blobs::Error::Io(std::io::ErrorKind::TimedOut.into())), Ok((0, 0))),
    };
    let storage = storage.map_or_else(|error| failing(error.to_string()), |()| passing("disk".to_owned()));
    let disk = match disk {
        Ok((free, total)) if free >= MIN_FREE_BYTES => passing(format!("{free} of {total} bytes free")),
        Ok((free, total)) => failing(format!("only {free} of {total} bytes free")),
        Err(error) => failing(error.to_string()),
    };
    summary(
        [("database", database), ("storage", storage), ("disk", disk)].map(|(k, v)| (k.to_owned(), v)).into(),
    )
}

fn passing(detail: String) -> HealthCheck {
    HealthCheck { status: HealthStatus::Ok, detail: Some(detail) }
}

fn failing(detail: String) -> HealthCheck {
    HealthCheck { status: HealthStatus::Failing, detail: Some(detail) }
}
