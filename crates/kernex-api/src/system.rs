//! Health and statistics.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// Whether a part works.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum HealthStatus {
    /// It works.
    Ok,
    /// It does not.
    Failing,
}

/// The health of the control plane.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct Health {
    /// `ok` when every check is.
    pub status: HealthStatus,
    /// The program's version.
    pub version: String,
    /// One entry per part: `database`, `storage`, `disk`.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub checks: BTreeMap<String, HealthCheck>,
}

/// The health of one part.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct HealthCheck {
    /// Whether it works.
    pub status: HealthStatus,
    /// What is wrong, or a figure.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub detail: Option<String>,
}

/// Counts over the fleet.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Stats {
    /// Devices that are not decommissioned.
    pub total_devices: u64,
    /// Devices whose heartbeats arrive, whatever their health.
    pub online_devices: u64,
    /// Devices whose heartbeats are missing.
    pub offline_devices: u64,
    /// Of these, devices that have been offline for more than a day.
    pub lost_devices: u64,
    /// Sites whose devices are gone as a whole.
    pub sites_offline: u64,
    /// Devices that wait for approval.
    pub pending_devices: u64,
    /// Devices by status.
    pub devices_by_status: BTreeMap<String, u64>,
    /// Bundles that can be deployed.
    pub bundles: u64,
    /// Deployments that have not ended.
    pub active_deployments: u64,
    /// Deployments by status.
    pub deployments_by_status: BTreeMap<String, u64>,
    /// Heartbeats per second, over the last minute.
    pub heartbeats_per_second: f64,
}
