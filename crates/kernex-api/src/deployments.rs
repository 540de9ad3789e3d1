//! Deployments, their targets and results.

use kernex_core::{
    BundleId, BundleName, BundleVersion, DeploymentId, DeploymentKind, DeploymentStatus, DeviceId,
    FailureCode, ResultStatus, TargetState, Timestamp,
};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// A bundle to listed devices.
#[derive(Clone, Debug, Default, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct CreateDeploymentRequest {
    /// The bundle, by id; or else by version (and name).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bundle_id: Option<String>,
    /// The bundle's version.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bundle_version: Option<String>,
    /// The bundle's name; `default` when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bundle_name: Option<String>,
    /// Ids of the devices, 1 to 10,000, each once.
    #[serde(default)]
    pub target_devices: Vec<String>,
    /// Why, for people; at most 1,000 bytes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
}

/// A new deployment.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct CreatedDeployment {
    /// The deployment's id.
    pub deployment_id: DeploymentId,
    /// `pending`.
    pub status: DeploymentStatus,
}

/// One deployment.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Deployment {
    /// The deployment's id.
    pub deployment_id: DeploymentId,
    /// Deploy or rollback.
    pub kind: DeploymentKind,
    /// The bundle.
    pub bundle_id: BundleId,
    /// The bundle's name.
    pub bundle_name: BundleName,
    /// The bundle's version.
    pub bundle_version: BundleVersion,
    /// How far it is.
    pub status: DeploymentStatus,
    /// Counts over its targets.
    pub progress: Progress,
    /// Why, for people.
    pub description: Option<String>,
    /// What went wrong, in a sentence.
    pub error_message: Option<String>,
    /// Who made it.
    pub created_by: String,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it ended.
    pub completed_at: Option<Timestamp>,
}

/// One deployment with the devices it lists.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct DeploymentDetail {
    /// The deployment.
    #[serde(flatten)]
    pub deployment: Deployment,
    /// Ids of its devices.
    pub target_devices: Vec<DeviceId>,
}

/// Counts over a deployment's targets; they add up to `total`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Progress {
    /// All targets.
    pub total: u64,
    /// Not told yet.
    pub pending: u64,
    /// Told, or at work.
    pub in_progress: u64,
    /// Ended well.
    pub success: u64,
    /// Failed or timed out.
    pub failed: u64,
    /// Returned to what they ran before.
    pub rolled_back: u64,
    /// Cancelled.
    pub cancelled: u64,
}

/// One page of deployments, newest first.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct DeploymentList {
    /// The deployments.
    pub deployments: Vec<Deployment>,
    /// How many match in all.
    pub total: u64,
    /// Where the next page begins.
    pub next_cursor: Option<String>,
}

/// One device within one deployment.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Target {
    /// The device.
    pub device_id: DeviceId,
    /// How far it is.
    pub state: TargetState,
    /// The attempt, from 1.
    pub attempt: u32,
    /// Share of the state's work that is done, percent.
    pub progress_pct: Option<f64>,
    /// When the command was first sent.
    pub delivered_at: Option<Timestamp>,
    /// When the device first said that it works on it.
    pub started_at: Option<Timestamp>,
    /// When it last changed.
    pub updated_at: Timestamp,
    /// When it ended.
    pub completed_at: Option<Timestamp>,
    /// When the attempt is given up unless progress is reported.
    pub lease_expires_at: Option<Timestamp>,
    /// How long the device says it took.
    pub duration_secs: Option<f64>,
    /// Why it failed, for a program.
    pub error_code: Option<FailureCode>,
    /// Why it failed, for a person.
    pub error_message: Option<String>,
}

/// One page of targets, in order of device id.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct TargetList {
    /// The targets.
    pub targets: Vec<Target>,
    /// Where the next page begins.
    pub next_cursor: Option<String>,
}

/// The outcome that a device reports.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ResultRequest {
    /// The device: the one that signs.
    pub device_id: DeviceId,
    /// The attempt, as the command gave it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub attempt: Option<u32>,
    /// How it ended.
    pub status: ResultStatus,
    /// Why it failed, for a program.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error_code: Option<FailureCode>,
    /// Why it failed, for a person; cut to 4 KiB.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error_message: Option<String>,
    /// How long it took.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub duration_secs: Option<f64>,
}

/// The target after a result.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct ResultResponse {
    /// The deployment.
    pub deployment_id: DeploymentId,
    /// The device.
    pub device_id: DeviceId,
    /// The state in which the target ended.
    pub state: TargetState,
}

/// Devices are to return to a version that each of them ran.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct RollbackDevicesRequest {
    /// The version to return to.
    pub bundle_version: String,
    /// The bundle's name; `default` when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bundle_name: Option<String>,
    /// Ids of the devices, 1 to 10,000, each once.
    pub target_device_ids: Vec<String>,
}

/// The rollback that was made.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct CreatedRollback {
    /// The new deployment's id.
    pub deployment_id: DeploymentId,
    /// `pending`.
    pub status: DeploymentStatus,
    /// Ids of its devices.
    pub target_device_ids: Vec<DeviceId>,
    /// The version that they return to.
    pub bundle_version: BundleVersion,
}

/// A deployment's devices are to return to what they ran before.
#[derive(Clone, Debug, Default, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct RollbackDeploymentRequest {
    /// The version to return to; each device's previous one when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub target_version: Option<String>,
}

/// The rollbacks that were made: one deployment per version that devices return to. The fields of the first stand at the
/// top too.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct CreatedRollbacks {
    /// The first.
    #[serde(flatten)]
    pub first: CreatedRollback,
    /// All of them.
    pub deployments: Vec<CreatedRollback>,
}
