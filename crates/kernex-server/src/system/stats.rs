//! `GET /devices/stats`

use axum::{Json, extract::State};
use kernex_api::{Problem, system::Stats};
use kernex_core::{DeploymentStatus, DeviceStatus};

use crate::{AppState, auth::CurrentUser, error::ApiResult};

/// Counts over the fleet.
#[utoipa::path(get, path = "/devices/stats", tag = "system", responses(
    (status = 200, body = Stats),
    (status = 401, body = Problem, content_type = "application/problem+json"),
))]
pub(super) async fn stats(State(state): State<AppState>, user: CurrentUser) -> ApiResult<Json<Stats>> {
    let now = state.now();
    let counts = state.store().fleet_stats(user.org(), now).await?;
    let devices = |statuses: &[DeviceStatus]| -> u64 {
        statuses.iter().filter_map(|status| counts.devices_by_status.get(status.as_str())).sum()
    };
    let active = DeploymentStatus::ALL.iter().filter(|status| !status.is_final());
    let online = devices(&[DeviceStatus::Online, DeviceStatus::Degraded, DeviceStatus::Error]);
    let (offline, pending) = (devices(&[DeviceStatus::Offline]), devices(&[DeviceStatus::PendingApproval]));
    Ok(Json(Stats {
        total_devices: online + offline + pending,
        online_devices: online,
        offline_devices: offline,
        lost_devices: counts.lost_devices,
        sites_offline: counts.sites_offline,
        pending_devices: pending,
        bundles: counts.bundles,
        active_deployments: active
            .filter_map(|status| counts.deployments_by_status.get(status.as_str()))
            .sum(),
        deployments_by_status: counts.deployments_by_status,
        devices_by_status: counts.devices_by_status,
        heartbeats_per_second: state.telemetry().heartbeats_per_second(now),
    }))
}
