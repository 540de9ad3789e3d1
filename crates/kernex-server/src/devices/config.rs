//! `GET, PUT /devices/{id}/config`, `GET …/versions`, `POST …/rollback`

use axum::{Json, extract::State};
use kernex_api::{
    ErrorCode, Problem,
    devices::{ConfigResponse, ConfigRollbackRequest, ConfigVersion, ConfigVersionList},
};
use kernex_core::{ConfigPatch, DeviceConfig, DeviceId};
use kernex_store::ConfigVersionRecord;

use super::{check_metadata, get::require_device};
use crate::{
    AppState,
    auth::CurrentUser,
    error::{ApiError, ApiResult},
    extract::{JsonBody, PathId},
};

/// Show a device's configuration.
#[utoipa::path(get, path = "/devices/{device_id}/config", tag = "devices", params(("device_id" = DeviceId, Path)),
    responses(
    (status = 200, body = ConfigResponse),
    (status = 404, body = Problem, content_type = "application/problem+json"),
))]
pub(super) async fn get_config(
    State(state): State<AppState>,
    user: CurrentUser,
    PathId(id): PathId<DeviceId>,
) -> ApiResult<Json<ConfigResponse>> {
    let found = state.store().find_config(user.org(), id).await?;
    Ok(Json(response(found.ok_or_else(|| ApiError::not_found("device", id))?)))
}

/// Change a device's configuration. A missing field keeps its value; every change raises the version.
#[utoipa::path(put, path = "/devices/{device_id}/config", tag = "devices", params(("device_id" = DeviceId, Path)),
    request_body = ConfigPatch, responses(
    (status = 200, body = ConfigResponse),
    (status = 400, body = Problem, content_type = "application/problem+json"),
    (status = 403, body = Problem, content_type = "application/problem+json"),
    (status = 404, body = Problem, content_type = "application/problem+json"),
))]
pub(super) async fn put_config(
    State(state): State<AppState>,
    user: CurrentUser,
    PathId(id): PathId<DeviceId>,
    body: JsonBody<ConfigPatch>,
) -> ApiResult<Json<ConfigResponse>> {
    if let Some(metadata) = &body.value.metadata {
        check_metadata("metadata", metadata)?;
    }
    let patch = body.value;
    change(&state, &user, id, move |config| {
        config.patched(&patch).map_err(|error| ApiError::invalid(error.to_string()))
    })
    .await
}

/// List every version of a device's configuration, newest first.
#[utoipa::path(get, path = "/devices/{device_id}/config/versions", tag = "devices",
    params(("device_id" = DeviceId, Path)), responses(
    (status = 200, body = ConfigVersionList),
    (status = 404, body = Problem, content_type = "application/problem+json"),
))]
pub(super) async fn list_versions(
    State(state): State<AppState>,
    user: CurrentUser,
    PathId(id): PathId<DeviceId>,
) -> ApiResult<Json<ConfigVersionList>> {
    require_device(&state, &user, id).await?;
    let versions = state.store().list_config_versions(user.org(), id).await?;
    let versions = versions.into_iter().map(|record| ConfigVersion {
        config: record.config,
        version: record.version,
        created_by: record.created_by,
        created_at: record.created_at,
    });
    Ok(Json(ConfigVersionList { versions: versions.collect() }))
}

/// Return to an earlier configuration: its values become a new version.
#[utoipa::path(post, path = "/devices/{device_id}/config/rollback", tag = "devices",
    params(("device_id" = DeviceId, Path)), request_body = ConfigRollbackRequest, responses(
    (status = 200, body = ConfigResponse),
    (status = 400, body = Problem, content_type = "application/problem+json"),
    (status = 403, body = Problem, content_type = "application/problem+json"),
    (status = 404, body = Problem, content_type = "application/problem+json"),
))]
pub(super) async fn roll_back(
    State(state): State<AppState>,
    user: CurrentUser,
    PathId(id): PathId<DeviceId>,
    body: JsonBody<ConfigRollbackRequest>,
) -> ApiResult<Json<ConfigResponse>> {
    require_device(&state, &user, id).await?;
    let version = body.value.version;
    let found = state.store().find_config_version(user.org(), id, version).await?;
    let wanted = found.filter(|_| version > 0).ok_or_else(|| {
        let detail = format!("the device has no configuration version {version}");
        ApiError::bad_request(ErrorCode::InvalidRequest, detail)
    })?;
    change(&state, &user, id, move |_| Ok(wanted.config)).await
}

async fn change(
    state: &AppState,
    user: &CurrentUser,
    id: DeviceId,
    change: impl FnOnce(&DeviceConfig) -> ApiResult<DeviceConfig>,
) -> ApiResult<Json<ConfigResponse>> {
    let changed = state.store().change_config(user.org(), id, user.name(), state.now(), change).await?;
    let record = changed.ok_or_else(|| ApiError::not_found("device", id))??;
    tracing::info!(device.id = %id, user.id = %user.user().id, config.version = record.version, "configuration changed");
    Ok(Json(response(record)))
}

fn response(record: ConfigVersionRecord) -> ConfigResponse {
    ConfigResponse { config: record.config, version: record.version }
}
