//! `POST /groups`

use axum::{
    Json,
    extract::State,
    response::{IntoResponse as _, Response},
};
use http::{HeaderMap, StatusCode};
use kernex_api::{
    ErrorCode, MAX_TARGET_DEVICES, Problem,
    groups::{CreateGroupRequest, Group},
};
use kernex_core::{DeviceId, GroupId, OrganizationId};
use kernex_store::{GroupRecord, MAX_GROUPS, Once};

use super::{MAX_DESCRIPTION_BYTES, check_name, group_selector, refusal, to_api};
use crate::{
    AppState,
    auth::CurrentUser,
    devices::check_text,
    error::{ApiError, ApiResult},
    extract::JsonBody,
    idempotency,
};

/// Make a group: a named selector, or a named list of devices.
#[utoipa::path(post, path = "/groups", operation_id = "create_group", tag = "groups", request_body = CreateGroupRequest, responses(
    (status = 201, body = Group),
    (status = 400, body = Problem, content_type = "application/problem+json"),
    (status = 403, body = Problem, content_type = "application/problem+json"),
    (status = 409, body = Problem, content_type = "application/problem+json"),
))]
pub(super) async fn create(
    State(state): State<AppState>,
    user: CurrentUser,
    headers: HeaderMap,
    body: JsonBody<CreateGroupRequest>,
) -> ApiResult<Response> {
    let what = format!("group\n{}", hex::encode(&body.bytes));
    let (once, before) = idempotency::begin(&state, &user, &headers, &what).await?;
    if let Some(first_answer) = before {
        return Ok(first_answer);
    }
    let request = body.value;
    check_name("name", &request.name)?;
    check_text("description", request.description.as_deref().unwrap_or(""), MAX_DESCRIPTION_BYTES)?;
    let devices = request.devices.unwrap_or_default();
    if request.selector.is_some() && !devices.is_empty() {
        return Err(ApiError::invalid("selector and devices: a group has one of them"));
    }
    check_devices(&state, user.org(), "devices", &devices).await?;
    if state.store().count_groups(user.org()).await? >= u64::from(MAX_GROUPS) {
        return Err(ApiError::conflict(format!("there are {MAX_GROUPS} groups already, which is the most")));
    }
    let now = state.now();
    let record = GroupRecord {
        id: GroupId::generate(now),
        name: request.name,
        description: request.description.filter(|text| !text.is_empty()),
        selector: request.selector.as_deref().map(group_selector).transpose()?,
        channel: request.channel.filter(|name| !name.is_empty()),
        created_by: user.name().to_owned(),
        created_at: now,
        updated_at: now,
    };
    let name = record.name.clone();
    let answer = to_api(record.clone());
    let stored = idempotency::stored(StatusCode::CREATED, &answer);
    match state.store().create_group(user.org(), &record, &devices, once.as_ref(), || stored).await? {
        Once::Before { status, body } => Ok(idempotency::replay(status, body)),
        Once::Done(Err(why)) => Err(refusal(why, name)),
        Once::Done(Ok(())) => {
            tracing::info!(group.id = %record.id, user.id = %user.user().id, "group created");
            Ok((StatusCode::CREATED, Json(answer)).into_response())
        }
    }
}

/// Demands that every listed device exists, and that there are not too many.
pub(super) async fn check_devices(
    state: &AppState,
    org: OrganizationId,
    field: &str,
    devices: &[DeviceId],
) -> ApiResult<()> {
    if devices.len() > MAX_TARGET_DEVICES {
        return Err(ApiError::invalid(format!(
            "{field} names {} devices; at most {MAX_TARGET_DEVICES} are allowed at once",
            devices.len()
        )));
    }
    let known = state.store().memberships(org, devices).await?;
    let unknown: Vec<_> =
        devices.iter().filter(|id| !known.contains_key(id)).map(ToString::to_string).collect();
    if unknown.is_empty() {
        return Ok(());
    }
    let detail = format!("{field}: devices not found: {}", unknown.join(", "));
    Err(ApiError::bad_request(ErrorCode::UnknownDevices, detail))
}
