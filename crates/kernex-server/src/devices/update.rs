//! `PATCH /devices/{id}`

use axum::{Json, extract::State};
use kernex_api::{
    Problem,
    devices::{Device, UpdateDeviceRequest},
};
use kernex_core::DeviceId;
use kernex_store::DeviceUpdate;

use super::{check_tags, check_text, to_api};
use crate::{
    AppState,
    auth::CurrentUser,
    error::{ApiError, ApiResult},
    extract::{JsonBody, PathId},
};

/// Name or label a device. A missing field keeps its value.
#[utoipa::path(patch, path = "/devices/{device_id}", tag = "devices", params(("device_id" = DeviceId, Path)),
    request_body = UpdateDeviceRequest, responses(
    (status = 200, body = Device),
    (status = 400, body = Problem, content_type = "application/problem+json"),
    (status = 401, body = Problem, content_type = "application/problem+json"),
    (status = 403, body = Problem, content_type = "application/problem+json"),
    (status = 404, body = Problem, content_type = "application/problem+json"),
))]
pub(super) async fn update(
    State(state): State<AppState>,
    user: CurrentUser,
    PathId(id): PathId<DeviceId>,
    body: JsonBody<UpdateDeviceRequest>,
) -> ApiResult<Json<Device>> {
    let UpdateDeviceRequest { display_name, tags } = body.value;
    if let Some(name) = &display_name {
        check_text("display_name", name, 128)?;
    }
    if let Some(tags) = &tags {
        check_tags(tags)?;
    }
    let display_name = display_name.map(|name| Some(name).filter(|name| !name.is_empty()));
    let update = DeviceUpdate { display_name, tags };
    let record = state.store().update_device(user.org(), id, &update, user.name(), state.now()).await?;
    let record = record.ok_or_else(|| ApiError::not_found("device", id))?;
    Ok(Json(to_api(record, state.now())?))
}
