//! `GET /webhooks`, `GET /webhooks/{id}`

use axum::{Json, extract::State};
use kernex_api::{
    Problem,
    webhooks::{Webhook, WebhookList},
};
use kernex_core::WebhookId;

use super::to_api;
use crate::{
    AppState,
    auth::CurrentUser,
    error::{ApiError, ApiResult},
    extract::PathId,
};

/// List the webhooks, newest first. There are at most 100, so that there are no pages.
#[utoipa::path(get, path = "/webhooks", operation_id = "list_webhooks", tag = "webhooks", security(("bearer" = [])),
    responses((status = 200, body = WebhookList), (status = 403, body = Problem, content_type = "application/problem+json")))]
pub(super) async fn list(State(state): State<AppState>, user: CurrentUser) -> ApiResult<Json<WebhookList>> {
    let webhooks = state.store().list_webhooks(user.org()).await?;
    Ok(Json(WebhookList { webhooks: webhooks.into_iter().map(to_api).collect() }))
}

/// One webhook.
#[utoipa::path(get, path = "/webhooks/{webhook_id}", operation_id = "get_webhook", tag = "webhooks",
    params(("webhook_id" = WebhookId, Path)), security(("bearer" = [])), responses(
    (status = 200, body = Webhook),
    (status = 403, body = Problem, content_type = "application/problem+json"),
    (status = 404, body = Problem, content_type = "application/problem+json"),
))]
pub(super) async fn get(
    State(state): State<AppState>,
    user: CurrentUser,
    PathId(id): PathId<WebhookId>,
) -> ApiResult<Json<Webhook>> {
    let found = state.store().find_webhook(user.org(), id).await?;
    found.map(|record| Json(to_api(record))).ok_or_else(|| ApiError::not_found("webhook", id))
}
