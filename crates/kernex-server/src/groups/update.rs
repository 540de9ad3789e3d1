//! `PATCH /groups/{id}`

use axum::{Json, extract::State};
use kernex_api::{
    Problem,
    groups::{Group, UpdateGroupRequest},
};
use kernex_core::GroupId;
use kernex_store::GroupUpdate;

use super::{MAX_DESCRIPTION_BYTES, check_name, group_selector, refusal, to_api};
use crate::{
    AppState,
    auth::CurrentUser,
    devices::check_text,
    error::ApiResult,
    extract::{JsonBody, PathId},
};

/// Change a group. A missing field keeps its value. Running deployments keep the devices that they have.
#[utoipa::path(patch, path = "/groups/{group_id}", operation_id = "update_group", tag = "groups",
    params(("group_id" = GroupId, Path)), request_body = UpdateGroupRequest, responses(
    (status = 200, body = Group),
    (status = 400, body = Problem, content_type = "application/problem+json"),
    (status = 403, body = Problem, content_type = "application/problem+json"),
    (status = 404, body = Problem, content_type = "application/problem+json"),
    (status = 409, body = Problem, content_type = "application/problem+json"),
))]
pub(super) async fn update(
    State(state): State<AppState>,
    user: CurrentUser,
    PathId(id): PathId<GroupId>,
    body: JsonBody<UpdateGroupRequest>,
) -> ApiResult<Json<Group>> {
    let request = body.value;
    if let Some(name) = &request.name {
        check_name("name", name)?;
    }
    check_text("description", request.description.as_deref().unwrap_or(""), MAX_DESCRIPTION_BYTES)?;
    let or_none = |text: String| Some(text).filter(|text| !text.is_empty());
    let update = GroupUpdate {
        name: request.name.clone(),
        description: request.description.map(or_none),
        selector: request.selector.as_deref().map(group_selector).transpose()?,
        channel: request.channel.map(or_none),
    };
    let shown = || request.name.clone().unwrap_or_else(|| id.to_string());
    let changed = state.store().update_group(user.org(), id, &update, user.name(), state.now()).await?;
    Ok(Json(to_api(changed.map_err(|why| refusal(why, shown()))?)))
}
