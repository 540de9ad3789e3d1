//! Rules that creating a deployment and rolling back share.

use std::collections::{BTreeMap, BTreeSet};

use axum::response::{IntoResponse as _, Response};
use http::StatusCode;
use kernex_api::{ErrorCode, MAX_TARGET_DEVICES, deployments::CreatedRollback};
use kernex_core::{
    BundleName, DeploymentId, DeploymentKind, DeploymentStatus, DeviceId, Membership, OrganizationId,
};
use kernex_store::{BundleRecord, Idempotency, NewDeployment, Once};

use crate::{
    AppState,
    auth::CurrentUser,
    error::{ApiError, ApiResult},
    idempotency,
};

/// A deployment that passed every check.
#[derive(Debug)]
pub struct Wanted {
    /// Deploy or rollback.
    pub kind: DeploymentKind,
    /// The bundle.
    pub bundle: BundleRecord,
    /// The devices, each once.
    pub devices: Vec<DeviceId>,
    /// Why, for people.
    pub description: Option<String>,
}

/// The bundle of a name (`default` when absent) and version; what cannot be a name or version names nothing.
pub async fn find_by_version(
    state: &AppState,
    org: OrganizationId,
    name: Option<&str>,
    version: &str,
) -> ApiResult<Option<BundleRecord>> {
    let name = name.map_or(Ok(BundleName::default()), str::parse);
    match (name, version.parse()) {
        (Ok(name), Ok(version)) => Ok(state.store().find_bundle_by_version(org, &name, &version).await?),
        _ => Ok(None),
    }
}

/// Reads a list of target devices: at least one, each once, all of them known and not decommissioned.
pub async fn check_targets(
    state: &AppState,
    org: OrganizationId,
    field: &str,
    listed: &[String],
) -> ApiResult<Vec<DeviceId>> {
    if listed.is_empty() {
        return Err(ApiError::invalid(format!("{field} is empty; name at least one device")));
    }
    if listed.len() > MAX_TARGET_DEVICES {
        let detail =
            format!("{field} names {} devices; at most {MAX_TARGET_DEVICES} are allowed", listed.len());
        return Err(ApiError::invalid(detail));
    }
    let mut ids = Vec::with_capacity(listed.len());
    let (mut seen, mut unknown) = (BTreeSet::new(), Vec::new());
    for text in listed {
        match text.parse::<DeviceId>() {
            Ok(id) if !seen.insert(id) => {
                return Err(ApiError::invalid(format!("{field} names the device `{id}` twice")));
            }
            Ok(id) => ids.push(id),
            Err(_) => unknown.push(text.chars().take(80).collect::<String>()),
        }
    }
    let known = state.store().memberships(org, &ids).await?;
    unknown.extend(ids.iter().filter(|id| !known.contains_key(id)).map(ToString::to_string));
    if !unknown.is_empty() {
        let detail = format!("{field}: devices not found: {}", unknown.join(", "));
        return Err(ApiError::bad_request(ErrorCode::UnknownDevices, detail));
    }
    let gone = ids.iter().filter(|id| known.get(id) == Some(&Membership::Decommissioned));
    let gone: Vec<_> = gone.map(ToString::to_string).collect();
    if !gone.is_empty() {
        return Err(ApiError::invalid(format!("{field}: devices are decommissioned: {}", gone.join(", "))));
    }
    Ok(ids)
}

/// Demands that each device once ran the bundle's version.
pub async fn require_ran(
    state: &AppState,
    org: OrganizationId,
    devices: &[DeviceId],
    bundle: &BundleRecord,
) -> ApiResult<()> {
    let ran = state.store().devices_that_ran(org, devices, &bundle.name, &bundle.version).await?;
    let ran: BTreeSet<DeviceId> = ran.into_iter().collect();
    let never: Vec<_> = devices.iter().filter(|id| !ran.contains(id)).map(ToString::to_string).collect();
    if never.is_empty() {
        return Ok(());
    }
    let (noun, verb) = if never.len() == 1 { ("device", "has") } else { ("devices", "have") };
    let detail = format!(
        "{noun} {} {verb} no successful deployment of version `{}`",
        never.join(", "),
        bundle.version
    );
    Err(ApiError::bad_request(ErrorCode::NoSuccessfulDeployment, detail))
}

/// Groups devices by the version that each of them is to return to.
pub fn by_version<V: Ord>(pairs: Vec<(DeviceId, V)>) -> BTreeMap<V, Vec<DeviceId>> {
    let mut groups: BTreeMap<V, Vec<DeviceId>> = BTreeMap::new();
    for (device, version) in pairs {
        groups.entry(version).or_default().push(device);
    }
    groups
}

/// Makes deployments, all or none, and answers; a repeated request gets the first answer again.
pub async fn create(
    state: &AppState,
    user: &CurrentUser,
    wanted: Vec<Wanted>,
    once: Option<Idempotency>,
    status: StatusCode,
    answer: impl FnOnce(&[CreatedRollback]) -> serde_json::Result<serde_json::Value>,
) -> ApiResult<Response> {
    let now = state.now();
    let new: Vec<NewDeployment> = wanted
        .into_iter()
        .map(|wanted| NewDeployment {
            id: DeploymentId::generate(now),
            kind: wanted.kind,
            bundle_id: wanted.bundle.id,
            bundle_name: wanted.bundle.name,
            bundle_version: wanted.bundle.version,
            devices: wanted.devices,
            description: wanted.description,
            created_by: user.name().to_owned(),
        })
        .collect();
    let made: Vec<CreatedRollback> = new
        .iter()
        .map(|new| CreatedRollback {
            deployment_id: new.id,
            status: DeploymentStatus::Pending,
            target_device_ids: new.devices.clone(),
            bundle_version: new.bundle_version.clone(),
        })
        .collect();
    let body = answer(&made).map_err(ApiError::internal)?;
    let stored = idempotency::stored(status, &body);
    match state.store().create_deployments(user.org(), &new, now, once.as_ref(), || stored).await? {
        Once::Before { status, body } => Ok(idempotency::replay(status, body)),
        Once::Done(false) => {
            Err(ApiError::conflict("the bundle was deleted at this moment; nothing was deployed"))
        }
        Once::Done(true) => {
            for deployment in &new {
                tracing::info!(deployment.id = %deployment.id, bundle.id = %deployment.bundle_id, user.id = %user.user().id,
                    targets = deployment.devices.len(), kind = %deployment.kind, "deployment created");
            }
            Ok((status, axum::Json(body)).into_response())
        }
    }
}
