//! `POST /webhooks`, `PATCH, DELETE /webhooks/{id}`, `POST /webhooks/{id}/rotate-secret`, `/test`

use axum::{Json, extract::State};
use http::StatusCode;
use kernex_api::{
    Problem,
    webhooks::{CreateWebhookRequest, UpdateWebhookRequest, Webhook, WebhookDelivery, WebhookWithSecret},
};
use kernex_core::WebhookId;
use kernex_store::{MAX_WEBHOOKS, WebhookRecord, WebhookUpdate};

use super::{check_url, deliveries, secret_of, send, to_api};
use crate::{
    AppState,
    auth::CurrentUser,
    devices::check_text,
    error::{ApiError, ApiResult},
    extract::{JsonBody, PathId},
    secrets::random_token,
};

const MAX_DESCRIPTION_BYTES: usize = 1_000;

/// Make a webhook: events are sent to its address from now on. The secret is shown this once.
#[utoipa::path(post, path = "/webhooks", operation_id = "create_webhook", tag = "webhooks",
    request_body = CreateWebhookRequest, security(("bearer" = [])), responses(
    (status = 201, body = WebhookWithSecret),
    (status = 400, body = Problem, content_type = "application/problem+json"),
    (status = 403, body = Problem, content_type = "application/problem+json"),
    (status = 409, body = Problem, content_type = "application/problem+json"),
))]
pub(super) async fn create(
    State(state): State<AppState>,
    user: CurrentUser,
    body: JsonBody<CreateWebhookRequest>,
) -> ApiResult<(StatusCode, Json<WebhookWithSecret>)> {
    let request = body.value;
    check_text("description", request.description.as_deref().unwrap_or(""), MAX_DESCRIPTION_BYTES)?;
    let now = state.now();
    let record = WebhookRecord {
        id: WebhookId::generate(now),
        url: check_url(&state, &request.url)?,
        description: request.description.filter(|text| !text.is_empty()),
        kinds: request.kinds,
        secret_nonce: random_token(),
        is_enabled: true,
        disabled_reason: None,
        failing_since: None,
        created_by: user.name().to_owned(),
        created_at: now,
        updated_at: now,
    };
    if !state.store().create_webhook(user.org(), &record).await? {
        return Err(ApiError::conflict(format!(
            "there are {MAX_WEBHOOKS} webhooks already, which is the most"
        )));
    }
    tracing::info!(webhook.id = %record.id, user.id = %user.user().id, "webhook created");
    Ok((StatusCode::CREATED, Json(with_secret(&state, record))))
}

/// Change a webhook. A missing field keeps its value.
#[utoipa::path(patch, path = "/webhooks/{webhook_id}", operation_id = "update_webhook", tag = "webhooks",
    params(("webhook_id" = WebhookId, Path)), request_body = UpdateWebhookRequest, security(("bearer" = [])), responses(
    (status = 200, body = Webhook),
    (status = 400, body = Problem, content_type = "application/problem+json"),
    (status = 403, body = Problem, content_type = "application/problem+json"),
    (status = 404, body = Problem, content_type = "application/problem+json"),
))]
pub(super) async fn update(
    State(state): State<AppState>,
    user: CurrentUser,
    PathId(id): PathId<WebhookId>,
    body: JsonBody<UpdateWebhookRequest>,
) -> ApiResult<Json<Webhook>> {
    let request = body.value;
    check_text("description", request.description.as_deref().unwrap_or(""), MAX_DESCRIPTION_BYTES)?;
    let update = WebhookUpdate {
        url: request.url.map(|url| check_url(&state, &url)).transpose()?,
        description: request.description.map(|text| Some(text).filter(|text| !text.is_empty())),
        kinds: request.kinds,
        is_enabled: request.enabled,
        secret_nonce: None,
    };
    let changed = state.store().update_webhook(user.org(), id, &update, state.now()).await?;
    changed.map(|record| Json(to_api(record))).ok_or_else(|| ApiError::not_found("webhook", id))
}

/// Remove a webhook and the log of its deliveries.
#[utoipa::path(delete, path = "/webhooks/{webhook_id}", operation_id = "delete_webhook", tag = "webhooks",
    params(("webhook_id" = WebhookId, Path)), security(("bearer" = [])), responses(
    (status = 204),
    (status = 403, body = Problem, content_type = "application/problem+json"),
    (status = 404, body = Problem, content_type = "application/problem+json"),
))]
pub(super) async fn delete(
    State(state): State<AppState>,
    user: CurrentUser,
    PathId(id): PathId<WebhookId>,
) -> ApiResult<StatusCode> {
    if state.store().delete_webhook(user.org(), id).await? {
        return Ok(StatusCode::NO_CONTENT);
    }
    Err(ApiError::not_found("webhook", id))
}

/// Give a webhook a new secret, which is shown this once; the old one does not count any more.
#[utoipa::path(post, path = "/webhooks/{webhook_id}/rotate-secret", operation_id = "rotate_webhook_secret",
    tag = "webhooks", params(("webhook_id" = WebhookId, Path)), security(("bearer" = [])), responses(
    (status = 200, body = WebhookWithSecret),
    (status = 403, body = Problem, content_type = "application/problem+json"),
    (status = 404, body = Problem, content_type = "application/problem+json"),
))]
pub(super) async fn rotate_secret(
    State(state): State<AppState>,
    user: CurrentUser,
    PathId(id): PathId<WebhookId>,
) -> ApiResult<Json<WebhookWithSecret>> {
    let update = WebhookUpdate { secret_nonce: Some(random_token()), ..WebhookUpdate::default() };
    let changed = state.store().update_webhook(user.org(), id, &update, state.now()).await?;
    let record = changed.ok_or_else(|| ApiError::not_found("webhook", id))?;
    Ok(Json(with_secret(&state, record)))
}

/// Send a test to a webhook now, and say what came of it. It is not in the log and is not tried again.
#[utoipa::path(post, path = "/webhooks/{webhook_id}/test", operation_id = "test_webhook", tag = "webhooks",
    params(("webhook_id" = WebhookId, Path)), security(("bearer" = [])), responses(
    (status = 200, body = WebhookDelivery),
    (status = 403, body = Problem, content_type = "application/problem+json"),
    (status = 404, body = Problem, content_type = "application/problem+json"),
))]
pub(super) async fn test(
    State(state): State<AppState>,
    user: CurrentUser,
    PathId(id): PathId<WebhookId>,
) -> ApiResult<Json<WebhookDelivery>> {
    let record = state.store().find_webhook(user.org(), id).await?;
    let record = record.ok_or_else(|| ApiError::not_found("webhook", id))?;
    let due = send::sample(&record, user.org(), state.now());
    let attempt = send::send(&state, &due).await;
    Ok(Json(deliveries::after(due.delivery, &attempt, state.now())))
}

fn with_secret(state: &AppState, record: WebhookRecord) -> WebhookWithSecret {
    let secret = secret_of(state, &record);
    WebhookWithSecret { webhook: to_api(record), secret }
}
