//! What the agent is doing and how far it is: the one value that survives a power cut.

mod content;
mod file;
mod trial;

use std::collections::BTreeMap;

use kernex_core::{
    BundleId, BundleName, BundleVersion, DeploymentId, DeploymentKind, DeviceConfig, FailureCode,
    ResultStatus, TargetState, Timestamp,
};
use serde::{Deserialize, Serialize};

pub use content::FailedContent;
pub(crate) use content::is_of_content;
pub use file::{FORMAT, StateFile};
pub use trial::{ConfigHold, ConfigTrial};

/// Characters of the digest in a release's folder name: 64 bits tell apart whatever one device ever holds.
const FOLDER_DIGEST_CHARS: usize = 16;
/// More releases of one name than this are not remembered.
pub const MAX_KEPT: usize = 20;

/// Everything that the agent must not forget.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct AgentState {
    /// What is installed, by bundle name.
    pub slots: BTreeMap<BundleName, Slot>,
    /// The attempt in work.
    pub attempt: Option<Attempt>,
    /// Outcomes that the control plane has not acknowledged, oldest first.
    pub reports: Vec<Report>,
    /// The number of the next report.
    pub next_report: u64,
    /// The configuration that the control plane sent last.
    pub config: Option<DeviceConfig>,
    /// Its version; 1 is the default configuration.
    pub config_version: u64,
    /// The configuration has not been in contact with the control plane yet.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub config_trial: Option<ConfigTrial>,
    /// A version of the configuration that cut the device off.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub config_hold: Option<ConfigHold>,
    /// Bytes that are known to be of no use, oldest first.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub failed_content: Vec<FailedContent>,
    /// The signing counter.
    pub last_timestamp_millis: i64,
    /// How much the control plane's clock is ahead.
    pub clock_offset_millis: i64,
}

/// What is installed under one bundle name.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Slot {
    /// In use.
    pub current: Option<Release>,
    /// In use before.
    pub previous: Option<Release>,
    /// Every release that was committed and may still be on the disk, newest first; current and previous among them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub kept: Vec<Release>,
    /// The version that was given up after it had been reported as a success, and why, until another one is committed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub given_up: Option<GivenUp>,
}

/// A version that kept crashing soon after it had been committed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct GivenUp {
    /// Which.
    pub release: Release,
    /// Why.
    pub reason: String,
}

impl Slot {
    /// Takes a release into use; what was in use before becomes the previous one, unless it is the same.
    pub fn commit(&mut self, release: &Release) {
        self.given_up = None;
        let replaced = self.current.replace(release.clone());
        if let Some(old) = replaced.filter(|old| !old.is_same(release)) {
            self.kept.retain(|kept| !kept.is_same(&old));
            self.kept.insert(0, old.clone());
            self.previous = Some(old);
        }
        self.kept.retain(|kept| !kept.is_same(release));
        self.kept.insert(0, release.clone());
        self.kept.truncate(MAX_KEPT);
    }

    /// Gives up what is in use, if it is these bytes and something was in use before. Gives whether it did.
    pub fn give_up(&mut self, digest: &str, reason: String) -> bool {
        let is_current = self.current.as_ref().is_some_and(|current| current.digest == digest);
        if !is_current || self.previous.is_none() {
            return false;
        }
        let release = std::mem::replace(&mut self.current, self.previous.take());
        self.given_up = release.map(|release| GivenUp { release, reason });
        true
    }

    /// The releases to keep when there are to be `count` of them: current and previous in any case.
    pub fn needed(&self, count: usize) -> Vec<&Release> {
        let mut needed: Vec<&Release> = [&self.current, &self.previous].into_iter().flatten().collect();
        for release in &self.kept {
            if needed.len() < count && !needed.iter().any(|other| other.is_same(release)) {
                needed.push(release);
            }
        }
        needed
    }
}

/// One installed version of a bundle.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Release {
    /// The version.
    pub version: BundleVersion,
    /// SHA-256 of the archive, lower-case hex.
    pub digest: String,
    /// The bundle's id.
    pub bundle_id: BundleId,
}

impl Release {
    /// The name of its folder.
    pub fn folder(&self) -> String {
        let digest: String = self.digest.chars().take(FOLDER_DIGEST_CHARS).collect();
        format!("{}-{digest}", self.version)
    }

    /// Whether both are the same bytes.
    pub fn is_same(&self, other: &Self) -> bool {
        self.version == other.version && self.digest == other.digest
    }
}

