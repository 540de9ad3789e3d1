//! Heartbeats and the commands in their answers.

use std::collections::BTreeMap;

use kernex_core::{
    BundleId, BundleName, BundleVersion, DeploymentId, DeviceConfig, DeviceHealth, TargetState, Timestamp,
};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// What a device reports. Unknown fields are accepted: an older server must understand a newer agent.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct HeartbeatRequest {
    /// The agent's version, at most 64 bytes.
    pub agent_version: String,
    /// Memory in use, MiB.
    pub memory_mb: f64,
    /// Share of CPU in use, percent.
    pub cpu_pct: f64,
    /// What the device says of itself.
    pub status: DeviceHealth,
    /// Memory in all, MiB.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub memory_total_mb: Option<f64>,
    /// Disk free, MiB.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub disk_free_mb: Option<f64>,
    /// Disk in all, MiB.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub disk_total_mb: Option<f64>,
    /// Seconds since the machine started.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub uptime_secs: Option<f64>,
    /// Changes with every start of the machine; at most 64 bytes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub boot_id: Option<String>,
    /// The version of the configuration in use; absent counts as 1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub config_version: Option<u64>,
    /// What is installed; absent means that nothing is said about it. At most 64.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bundles: Option<Vec<InstalledBundle>>,
    /// What is being worked on, results that wait to be reported included. At most 64.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub targets: Option<Vec<TargetReport>>,
    /// Numbers from the workload. At most 64.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub metrics: Option<BTreeMap<String, f64>>,
    /// Which protections of scripts and workloads the device's kernel gives, by name: `landlock`, `cgroup`, … At most 64.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sandbox: Option<BTreeMap<String, String>>,
}

/// One bundle that a device has installed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct InstalledBundle {
    /// Its name.
    pub name: BundleName,
    /// Its version.
    pub version: BundleVersion,
}

/// How far a device is with one deployment.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct TargetReport {
    /// The deployment.
    pub deployment_id: DeploymentId,
    /// The attempt, as the command gave it.
    pub attempt: u32,
    /// How far.
    pub state: TargetState,
    /// Share of the state's work that is done, percent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub progress_pct: Option<f64>,
}

/// What the control plane answers.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct HeartbeatResponse {
    /// What the device is to do; derived from what is desired and what was reported, so that one may come again.
    pub commands: Vec<Command>,
    /// The server's time.
    pub server_time: Timestamp,
    /// Seconds until the next heartbeat is due.
    pub next_heartbeat_secs: u32,
}

/// One command.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum Command {
    /// Install a bundle.
    Deploy(DeployCommand),
    /// Return to a bundle that the device ran before.
    Rollback(DeployCommand),
    /// Take on a configuration.
    Configure(ConfigureCommand),
    /// Stop working on a deployment.
    Cancel(CancelCommand),
    /// A command that this program does not know. An agent ignores it and says so in its log.
    #[serde(other)]
    Unknown,
}

/// The bundle of a `deploy` or `rollback`, and the terms.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct DeployCommand {
    /// The deployment.
    pub deployment_id: DeploymentId,
    /// Counts from 1; raised when an attempt's lease ran out.
    pub attempt: u32,
    /// The bundle.
    pub bundle_id: BundleId,
    /// The bundle's name.
    pub bundle_name: BundleName,
    /// The bundle's version.
    pub bundle_version: BundleVersion,
    /// SHA-256 of the archive's bytes, lower-case hex.
    pub checksum_sha256: String,
    /// Size of the archive.
    pub size_bytes: u64,
    /// Where the bytes are: a URL, absolute or relative to the control plane's; good for a short time, without a signature.
    pub download_url: String,
    /// Seconds that the whole attempt may take on the device.
    pub timeout_secs: u32,
    /// When the control plane gives the attempt up unless progress is reported.
    pub lease_expires_at: Timestamp,
}

/// A configuration to take on.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct ConfigureCommand {
    /// Its version, to be reported from then on.
    pub config_version: u64,
    /// The values.
    #[serde(flatten)]
    pub config: DeviceConfig,
}

/// What to stop.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct CancelCommand {
    /// The deployment.
    pub deployment_id: DeploymentId,
    /// The attempt that the device reported.
    pub attempt: u32,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_command_of_an_unknown_type_is_read_and_does_not_spoil_its_neighbours() {
        let text = r#"{"commands":[{"type":"reboot","when":"now"},{"type":"cancel","deployment_id":"00000000-0000-7000-8000-000000000001","attempt":2}],"server_time":"2026-01-01T00:00:00Z","next_heartbeat_secs":60,"new":1}"#;
        let answer: HeartbeatResponse = serde_json::from_str(text).unwrap();
        assert_eq!(answer.commands[0], Command::Unknown);
        assert!(matches!(&answer.commands[1], Command::Cancel(cancel) if cancel.attempt == 2));
    }

    #[test]
    fn a_heartbeat_with_fields_of_a_newer_agent_is_read() {
        let text = r#"{"agent_version":"9","memory_mb":1,"cpu_pct":2.5,"status":"healthy","gpu":{"x":1}}"#;
        assert_eq!(serde_json::from_str::<HeartbeatRequest>(text).unwrap().memory_mb, 1.0);
    }
}
