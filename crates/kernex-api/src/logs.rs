//! Logs that devices ship.

use kernex_core::{DeviceId, LogLevel, Timestamp};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// One line, as a device ships it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct LogEntry {
    /// The device that ships it: the one that signs.
    pub device_id: DeviceId,
    /// How serious; read without regard to case.
    #[serde(deserialize_with = "level_in_any_case")]
    pub level: LogLevel,
    /// The line, at most 8 KiB; a longer one is cut.
    pub message: String,
    /// When, by the device's clock.
    pub timestamp: Timestamp,
    /// More about it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Object>)]
    pub fields: Option<serde_json::Map<String, serde_json::Value>>,
}

/// What a batch did.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct LogsIngested {
    /// Lines that were stored.
    pub ingested: usize,
}

/// One line, as it is listed.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct StoredLogEntry {
    /// The device that shipped it.
    pub device_id: DeviceId,
    /// How serious.
    pub level: LogLevel,
    /// The line.
    pub message: String,
    /// When, by the device's clock.
    pub timestamp: Timestamp,
    /// When the control plane stored it.
    pub received_at: Timestamp,
    /// More about it.
    #[schema(value_type = Option<Object>)]
    pub fields: Option<serde_json::Map<String, serde_json::Value>>,
}

/// One page of lines, newest first.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct LogList {
    /// The lines.
    pub logs: Vec<StoredLogEntry>,
    /// Where the next page begins.
    pub next_cursor: Option<String>,
}

fn level_in_any_case<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<LogLevel, D::Error> {
    String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
}