/// One attempt to change what the device runs.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Attempt {
    /// The deployment.
    pub deployment_id: DeploymentId,
    /// Its number, as the command gave it.
    pub attempt: u32,
    /// Deploy or rollback.
    pub kind: DeploymentKind,
    /// The bundle's name.
    pub bundle_name: BundleName,
    /// What is to be in use afterwards.
    pub release: Release,
    /// Size of the archive.
    pub size_bytes: u64,
    /// Where its bytes are, for a while.
    pub download_url: String,
    /// Seconds that the whole attempt may take.
    pub timeout_secs: u32,
    /// How far it is.
    pub phase: Phase,
    /// When it began, by this device's clock.
    pub started_at: Timestamp,
    /// How much of the time it has used, as of the last save; a device that is off uses none.
    pub spent_millis: u64,
    /// How often the agent restarted meanwhile.
    pub restarts: u32,
    /// Why it returns to what was there before.
    pub failure: Option<Failure>,
    /// Until when the control plane stands by the attempt, as far as this device was told; by the control plane's clock.
    #[serde(default)]
    pub lease_expires_at: Option<Timestamp>,
}

impl Attempt {
    /// An attempt that begins.
    pub fn begin(order: Order) -> Self {
        Self {
            deployment_id: order.deployment_id,
            attempt: order.attempt,
            kind: order.kind,
            bundle_name: order.bundle_name,
            release: order.release,
            size_bytes: order.size_bytes,
            download_url: order.download_url,
            timeout_secs: order.timeout_secs,
            phase: Phase::Downloading,
            started_at: order.received_at,
            spent_millis: 0,
            restarts: 0,
            failure: None,
            lease_expires_at: Some(order.lease_expires_at),
        }
    }
}

/// A `deploy` or `rollback` command that has been checked.
#[derive(Clone, Debug, PartialEq)]
pub struct Order {
    /// The deployment.
    pub deployment_id: DeploymentId,
    /// Counts from 1.
    pub attempt: u32,
    /// Deploy or rollback.
    pub kind: DeploymentKind,
    /// The bundle's name.
    pub bundle_name: BundleName,
    /// What is to be in use afterwards.
    pub release: Release,
    /// Size of the archive.
    pub size_bytes: u64,
    /// Where its bytes are.
    pub download_url: String,
    /// Seconds that the whole attempt may take.
    pub timeout_secs: u32,
    /// When it came.
    pub received_at: Timestamp,
    /// Until when the control plane stands by it.
    pub lease_expires_at: Timestamp,
}

/// How far an attempt is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Phase {
    /// Fetches the bytes.
    Downloading,
    /// Compares the digest of what is on disk.
    Verifying,
    /// Unpacks beside what runs and checks the manifest.
    Staging,
    /// Stops the old version, switches, runs the script.
    Activating,
    /// Starts the workload and waits for its health check.
    Checking,
    /// Returns to what was there before.
    RollingBack,
}

impl Phase {
    /// The phase as heartbeats report it.
    pub const fn target_state(self) -> TargetState {
        match self {
            Self::Downloading => TargetState::Downloading,
            Self::Verifying => TargetState::Verifying,
            Self::Staging => TargetState::Staging,
            Self::Activating => TargetState::Activating,
            Self::Checking => TargetState::Checking,
            Self::RollingBack => TargetState::RollingBack,
        }
    }

    /// Whether what is in use may have been touched already.
    pub const fn has_switched(self) -> bool {
        matches!(self, Self::Activating | Self::Checking | Self::RollingBack)
    }
}

/// Why an attempt did not work.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Failure {
    /// For a program.
    pub code: FailureCode,
    /// For a person.
    pub message: String,
}

impl Failure {
    /// A failure with its sentence.
    pub fn new(code: FailureCode, message: impl Into<String>) -> Self {
        Self { code, message: message.into() }
    }
}

/// How an attempt ended.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Report {
    /// Its place in the order of reports.
    pub seq: u64,
    /// The deployment.
    pub deployment_id: DeploymentId,
    /// The attempt.
    pub attempt: u32,
    /// How it ended.
    pub status: ResultStatus,
    /// Why it failed.
    pub failure: Option<Failure>,
    /// How long it took.
    pub duration_secs: f64,
}

impl Report {
    /// Stays the same for as long as the report is sent.
    pub fn idempotency_key(&self) -> String {
        format!("result-{}-{}-{}", self.deployment_id, self.attempt, self.status)
    }
}

impl AgentState {
    /// What is in use under a name.
    pub fn current(&self, name: &BundleName) -> Option<&Release> {
        self.slots.get(name)?.current.as_ref()
    }

    /// The version of the configuration in use.
    pub fn config_version(&self) -> u64 {
        self.config_version.max(1)
    }
}
