//! `DELETE /groups/{id}`

use axum::extract::State;
use http::StatusCode;
use kernex_api::Problem;
use kernex_core::GroupId;

use crate::{
    AppState,
    auth::CurrentUser,
    error::{ApiError, ApiResult},
    extract::PathId,
};

/// Remove a group, not its devices.
#[utoipa::path(delete, path = "/groups/{group_id}", operation_id = "delete_group", tag = "groups",
    params(("group_id" = GroupId, Path)), responses(
    (status = 204),
    (status = 403, body = Problem, content_type = "application/problem+json"),
    (status = 404, body = Problem, content_type = "application/problem+json"),
))]
pub(super) async fn delete(
    State(state): State<AppState>,
    user: CurrentUser,
    PathId(id): PathId<GroupId>,
) -> ApiResult<StatusCode> {
    if state.store().delete_group(user.org(), id, user.name(), state.now()).await? {
        return Ok(StatusCode::NO_CONTENT);
    }
    Err(ApiError::not_found("group", id))
}
