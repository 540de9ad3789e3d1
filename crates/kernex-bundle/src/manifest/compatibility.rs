//! Where a bundle may run.

use semver::{Prerelease, Version};
use serde::Deserialize;

use super::error::{ManifestError, cut};

/// The part of a manifest that says where the bundle may run.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
pub struct Compatibility {
    /// Device types; empty for all.
    #[serde(default)]
    pub device_types: Vec<String>,
    /// Processor architectures as written; empty for all.
    #[serde(default)]
    pub arch: Vec<String>,
    /// The oldest agent.
    pub agent_version_min: Option<String>,
    /// The newest agent.
    pub agent_version_max: Option<String>,
}

/// What a device is.
#[derive(Clone, Copy, Debug)]
pub struct Platform<'a> {
    /// The processor's architecture, as `std::env::consts::ARCH` has it.
    pub arch: &'a str,
    /// The device's type, where it has one.
    pub device_type: Option<&'a str>,
    /// The agent's version.
    pub agent_version: &'a str,
}

/// Why a device cannot take a bundle.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Incompatible {
    /// The bundle is for other processors.
    #[error("the bundle is for {}, this device is {device}", wanted.join(", "))]
    Arch {
        /// What the manifest lists.
        wanted: Vec<String>,
        /// What the device is.
        device: String,
    },
    /// The bundle is for other device types.
    #[error("the bundle is for devices of type {}, this device {}", wanted.join(", "), type_phrase(device.as_deref()))]
    DeviceType {
        /// What the manifest lists.
        wanted: Vec<String>,
        /// What the device is.
        device: Option<String>,
    },
    /// The agent is too old.
    #[error("the bundle needs agent {wanted} or newer, this one is {device}")]
    AgentTooOld {
        /// The oldest version that the manifest allows.
        wanted: String,
        /// The agent's version.
        device: String,
    },
    /// The agent is too new.
    #[error("the bundle needs agent {wanted} or older, this one is {device}")]
    AgentTooNew {
        /// The newest version that the manifest allows.
        wanted: String,
        /// The agent's version.
        device: String,
    },
    /// The agent's version cannot be compared.
    #[error(
        "the bundle has bounds for the agent's version, and this agent's version `{device}` is no semantic version"
    )]
    AgentUnknown {
        /// The agent's version.
        device: String,
    },
}

impl Compatibility {
    pub(super) fn check(&self, platform: &Platform<'_>) -> Result<(), Incompatible> {
        let arch = canonical_arch(platform.arch);
        if !self.arch.is_empty() && !self.arch.iter().any(|wanted| canonical_arch(wanted) == arch) {
            return Err(Incompatible::Arch { wanted: self.arch.clone(), device: platform.arch.to_owned() });
        }
        let is_type = |wanted: &String| platform.device_type == Some(wanted.as_str());
        if !self.device_types.is_empty() && !self.device_types.iter().any(is_type) {
            let device = platform.device_type.map(str::to_owned);
            return Err(Incompatible::DeviceType { wanted: self.device_types.clone(), device });
        }
        self.check_agent(platform.agent_version)
    }

    fn check_agent(&self, agent_version: &str) -> Result<(), Incompatible> {
        if self.agent_version_min.is_none() && self.agent_version_max.is_none() {
            return Ok(());
        }
        let device = cut(agent_version);
        let Some(agent) = bound(agent_version, 0) else {
            return Err(Incompatible::AgentUnknown { device });
        };
        if let Some(wanted) = self.agent_version_min.as_ref()
            && bound(wanted, 0).is_some_and(|min| agent < min)
        {
            return Err(Incompatible::AgentTooOld { wanted: wanted.clone(), device });
        }
        if let Some(wanted) = self.agent_version_max.as_ref()
            && bound(wanted, u64::MAX).is_some_and(|max| agent.cmp_precedence(&max).is_gt())
        {
            return Err(Incompatible::AgentTooNew { wanted: wanted.clone(), device });
        }
        Ok(())
    }

    /// Bounds that cannot be compared would be no bounds at all.
    pub(super) fn check_bounds(&self) -> Result<(), ManifestError> {
        let bounds =
            [("agent_version_min", &self.agent_version_min), ("agent_version_max", &self.agent_version_max)];
        for (field, text) in bounds {
            if let Some(text) = text.as_ref().filter(|text| bound(text, 0).is_none()) {
                return Err(ManifestError::invalid(field, format!("`{}` is no semantic version", cut(text))));
            }
        }
        Ok(())
    }
}

/// A version, parts that are missing filled: `1.4` as the newest version allows every 1.4.x.
fn bound(text: &str, missing: u64) -> Option<Version> {
    let text = text.strip_prefix('v').unwrap_or(text);
    if let Ok(version) = Version::parse(text) {
        return Some(version);
    }
    let mut parts = text.split('.').map(|part| part.parse::<u64>().ok());
    let (major, minor) = (parts.next()??, parts.next().unwrap_or(Some(missing))?);
    let patch = parts.next().unwrap_or(Some(missing))?;
    let version =
        Version { major, minor, patch, pre: Prerelease::EMPTY, build: semver::BuildMetadata::EMPTY };
    parts.next().is_none().then_some(version)
}

/// One name for each architecture; Debian, Docker and Go have their own.
fn canonical_arch(arch: &str) -> &str {
    match arch {
        "arm64" => "aarch64",
        "amd64" | "x64" | "x86-64" => "x86_64",
        "armv7" | "armv7l" | "armhf" | "armv6l" | "armel" => "arm",
        "i386" | "i686" => "x86",
        other => other,
    }
}

fn type_phrase(device: Option<&str>) -> String {
    device.map_or_else(|| "has none".to_owned(), |device| format!("is a {device}"))
}
