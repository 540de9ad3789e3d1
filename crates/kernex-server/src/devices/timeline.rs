//! `GET /devices/{id}/timeline`

use axum::{Json, extract::State};
use kernex_api::{
    Problem,
    events::{Timeline, TimelineDeployment, TimelineEntry},
};
use kernex_core::DeviceId;
use kernex_store::TimelineRecord;

use super::selector;
use crate::{
    AppState,
    auth::CurrentUser,
    error::{ApiError, ApiResult},
    extract::{PathId, QueryParams},
    pagination::{PageParams, cursor, page_limit},
};

/// What happened to a device and who did it, newest first: registration, approvals, missing heartbeats, each state of each
/// attempt, configuration, rollbacks.
#[utoipa::path(get, path = "/devices/{device_id}/timeline", operation_id = "device_timeline", tag = "devices",
    params(("device_id" = DeviceId, Path), PageParams), security(("bearer" = [])), responses(
    (status = 200, body = Timeline),
    (status = 400, body = Problem, content_type = "application/problem+json"),
    (status = 404, body = Problem, content_type = "application/problem+json"),
))]
pub(super) async fn timeline(
    State(state): State<AppState>,
    user: CurrentUser,
    PathId(id): PathId<DeviceId>,
    QueryParams(params): QueryParams<PageParams>,
) -> ApiResult<Json<Timeline>> {
    let limit = page_limit(params.limit)?;
    let from = cursor(params.cursor.as_deref())?;
    let device = state.store().find_device(user.org(), id).await?;
    if device.is_none() || !selector::reaches(&state, &user, id).await? {
        return Err(ApiError::not_found("device", id));
    }
    let (records, next) = state.store().timeline(user.org(), id, from, limit).await?;
    let entries = records.into_iter().map(to_api).collect();
    Ok(Json(Timeline { entries, next_cursor: next.map(|cursor| cursor.to_string()) }))
}

fn to_api(record: TimelineRecord) -> TimelineEntry {
    match record {
        TimelineRecord::Event { at, kind, deployment_id, actor, mut data } => {
            if let Some(id) = deployment_id {
                data.insert("deployment_id".to_owned(), id.to_string().into());
            }
            TimelineEntry {
                at,
                kind,
                deployment: None,
                attempt: None,
                error_code: None,
                error_message: None,
                actor,
                data,
            }
        }
        TimelineRecord::Step {
            at,
            state,
            attempt,
            deployment_id,
            kind,
            bundle_name,
            bundle_version,
            created_by,
            error_code,
            error_message,
        } => TimelineEntry {
            at,
            kind: format!("target.{state}"),
            deployment: Some(TimelineDeployment {
                id: deployment_id,
                kind,
                bundle_name,
                bundle_version,
                created_by,
            }),
            attempt: Some(attempt),
            error_code,
            error_message,
            actor: None,
            data: serde_json::Map::new(),
        },
    }
}
