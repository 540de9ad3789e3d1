//! `GET /bundles`

use axum::{Json, extract::State};
use kernex_api::{Problem, bundles::BundleList};
use kernex_core::BundleName;
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
    /// Bundles of this name.
    name: Option<String>,
}

/// List bundles, newest first.
#[utoipa::path(get, path = "/bundles", operation_id = "list_bundles", tag = "bundles", params(ListParams),
    responses(
    (status = 200, body = BundleList),
    (status = 400, body = Problem, content_type = "application/problem+json"),
))]
pub(super) async fn list(
    State(state): State<AppState>,
    user: CurrentUser,
    QueryParams(params): QueryParams<ListParams>,
) -> ApiResult<Json<BundleList>> {
    let (limit, after) = (page_limit(params.limit)?, cursor(params.cursor.as_deref())?);
    let name: Option<BundleName> = word("name", params.name.as_deref())?;
    let (records, total) = state.store().list_bundles(user.org(), name.as_ref(), after, limit).await?;
    let next_cursor = next_cursor(&records, limit, |record| record.id);
    Ok(Json(BundleList { bundles: records.into_iter().map(to_api).collect(), total, next_cursor }))
}
