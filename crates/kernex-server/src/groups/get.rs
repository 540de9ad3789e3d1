//! `GET /groups/{id}`

use axum::{Json, extract::State};
use kernex_api::{Problem, groups::Group};
use kernex_core::GroupId;

use super::{selector_of, to_api};
use crate::{
    AppState,
    auth::CurrentUser,
    error::{ApiError, ApiResult},
    extract::PathId,
};

/// One group, with how many devices are in it now.
#[utoipa::path(get, path = "/groups/{group_id}", operation_id = "get_group", tag = "groups",
    params(("group_id" = GroupId, Path)), responses(
    (status = 200, body = Group),
    (status = 404, body = Problem, content_type = "application/problem+json"),
))]
pub(super) async fn get(
    State(state): State<AppState>,
    user: CurrentUser,
    PathId(id): PathId<GroupId>,
) -> ApiResult<Json<Group>> {
    let record = state.store().find_group(user.org(), id).await?;
    let record = record.ok_or_else(|| ApiError::not_found("group", id))?;
    let devices = state.store().count_matching(user.org(), &selector_of(&record), state.now()).await?;
    Ok(Json(Group { devices: Some(devices), ..to_api(record) }))
}
