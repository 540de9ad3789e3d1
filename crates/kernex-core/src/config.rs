//! A device's configuration: what an operator may set, its defaults and its limits.

use serde::{Deserialize, Deserializer, Serialize};
use utoipa::ToSchema;

/// How much the agent logs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "UPPERCASE")]
pub enum LogLevel {
    /// Everything, down to single requests.
    Trace,
    /// What helps to find a fault.
    Debug,
    /// What an operator wants to see afterwards.
    Info,
    /// What somebody should look at.
    #[serde(alias = "WARNING")]
    Warn,
    /// What did not work.
    Error,
}

impl LogLevel {
    /// The level as it is spelled in JSON.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Trace => "TRACE",
            Self::Debug => "DEBUG",
            Self::Info => "INFO",
            Self::Warn => "WARN",
            Self::Error => "ERROR",
        }
    }
}

impl std::str::FromStr for LogLevel {
    type Err = ConfigError;
    fn from_str(text: &str) -> Result<Self, ConfigError> {
        match text.to_ascii_uppercase().as_str() {
            "TRACE" => Ok(Self::Trace),
            "DEBUG" => Ok(Self::Debug),
            "INFO" => Ok(Self::Info),
            "WARN" | "WARNING" => Ok(Self::Warn),
            "ERROR" => Ok(Self::Error),
            _ => Err(ConfigError::LogLevel(text.chars().take(80).collect())),
        }
    }
}

/// What a device goes by.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct DeviceConfig {
    /// Seconds between heartbeats, 1 to 86400.
    #[schema(minimum = 1, maximum = 86_400)]
    pub polling_interval: u32,
    /// Seconds that the agent waits for the answer to a request, 1 to 300.
    #[schema(minimum = 1, maximum = 300)]
    pub heartbeat_timeout: u32,
    /// Seconds that a script may take when the manifest says nothing, 10 to 86400.
    #[schema(minimum = 10, maximum = 86_400)]
    pub deploy_timeout: u32,
    /// How much the agent logs.
    pub log_level: LogLevel,
    /// KiB per second that downloads of bundles may take, 1 to 10000000; absent means no limit.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(minimum = 1, maximum = 10_000_000)]
    pub max_download_kib_per_sec: Option<u32>,
    /// Free data for the device, at most 16 KiB as JSON.
    #[schema(value_type = Object)]
    pub metadata: Metadata,
}

/// Free JSON data under text keys.
pub type Metadata = serde_json::Map<String, serde_json::Value>;

impl Default for DeviceConfig {
    fn default() -> Self {
        Self {
            polling_interval: 60,
            heartbeat_timeout: 30,
            deploy_timeout: 300,
            log_level: LogLevel::Info,
            max_download_kib_per_sec: None,
            metadata: Metadata::new(),
        }
    }
}

/// A change to a device's configuration: a missing field keeps its value. So does `null`, other than for a value that may be
/// absent, which it removes.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ConfigPatch {
    /// Seconds between heartbeats, 1 to 86400.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub polling_interval: Option<u32>,
    /// Seconds that the agent waits for the answer to a request, 1 to 300.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub heartbeat_timeout: Option<u32>,
    /// Seconds that a script may take when the manifest says nothing, 10 to 86400.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub deploy_timeout: Option<u32>,
    /// How much the agent logs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub log_level: Option<LogLevel>,
    /// KiB per second that downloads of bundles may take, 1 to 10000000; `null` removes the limit.
    #[serde(default, deserialize_with = "given", skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<u32>)]
    pub max_download_kib_per_sec: Option<Option<u32>>,
    /// Free data for the device; replaces what was there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Object>)]
    pub metadata: Option<Metadata>,
}

/// Tells `null` from a field that is missing.
fn given<'de, D: Deserializer<'de>>(value: D) -> Result<Option<Option<u32>>, D::Error> {
    Option::deserialize(value).map(Some)
}

/// Why a configuration is refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ConfigError {
    /// A number outside its limits.
    #[error("{field} is {value}, but must be between {min} and {max} {unit}")]
    OutOfRange {
        /// The field.
        field: &'static str,
        /// What was given.
        value: u32,
        /// The least that is allowed.
        min: u32,
        /// The most that is allowed.
        max: u32,
        /// Of what.
        unit: &'static str,
    },
    /// A word that is no log level.
    #[error("log_level `{0}` is none of: TRACE, DEBUG, INFO, WARN, ERROR")]
    LogLevel(String),
}

