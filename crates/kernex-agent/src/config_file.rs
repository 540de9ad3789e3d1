//! `config.json`: where the control plane is, who the device is, and what the device's owner set.

use std::{collections::BTreeMap, io, path::Path};

use kernex_core::{DeviceId, LogLevel};
use serde::{Deserialize, Serialize};

use crate::{Error, disk};

const MAX_CONFIG_BYTES: u64 = 1024 * 1024;

/// The file's content. What a newer agent wrote is kept.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct ConfigFile {
    /// The control plane's address.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub control_plane: Option<String>,
    /// Who the device is; written when it has registered.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub device_id: Option<DeviceId>,
    /// Where it registered.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub registered_with: Option<String>,
    /// With which key: SHA-256 of the public half.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub key_fingerprint: Option<String>,
    /// The key file.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub key_path: Option<String>,
    /// Certificates of the authority to trust beside the public ones.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ca_file: Option<String>,
    /// The kind of machine.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub device_type: Option<String>,
    /// Labels.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub tags: BTreeMap<String, String>,
    /// Seconds between heartbeats.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub polling_interval: Option<u32>,
    /// Seconds to wait for an answer.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub heartbeat_timeout: Option<u32>,
    /// Seconds that a script may take.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub deploy_timeout: Option<u32>,
    /// How much the agent logs.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub log_level: Option<LogLevel>,
    /// Complete releases of each bundle to keep.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub keep_releases: Option<u32>,
    /// Lines that this agent does not know.
    #[serde(flatten)]
    pub others: serde_json::Map<String, serde_json::Value>,
}

impl ConfigFile {
    /// Reads the file; a missing one is empty.
    pub fn load(path: &Path) -> Result<Self, Error> {
        let bytes = match disk::read_limited(path, MAX_CONFIG_BYTES) {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Self::default()),
            Err(source) => return Err(Error::File { action: "read", path: path.to_owned(), source }),
        };
        serde_json::from_slice(&bytes)
            .map_err(|error| Error::ConfigFile { path: path.to_owned(), reason: error.to_string() })
    }

    /// Writes the file as a whole.
    pub fn save(&self, path: &Path) -> Result<(), Error> {
        let bytes = serde_json::to_vec_pretty(self).map_err(io::Error::from);
        bytes.and_then(|bytes| disk::write_atomic(path, &bytes)).map_err(Error::file("write", path))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_of_a_newer_agent_are_kept_and_a_damaged_file_is_named() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("config.json");
        assert_eq!(ConfigFile::load(&path).unwrap(), ConfigFile::default());
        std::fs::write(&path, r#"{"control_plane":"http://x","proxy":{"a":1}}"#).unwrap();
        let mut config = ConfigFile::load(&path).unwrap();
        config.polling_interval = Some(5);
        config.save(&path).unwrap();
        let text = std::fs::read_to_string(&path).unwrap();
        assert!(text.contains("\"proxy\"") && text.contains("\"polling_interval\": 5"), "{text}");
        std::fs::write(&path, "{").unwrap();
        assert!(ConfigFile::load(&path).unwrap_err().to_string().contains("is not a valid configuration"));
    }
}
