//! Devices, as operators see them; and how a device registers.

use std::collections::BTreeMap;

use kernex_core::{
    BundleName, BundleVersion, DeploymentId, DeploymentKind, DeviceConfig, DeviceId, DeviceStatus,
    FailureCode, OrganizationId, TargetState, Timestamp,
};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::{heartbeat::InstalledBundle, signing::SignatureAlgorithm};

/// A device asks to be let in; signed with the key that it brings.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct RegisterDeviceRequest {
    /// The public key as PEM: SPKI (`PUBLIC KEY`) or PKCS#1 (`RSA PUBLIC KEY`).
    pub public_key: String,
    /// How the device will sign; fits the key. For an RSA key `rsa-pss-sha256` when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub signature_algorithm: Option<SignatureAlgorithm>,
    /// The kind of machine, for example `jetson`; at most 64 bytes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub device_type: Option<String>,
    /// Free facts about the machine, at most 16 KiB.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Object>)]
    pub hardware_metadata: Option<serde_json::Map<String, serde_json::Value>>,
    /// Labels, at most 64.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tags: Option<BTreeMap<String, String>>,
    /// The organisation to join; a registration token decides it when there is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub org_id: Option<OrganizationId>,
    /// Lets the device in at once.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub registration_token: Option<String>,
}

/// The device that a key belongs to.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct RegisteredDevice {
    /// The device's id, to be sent as `X-Device-ID` from now on.
    pub device_id: DeviceId,
    /// `pending_approval` until it is let in.
    pub status: DeviceStatus,
}

/// One device.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Device {
    /// The device's id.
    pub device_id: DeviceId,
    /// A name that an operator gave.
    pub display_name: Option<String>,
    /// Its status.
    pub status: DeviceStatus,
    /// The kind of machine.
    pub device_type: Option<String>,
    /// Free facts about the machine.
    #[schema(value_type = Object)]
    pub hardware_metadata: serde_json::Map<String, serde_json::Value>,
    /// Labels.
    pub tags: BTreeMap<String, String>,
    /// SHA-256 of the public key (SPKI, DER), lower-case hex; the agent shows the same.
    pub key_fingerprint: String,
    /// How the device signs.
    pub signature_algorithm: SignatureAlgorithm,
    /// When it registered.
    pub registered_at: Timestamp,
    /// When its last heartbeat came.
    pub last_seen_at: Option<Timestamp>,
    /// What it runs, as it reported.
    pub bundles: Vec<InstalledBundle>,
    /// The version of the bundle `default`, or of the only bundle, that it reported or confirmed last.
    pub current_bundle_version: Option<BundleVersion>,
    /// The agent's version.
    pub agent_version: Option<String>,
    /// The version of its configuration that is wanted.
    pub config_version: u64,
    /// The version of its configuration that it reported; absent counts as 1.
    pub reported_config_version: u64,
    /// Its last heartbeat.
    pub last_heartbeat: Option<HeartbeatRecord>,
}

/// One page of devices, newest first.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct DeviceList {
    /// The devices.
    pub devices: Vec<Device>,
    /// How many match in all.
    pub total: u64,
    /// Where the next page begins.
    pub next_cursor: Option<String>,
}

/// A change to what operators say about a device: a missing field keeps its value.
#[derive(Clone, Debug, Default, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct UpdateDeviceRequest {
    /// A name; an empty one removes it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub display_name: Option<String>,
    /// All labels; replaces what was there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tags: Option<BTreeMap<String, String>>,
}

/// One heartbeat, as it was stored.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct HeartbeatRecord {
    /// When it came.
    pub received_at: Timestamp,
    /// What the device said of itself.
    pub status: kernex_core::DeviceHealth,
    /// Share of CPU in use, percent.
    pub cpu_pct: f64,
    /// Memory in use, MiB.
    pub memory_mb: f64,
    /// Memory in all, MiB.
    pub memory_total_mb: Option<f64>,
    /// Disk free, MiB.
    pub disk_free_mb: Option<f64>,
    /// Disk in all, MiB.
    pub disk_total_mb: Option<f64>,
    /// Seconds since the machine started.
    pub uptime_secs: Option<f64>,
    /// The agent's version.
    pub agent_version: String,
    /// Numbers from the workload.
    pub metrics: BTreeMap<String, f64>,
    /// Which protections of scripts and workloads the device's kernel gives; only with a device's last heartbeat.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub sandbox: BTreeMap<String, String>,
}

/// One page of heartbeats, newest first.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct HeartbeatList {
    /// The heartbeats.
    pub heartbeats: Vec<HeartbeatRecord>,
    /// Where the next page begins.
    pub next_cursor: Option<String>,
}

/// One line of a device's history: an attempt to change what it runs, and how it ended.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct HistoryEntry {
    /// The deployment.
    pub deployment_id: DeploymentId,
    /// Deploy or rollback.
    pub kind: DeploymentKind,
    /// The bundle's name.
    pub bundle_name: BundleName,
    /// The bundle's version.
    pub bundle_version: BundleVersion,
    /// How it ended.
    pub status: TargetState,
    /// Who sent it.
    pub created_by: String,
    /// When the device was told.
    pub started_at: Option<Timestamp>,
    /// When it ended.
    pub completed_at: Timestamp,
    /// How long the device says it took.
    pub duration_secs: Option<f64>,
    /// Why it failed, for a program.
    pub error_code: Option<FailureCode>,
    /// Why it failed, for a person.
    pub error_message: Option<String>,
}

/// A device's configuration and its version.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct ConfigResponse {
    /// The values.
    #[serde(flatten)]
    pub config: DeviceConfig,
    /// Raised by one with every change; 1 is the default configuration.
    pub version: u64,
}

/// One version of a device's configuration.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct ConfigVersion {
    /// The values.
    #[serde(flatten)]
    pub config: DeviceConfig,
    /// Which version.
    pub version: u64,
    /// Who made it; absent for the default configuration.
    pub created_by: Option<String>,
    /// When it was made; absent for the default configuration.
    pub created_at: Option<Timestamp>,
}

/// Every version of a device's configuration, newest first.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct ConfigVersionList {
    /// The versions.
    pub versions: Vec<ConfigVersion>,
}

/// Return to an earlier configuration.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ConfigRollbackRequest {
    /// The version whose values become a new version.
    pub version: u64,
}
