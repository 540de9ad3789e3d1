//! `GET /events`

use axum::{
    Json,
    extract::{
        State,
        ws::{WebSocketUpgrade, rejection::WebSocketUpgradeRejection},
    },
    response::{IntoResponse as _, Response},
};
use http::{HeaderMap, header};
use kernex_api::{Problem, events::EventList};
use kernex_core::{DeploymentId, DeviceId, EventKind};
use kernex_store::EventFilter;
use serde::Deserialize;
use utoipa::IntoParams;

use super::{is_shown, stream, to_api};
use crate::{
    AppState,
    auth::CurrentUser,
    error::{ApiError, ApiResult},
    extract::QueryParams,
    pagination::{cursor, next_cursor, page_limit},
};

#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub(super) struct EventParams {
    /// Rows on a page, 1 to 200; 50 when absent.
    limit: Option<u32>,
    /// `next_cursor` of the page before.
    cursor: Option<String>,
    /// Events after this number, oldest first. Over a WebSocket: where to go on; what happens from now on when absent.
    pub(super) after: Option<u64>,
    /// Kinds of events, separated by commas, such as `device.offline,deployment.ended`.
    kind: Option<String>,
    /// Only about this device.
    device_id: Option<DeviceId>,
    /// Only about this deployment.
    deployment_id: Option<DeploymentId>,
}

/// Read what happened, or watch it.
///
/// With `Upgrade: websocket` the connection stays open and tells events as they happen, one JSON text each (`EventMessage`),
/// the first of which is `hello`. A client that was cut off connects again with the last event's `id` as `after`, and misses
/// nothing. Without it, one page: newest first, or oldest first from `after` on.
#[utoipa::path(get, path = "/events", operation_id = "list_events", tag = "events", params(EventParams),
    security(("bearer" = [])), responses(
    (status = 101, description = "WebSocket"),
    (status = 200, body = EventList),
    (status = 400, body = Problem, content_type = "application/problem+json"),
    (status = 401, body = Problem, content_type = "application/problem+json"),
    (status = 403, body = Problem, content_type = "application/problem+json"),
    (status = 429, body = Problem, content_type = "application/problem+json"),
))]
pub(super) async fn events(
    State(state): State<AppState>,
    user: CurrentUser,
    headers: HeaderMap,
    upgrade: Result<WebSocketUpgrade, WebSocketUpgradeRejection>,
    QueryParams(params): QueryParams<EventParams>,
) -> ApiResult<Response> {
    let filter = filter(&params)?;
    match upgrade {
        Ok(upgrade) => {
            require_own_origin(&headers)?;
            stream::open(state, user, upgrade, filter, params.after).await
        }
        Err(_) if headers.contains_key(header::UPGRADE) => {
            Err(ApiError::invalid("Upgrade: this is no WebSocket handshake of version 13"))
        }
        Err(_) => page(&state, &user, &params, &filter).await,
    }
}

async fn page(
    state: &AppState,
    user: &CurrentUser,
    params: &EventParams,
    filter: &EventFilter,
) -> ApiResult<Response> {
    let limit = page_limit(params.limit)?;
    let from: Option<u64> = cursor(params.cursor.as_deref())?;
    let store = state.store();
    store.number_events().await?;
    let last_event_id = store.last_event_seq().await?;
    let records = match params.after {
        Some(after) => store.list_events_after(user.org(), filter, from.unwrap_or(after), limit).await?,
        None => store.list_events_before(user.org(), filter, from, limit).await?,
    };
    let next_cursor = next_cursor(&records, limit, |record| record.seq);
    let mut events = Vec::with_capacity(records.len());
    for record in records {
        if is_shown(state, user, &record).await? {
            events.push(to_api(record));
        }
    }
    Ok(Json(EventList { events, last_event_id, next_cursor }).into_response())
}

fn filter(params: &EventParams) -> ApiResult<EventFilter> {
    let kinds = params.kind.as_deref().unwrap_or("").split(',').filter(|word| !word.is_empty());
    let kinds: Result<Vec<EventKind>, _> = kinds.map(str::parse).collect();
    Ok(EventFilter {
        device_id: params.device_id,
        deployment_id: params.deployment_id,
        kinds: kinds.map_err(|error| ApiError::invalid(format!("kind: {error}")))?,
    })
}

/// A page of another site can open a WebSocket here with the user's cookie, and read it, unless this is refused.
fn require_own_origin(headers: &HeaderMap) -> ApiResult<()> {
    let text = |name: http::HeaderName| headers.get(name).and_then(|value| value.to_str().ok());
    let Some(origin) = text(header::ORIGIN) else { return Ok(()) };
    let host = origin.split_once("://").map(|(_, host)| host);
    if host.is_some() && host == text(header::HOST) {
        return Ok(());
    }
    Err(ApiError::forbidden(kernex_api::ErrorCode::Forbidden, "Origin: the page comes from another site"))
}
