//! `GET /groups`

use axum::{Json, extract::State};
use kernex_api::{Problem, groups::GroupList};
use serde::Deserialize;
use utoipa::IntoParams;

use super::to_api;
use crate::{AppState, auth::CurrentUser, error::ApiResult, extract::QueryParams};

#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub(super) struct ListParams {
    /// Only groups that follow this channel.
    channel: Option<String>,
}

/// List the groups, by name. There are at most 1000, so that there are no pages.
#[utoipa::path(get, path = "/groups", operation_id = "list_groups", tag = "groups", params(ListParams), responses(
    (status = 200, body = GroupList),
    (status = 401, body = Problem, content_type = "application/problem+json"),
))]
pub(super) async fn list(
    State(state): State<AppState>,
    user: CurrentUser,
    QueryParams(params): QueryParams<ListParams>,
) -> ApiResult<Json<GroupList>> {
    let groups = state.store().list_groups(user.org(), params.channel.as_deref()).await?;
    Ok(Json(GroupList { groups: groups.into_iter().map(to_api).collect() }))
}
