//! Events: read page by page, or watched over a WebSocket.

mod feed;
mod list;
mod stream;

use kernex_api::events::Event;
use kernex_store::EventRecord;
use utoipa_axum::{router::OpenApiRouter, routes};

use crate::{AppState, auth::CurrentUser, devices::selector, error::ApiResult};

pub use feed::EventFeed;

/// Routes under `/events`.
pub fn routes() -> OpenApiRouter<AppState> {
    OpenApiRouter::new().routes(routes!(list::events))
}

/// Whether a user may see an event: who is limited to certain devices sees what happens to those.
async fn is_shown(state: &AppState, user: &CurrentUser, event: &EventRecord) -> ApiResult<bool> {
    if user.standing().device_selector.is_none() {
        return Ok(true);
    }
    match event.device_id {
        Some(device) => selector::reaches(state, user, device).await,
        None => Ok(false),
    }
}

/// An event as the API shows it.
pub fn to_api(record: EventRecord) -> Event {
    Event {
        id: record.seq,
        kind: record.kind,
        occurred_at: record.occurred_at,
        device_id: record.device_id,
        deployment_id: record.deployment_id,
        actor: record.actor,
        data: record.data,
    }
}
