//! `GET, POST /groups/{id}/devices`

use axum::{Json, extract::State};
use kernex_api::{
    Problem,
    devices::DeviceList,
    groups::{ChangeMembersRequest, MembersChanged},
};
use kernex_core::GroupId;
use kernex_store::DeviceFilter;

use super::{create::check_devices, refusal, selector_of};
use crate::{
    AppState,
    auth::CurrentUser,
    error::{ApiError, ApiResult},
    extract::{JsonBody, PathId, QueryParams},
    pagination::{PageParams, cursor, next_cursor, page_limit},
};

/// The devices that are in a group now, newest first.
#[utoipa::path(get, path = "/groups/{group_id}/devices", operation_id = "list_group_devices", tag = "groups",
    params(("group_id" = GroupId, Path), PageParams), responses(
    (status = 200, body = DeviceList),
    (status = 404, body = Problem, content_type = "application/problem+json"),
))]
pub(super) async fn list(
    State(state): State<AppState>,
    user: CurrentUser,
    PathId(id): PathId<GroupId>,
    QueryParams(params): QueryParams<PageParams>,
) -> ApiResult<Json<DeviceList>> {
    let record = state.store().find_group(user.org(), id).await?;
    let record = record.ok_or_else(|| ApiError::not_found("group", id))?;
    let limit = page_limit(params.limit)?;
    let filter = DeviceFilter {
        selector: Some(selector_of(&record)),
        after: cursor(params.cursor.as_deref())?,
        limit,
        ..DeviceFilter::default()
    };
    let now = state.now();
    let (records, total) = state.store().list_devices(user.org(), &filter, now).await?;
    let next_cursor = next_cursor(&records, limit, |record| record.id);
    let devices =
        records.into_iter().map(|record| crate::devices::to_api(record, now)).collect::<ApiResult<_>>()?;
    Ok(Json(DeviceList { devices, total, next_cursor }))
}

/// Put devices into a list or take them out.
#[utoipa::path(post, path = "/groups/{group_id}/devices", operation_id = "change_group_devices", tag = "groups",
    params(("group_id" = GroupId, Path)), request_body = ChangeMembersRequest, responses(
    (status = 200, body = MembersChanged),
    (status = 400, body = Problem, content_type = "application/problem+json"),
    (status = 403, body = Problem, content_type = "application/problem+json"),
    (status = 404, body = Problem, content_type = "application/problem+json"),
    (status = 409, body = Problem, content_type = "application/problem+json"),
))]
pub(super) async fn change(
    State(state): State<AppState>,
    user: CurrentUser,
    PathId(id): PathId<GroupId>,
    body: JsonBody<ChangeMembersRequest>,
) -> ApiResult<Json<MembersChanged>> {
    let ChangeMembersRequest { add, remove } = body.value;
    if add.is_empty() && remove.is_empty() {
        return Err(ApiError::invalid("add and remove are both empty"));
    }
    check_devices(&state, user.org(), "add", &add).await?;
    check_devices(&state, user.org(), "remove", &remove).await?;
    let (org, now) = (user.org(), state.now());
    let changed = state.store().change_members(org, id, &add, &remove, user.name(), now).await?;
    let (added, removed) = changed.map_err(|why| refusal(why, id))?;
    Ok(Json(MembersChanged { added, removed }))
}
