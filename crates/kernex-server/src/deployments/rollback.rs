//! `POST /deployments/{id}/rollback`

use axum::{extract::State, response::Response};
use http::{HeaderMap, StatusCode};
use kernex_api::{
    ErrorCode, Problem,
    deployments::{CreatedRollbacks, RollbackDeploymentRequest},
};
use kernex_core::{BundleVersion, DeploymentId, DeploymentKind, DeviceId};
use kernex_store::DeploymentRecord;

use super::service::{self, Wanted};
use crate::{
    AppState,
    auth::CurrentUser,
    error::{ApiError, ApiResult},
    extract::{OptionalJsonBody, PathId},
    idempotency,
};

/// Return a deployment's devices to what they ran before, or to a version that each of them ran.
///
/// Makes one new deployment per version that devices return to. Devices that ran nothing before are left as they are; if no
/// device has anything to return to, that is an error.
#[utoipa::path(post, path = "/deployments/{deployment_id}/rollback", tag = "deployments",
    operation_id = "rollback_deployment",
    params(("deployment_id" = DeploymentId, Path)), request_body = Option<RollbackDeploymentRequest>,
    responses(
    (status = 202, body = CreatedRollbacks),
    (status = 400, body = Problem, content_type = "application/problem+json"),
    (status = 403, body = Problem, content_type = "application/problem+json"),
    (status = 404, body = Problem, content_type = "application/problem+json"),
))]
pub(super) async fn rollback(
    State(state): State<AppState>,
    user: CurrentUser,
    PathId(id): PathId<DeploymentId>,
    headers: HeaderMap,
    OptionalJsonBody(body): OptionalJsonBody<RollbackDeploymentRequest>,
) -> ApiResult<Response> {
    let what = format!("rollback {id}\n{}", hex::encode(&body.bytes));
    let (once, before) = idempotency::begin(&state, &user, &headers, &what).await?;
    if let Some(first_answer) = before {
        return Ok(first_answer);
    }
    let of = state.store().find_deployment(user.org(), id).await?;
    let of = of.ok_or_else(|| ApiError::not_found("deployment", id))?;
    let wanted = match &body.value.target_version {
        Some(version) => vec![to_version(&state, &user, &of, version).await?],
        None => to_previous(&state, &user, &of).await?,
    };
    service::create(&state, &user, wanted, once, StatusCode::ACCEPTED, |made| {
        serde_json::to_value(CreatedRollbacks { first: made[0].clone(), deployments: made.to_vec() })
    })
    .await
}

async fn to_version(
    state: &AppState,
    user: &CurrentUser,
    of: &DeploymentRecord,
    version: &str,
) -> ApiResult<Wanted> {
    let bundle = service::find_by_version(state, user.org(), Some(of.bundle_name.as_str()), version).await?;
    let bundle = bundle.ok_or_else(|| {
        let version: String = version.chars().take(80).collect();
        ApiError::bad_request(ErrorCode::UnknownBundle, format!("bundle version `{version}` not found"))
    })?;
    let devices = active_targets(state, user, of).await?;
    service::require_ran(state, user.org(), &devices, &bundle).await?;
    Ok(Wanted { kind: DeploymentKind::Rollback, bundle, devices, description: description(of) })
}

async fn to_previous(state: &AppState, user: &CurrentUser, of: &DeploymentRecord) -> ApiResult<Vec<Wanted>> {
    let active = active_targets(state, user, of).await?;
    let previous =
        state.store().previous_versions(user.org(), of.id, &of.bundle_name, &of.bundle_version).await?;
    let previous: Vec<(DeviceId, String)> = previous
        .into_iter()
        .filter(|(device, _)| active.contains(device))
        .map(|(device, version)| (device, version.to_string()))
        .collect();
    let mut wanted = Vec::new();
    for (version, devices) in service::by_version(previous) {
        let version: BundleVersion = version.parse().map_err(ApiError::internal)?;
        if let Some(bundle) =
            state.store().find_bundle_by_version(user.org(), &of.bundle_name, &version).await?
        {
            let description = description(of);
            wanted.push(Wanted { kind: DeploymentKind::Rollback, bundle, devices, description });
        }
    }
    if wanted.is_empty() {
        let detail = "no device of this deployment ran another version of the bundle before; there is nothing to return to";
        return Err(ApiError::bad_request(ErrorCode::NoSuccessfulDeployment, detail));
    }
    Ok(wanted)
}

async fn active_targets(
    state: &AppState,
    user: &CurrentUser,
    of: &DeploymentRecord,
) -> ApiResult<Vec<DeviceId>> {
    let mut devices = state.store().list_target_ids(user.org(), of.id).await?;
    let known = state.store().memberships(user.org(), &devices).await?;
    devices.retain(|id| {
        known.get(id).is_some_and(|membership| *membership != kernex_core::Membership::Decommissioned)
    });
    if devices.is_empty() {
        return Err(ApiError::invalid("every device of this deployment has been decommissioned"));
    }
    Ok(devices)
}

fn description(of: &DeploymentRecord) -> Option<String> {
    Some(format!("rollback of {}@{} ({})", of.bundle_name, of.bundle_version, of.id))
}
