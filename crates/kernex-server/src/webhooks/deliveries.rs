//! `GET /webhooks/{id}/deliveries`, `POST /webhooks/{id}/deliveries/{delivery_id}/redeliver`

use axum::{
    Json,
    extract::{Path, State},
};
use http::StatusCode;
use kernex_api::{
    Problem,
    webhooks::{WebhookDelivery, WebhookDeliveryList},
};
use kernex_core::{Timestamp, WebhookDeliveryId, WebhookId};
use kernex_store::{Attempt, DeliveryRecord};

use crate::{
    AppState,
    auth::CurrentUser,
    error::{ApiError, ApiResult},
    extract::{PathId, QueryParams},
    pagination::{PageParams, cursor, next_cursor, page_limit},
};

/// What was sent to a webhook and what came of it, newest first. Kept for a week.
#[utoipa::path(get, path = "/webhooks/{webhook_id}/deliveries", operation_id = "list_webhook_deliveries", tag = "webhooks",
    params(("webhook_id" = WebhookId, Path), PageParams), security(("bearer" = [])), responses(
    (status = 200, body = WebhookDeliveryList),
    (status = 403, body = Problem, content_type = "application/problem+json"),
    (status = 404, body = Problem, content_type = "application/problem+json"),
))]
pub(super) async fn list(
    State(state): State<AppState>,
    user: CurrentUser,
    PathId(id): PathId<WebhookId>,
    QueryParams(params): QueryParams<PageParams>,
) -> ApiResult<Json<WebhookDeliveryList>> {
    let found = state.store().find_webhook(user.org(), id).await?;
    found.ok_or_else(|| ApiError::not_found("webhook", id))?;
    let limit = page_limit(params.limit)?;
    let before = cursor(params.cursor.as_deref())?;
    let records = state.store().list_deliveries(user.org(), id, before, limit).await?;
    let next_cursor = next_cursor(&records, limit, |record| record.id);
    Ok(Json(WebhookDeliveryList { deliveries: records.into_iter().map(to_api).collect(), next_cursor }))
}

/// Send a delivery once more, whatever became of it; soon, not at once.
#[utoipa::path(post, path = "/webhooks/{webhook_id}/deliveries/{delivery_id}/redeliver",
    operation_id = "redeliver_webhook_delivery", tag = "webhooks",
    params(("webhook_id" = WebhookId, Path), ("delivery_id" = WebhookDeliveryId, Path)), security(("bearer" = [])), responses(
    (status = 202),
    (status = 403, body = Problem, content_type = "application/problem+json"),
    (status = 404, body = Problem, content_type = "application/problem+json"),
))]
pub(super) async fn redeliver(
    State(state): State<AppState>,
    user: CurrentUser,
    Path((webhook, delivery)): Path<(String, String)>,
) -> ApiResult<StatusCode> {
    let not_found = || ApiError::not_found("delivery", &delivery);
    let webhook: WebhookId = webhook.parse().map_err(|_| not_found())?;
    let id: WebhookDeliveryId = delivery.parse().map_err(|_| not_found())?;
    if state.store().redeliver(user.org(), webhook, id, state.now()).await? {
        return Ok(StatusCode::ACCEPTED);
    }
    Err(not_found())
}

fn to_api(record: DeliveryRecord) -> WebhookDelivery {
    WebhookDelivery {
        id: record.id,
        event_id: record.event_seq,
        kind: record.kind,
        state: record.state,
        attempts: record.attempts,
        due_at: record.due_at,
        last_attempt_at: record.last_attempt_at,
        last_status: record.last_status,
        last_error: record.last_error,
        duration_ms: record.duration_ms,
        created_at: record.created_at,
        body: serde_json::from_str(&record.body).unwrap_or_default(),
    }
}

/// A delivery that is not in the log, after its only attempt.
pub(super) fn after(record: DeliveryRecord, attempt: &Attempt, now: Timestamp) -> WebhookDelivery {
    let state = if attempt.error.is_none() { "delivered" } else { "failed" };
    WebhookDelivery {
        state: state.to_owned(),
        attempts: 1,
        last_attempt_at: Some(now),
        last_status: attempt.status.map(i64::from),
        last_error: attempt.error.clone(),
        duration_ms: i64::try_from(attempt.duration_ms).ok(),
        due_at: None,
        ..to_api(record)
    }
}
