//! Webhooks: addresses that are told of events.

mod change;
mod deliveries;
mod read;
pub mod send;

use kernex_api::webhooks::Webhook;
use kernex_store::WebhookRecord;
use url::Url;
use utoipa_axum::{router::OpenApiRouter, routes};

use crate::{
    AppState,
    error::{ApiError, ApiResult},
};

/// Routes under `/webhooks`.
pub fn routes() -> OpenApiRouter<AppState> {
    OpenApiRouter::new()
        .routes(routes!(change::create, read::list))
        .routes(routes!(read::get, change::update, change::delete))
        .routes(routes!(change::rotate_secret))
        .routes(routes!(change::test))
        .routes(routes!(deliveries::list))
        .routes(routes!(deliveries::redeliver))
}

fn to_api(record: WebhookRecord) -> Webhook {
    Webhook {
        id: record.id,
        url: record.url,
        kinds: record.kinds,
        description: record.description,
        enabled: record.is_enabled,
        disabled_reason: record.disabled_reason,
        failing_since: record.failing_since,
        created_by: record.created_by,
        created_at: record.created_at,
        updated_at: record.updated_at,
    }
}

/// The secret that the receiver knows too.
fn secret_of(state: &AppState, record: &WebhookRecord) -> String {
    state.secrets().webhook_secret(&format!("{}:{}", record.id, record.secret_nonce))
}

/// Reads an address; whether it may be spoken to is asked again whenever something is sent.
fn check_url(state: &AppState, text: &str) -> ApiResult<String> {
    let wrong = |why: &dyn std::fmt::Display| ApiError::invalid(format!("url: {why}"));
    let url: Url = text.parse().map_err(|error| wrong(&error))?;
    if !url.username().is_empty() || url.password().is_some() {
        return Err(wrong(&"a user name or password may not stand in it"));
    }
    state.outbound().check(&url).map_err(|error| wrong(&error))?;
    Ok(url.into())
}
