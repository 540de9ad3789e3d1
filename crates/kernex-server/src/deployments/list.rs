//! `GET /deployments`

use axum::{Json, extract::State};
use kernex_api::{Problem, deployments::DeploymentList};
use serde::Deserialize;
use utoipa::IntoParams;

use super::to_api;
use crate::{
    AppState,
    auth::CurrentUser,
    error::ApiResult,
    extract::QueryParams,
    pagination::{cursor, next_cursor, page_limit, word},
};

#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub(super) struct ListParams {
    /// Rows on a page, 1 to 200; 50 when absent.
    limit: Option<u32>,
    /// `next_cursor` of the page before.
    cursor: Option<String>,
    /// `pending`, `in_progress`, `paused`, `success`, `failed`, `rolled_back` or `cancelled`.
    status: Option<String>,
}

/// List deployments, newest first.
#[utoipa::path(get, path = "/deployments", operation_id = "list_deployments", tag = "deployments", params(ListParams),
    responses(
    (status = 200, body = DeploymentList),
    (status = 400, body = Problem, content_type = "application/problem+json"),
))]
pub(super) async fn list(
    State(state): State<AppState>,
    user: CurrentUser,
    QueryParams(params): QueryParams<ListParams>,
) -> ApiResult<Json<DeploymentList>> {
    let (limit, after) = (page_limit(params.limit)?, cursor(params.cursor.as_deref())?);
    let status = word("status", params.status.as_deref())?;
    let (records, total) = state.store().list_deployments(user.org(), status, after, limit).await?;
    let next_cursor = next_cursor(&records, limit, |record| record.id);
    Ok(Json(DeploymentList { deployments: records.into_iter().map(to_api).collect(), total, next_cursor }))
}