impl DeviceConfig {
    /// The configuration after a change, if every value is within its limits.
    pub fn patched(&self, patch: &ConfigPatch) -> Result<Self, ConfigError> {
        let config = Self {
            polling_interval: patch.polling_interval.unwrap_or(self.polling_interval),
            heartbeat_timeout: patch.heartbeat_timeout.unwrap_or(self.heartbeat_timeout),
            deploy_timeout: patch.deploy_timeout.unwrap_or(self.deploy_timeout),
            log_level: patch.log_level.unwrap_or(self.log_level),
            max_download_kib_per_sec: patch.max_download_kib_per_sec.unwrap_or(self.max_download_kib_per_sec),
            metadata: patch.metadata.clone().unwrap_or_else(|| self.metadata.clone()),
        };
        config.check()?;
        Ok(config)
    }

    /// Whether every value is within its limits.
    pub fn check(&self) -> Result<(), ConfigError> {
        within("polling_interval", self.polling_interval, 1, 86_400, "seconds")?;
        within("heartbeat_timeout", self.heartbeat_timeout, 1, 300, "seconds")?;
        within("deploy_timeout", self.deploy_timeout, 10, 86_400, "seconds")?;
        match self.max_download_kib_per_sec {
            Some(limit) => within("max_download_kib_per_sec", limit, 1, 10_000_000, "KiB per second"),
            None => Ok(()),
        }
    }
}

fn within(
    field: &'static str,
    value: u32,
    min: u32,
    max: u32,
    unit: &'static str,
) -> Result<(), ConfigError> {
    if (min..=max).contains(&value) {
        Ok(())
    } else {
        Err(ConfigError::OutOfRange { field, value, min, max, unit })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_missing_field_keeps_its_value_and_a_bad_one_changes_nothing() {
        let config = DeviceConfig::default();
        let patch = ConfigPatch { polling_interval: Some(120), ..ConfigPatch::default() };
        let changed = config.patched(&patch).unwrap();
        assert_eq!((changed.polling_interval, changed.deploy_timeout), (120, 300));
        let bad = ConfigPatch { deploy_timeout: Some(0), ..patch };
        assert_eq!(
            config.patched(&bad).unwrap_err().to_string(),
            "deploy_timeout is 0, but must be between 10 and 86400 seconds"
        );
    }

    #[test]
    fn a_limit_on_downloads_is_optional_kept_and_checked() {
        let config: DeviceConfig = serde_json::from_str(
            r#"{"polling_interval":60,"heartbeat_timeout":30,"deploy_timeout":300,"log_level":"INFO","metadata":{}}"#,
        )
        .unwrap();
        assert_eq!(config.max_download_kib_per_sec, None);
        let limit = |kib| ConfigPatch { max_download_kib_per_sec: Some(Some(kib)), ..ConfigPatch::default() };
        let limited = config.patched(&limit(500)).unwrap();
        assert_eq!(limited.patched(&ConfigPatch::default()).unwrap().max_download_kib_per_sec, Some(500));
        assert_eq!(
            limited.patched(&limit(0)).unwrap_err().to_string(),
            "max_download_kib_per_sec is 0, but must be between 1 and 10000000 KiB per second"
        );
    }

    #[test]
    fn null_removes_the_limit_on_downloads_and_a_missing_field_does_not() {
        let limited = DeviceConfig { max_download_kib_per_sec: Some(500), ..DeviceConfig::default() };
        for (text, left) in [
            (r#"{"max_download_kib_per_sec":null}"#, None),
            (r#"{"max_download_kib_per_sec":7}"#, Some(7)),
            (r#"{"polling_interval":null}"#, Some(500)),
        ] {
            let patch: ConfigPatch = serde_json::from_str(text).unwrap();
            let config = limited.patched(&patch).unwrap();
            assert_eq!((config.max_download_kib_per_sec, config.polling_interval), (left, 60), "{text}");
        }
        let removed = ConfigPatch { max_download_kib_per_sec: Some(None), ..ConfigPatch::default() };
        assert_eq!(serde_json::to_string(&removed).unwrap(), r#"{"max_download_kib_per_sec":null}"#);
    }

    #[test]
    fn a_configuration_reads_back_with_free_data_as_it_was() {
        let text = r#"{"polling_interval":60,"heartbeat_timeout":30,"deploy_timeout":300,"log_level":"INFO","metadata":{"a":[1,2.5,null,true,{"b":"c"}]}}"#;
        let config: DeviceConfig = serde_json::from_str(text).unwrap();
        assert_eq!(serde_json::to_string(&config).unwrap(), text);
    }
}
