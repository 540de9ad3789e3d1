//! What the agent goes by: flags over environment over `config.json` over defaults.

use std::{collections::BTreeMap, fmt, path::PathBuf};

use clap::{Args, ValueEnum};
use kernex_api::signing::KeyAlgorithm;
use kernex_core::{DeviceConfig, LogLevel};

use crate::{
    Error, config_file::ConfigFile, context::DEFAULT_KEEP_RELEASES, disk, paths::DataDir, state::MAX_KEPT,
};

/// Largest file with a registration token.
const MAX_TOKEN_BYTES: u64 = 4 * 1024;

/// Largest file with certificates.
const MAX_CA_BYTES: u64 = 1024 * 1024;

/// Settings that every command takes.
#[derive(Args, Clone, Debug)]
pub struct SettingsArgs {
    /// The control plane's address
    #[arg(long, env = "CONTROL_PLANE_URL", value_name = "URL")]
    pub control_plane: Option<String>,
    #[command(flatten)]
    #[allow(missing_docs, reason = "clap would take the text for help")]
    pub data: DataArgs,
    /// Certificates (PEM) of the authority to trust beside the public ones [default: none]
    #[arg(long, env = "KERNEX_CA_FILE", value_name = "FILE")]
    pub ca_file: Option<PathBuf>,
    /// The device's private key; made when it is missing [default: keys/device.pem in the data folder]
    #[arg(long, env = "KERNEX_KEY_PATH", value_name = "FILE")]
    pub key_path: Option<PathBuf>,
    /// Kind of key to make when there is none
    #[arg(long, env = "KERNEX_KEY_ALGORITHM", value_enum, default_value = "rsa-4096")]
    pub key_algorithm: KeyKind,
    /// Lets the device in without waiting for an operator
    #[arg(long, env = "KERNEX_REGISTRATION_TOKEN", hide_env_values = true, value_name = "TOKEN")]
    pub registration_token: Option<Secret>,
    /// Read the registration token from a file
    #[arg(long, env = "KERNEX_REGISTRATION_TOKEN_FILE", value_name = "FILE")]
    pub registration_token_file: Option<PathBuf>,
    /// The kind of machine, for example jetson
    #[arg(long, env = "KERNEX_DEVICE_TYPE", value_name = "TYPE")]
    pub device_type: Option<String>,
    /// User and group id of scripts and workloads when the agent is root [default: the user `kernex`, else 64123]
    #[arg(long, env = "KERNEX_WORKLOAD_UID", value_name = "UID", value_parser = clap::value_parser!(u32).range(1..))]
    pub workload_uid: Option<u32>,
    /// A label; may be given several times
    #[arg(long = "tag", value_name = "KEY=VALUE", value_parser = parse_tag)]
    pub tags: Vec<(String, String)>,
    /// Seconds between heartbeats, until the control plane sends a configuration [default: 60]
    #[arg(long, env = "POLLING_INTERVAL", value_name = "SECONDS")]
    pub polling_interval: Option<u32>,
    /// Seconds to wait for an answer, until the control plane sends a configuration [default: 30]
    #[arg(long, env = "HEARTBEAT_TIMEOUT", value_name = "SECONDS")]
    pub heartbeat_timeout: Option<u32>,
    /// Seconds that a script may take when its manifest says nothing, until the control plane sends a configuration
    /// [default: 300]
    #[arg(long, env = "DEPLOY_TIMEOUT", value_name = "SECONDS")]
    pub deploy_timeout: Option<u32>,
    /// TRACE, DEBUG, INFO, WARN or ERROR, until the control plane sends a configuration [default: INFO]
    #[arg(long, env = "LOG_LEVEL", value_name = "LEVEL")]
    pub log_level: Option<LogLevel>,
    /// Complete releases of each bundle to keep, 2 to 20, so that a return to one needs no download [default: 3]
    #[arg(long, env = "KERNEX_KEEP_RELEASES", value_name = "NUMBER")]
    pub keep_releases: Option<u32>,
    /// How log lines look, on standard error
    #[arg(long, env = "LOG_FORMAT", value_enum, default_value = "text")]
    pub log_format: LogFormat,
}

/// Where the agent keeps its things.
#[derive(Args, Clone, Debug)]
pub struct DataArgs {
    /// Everything that the agent keeps [default: /var/lib/kernex for root, ~/.local/share/kernex for a user]
    #[arg(long, env = "KERNEX_DATA_DIR", value_name = "DIR")]
    pub data_dir: Option<PathBuf>,
    /// The configuration file [default: config.json in the data folder]
    #[arg(long = "config", env = "KERNEX_CONFIG_PATH", value_name = "FILE")]
    pub config_path: Option<PathBuf>,
}

/// Kinds of keys.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum KeyKind {
    /// RSA with 4096 bits.
    #[value(name = "rsa-4096")]
    Rsa4096,
    /// Ed25519: made at once, small signatures.
    Ed25519,
}

impl From<KeyKind> for KeyAlgorithm {
    fn from(kind: KeyKind) -> Self {
        match kind {
            KeyKind::Rsa4096 => Self::Rsa4096,
            KeyKind::Ed25519 => Self::Ed25519,
        }
    }
}

/// How log lines look.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum LogFormat {
    /// A JSON object each.
    Json,
    /// For people.
    Text,
}

/// A text that is never shown.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(pub String);

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("***")
    }
}

impl std::str::FromStr for Secret {
    type Err = std::convert::Infallible;
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Ok(Self(text.trim().to_owned()))
    }
}

/// Settings after every source has been asked.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The data folder.
    pub data: DataDir,
    /// The configuration file.
    pub config_path: PathBuf,
    /// Its content.
    pub config: ConfigFile,
    /// The control plane's address.
    pub control_plane: String,
    /// Certificate authorities to trust beside the public ones, PEM.
    pub extra_roots_pem: Vec<u8>,
    /// The key file.
    pub key_path: PathBuf,
    /// Kind of key to make.
    pub key_algorithm: KeyAlgorithm,
    /// Lets the device in.
    pub registration_token: Option<Secret>,
    /// The kind of machine.
    pub device_type: Option<String>,
    /// Whom scripts and workloads run as when the agent is root.
    pub workload_uid: Option<u32>,
    /// Labels.
    pub tags: BTreeMap<String, String>,
    /// What holds until the control plane sends a configuration.
    pub device_config: DeviceConfig,
    /// The interval was set on this device.
    pub own_interval: bool,
    /// Complete releases of each bundle to keep.
    pub keep_releases: usize,
}

impl DataArgs {
    /// The data folder and the configuration file.
    pub fn resolve(&self) -> Result<(DataDir, PathBuf), Error> {
        let data = DataDir::new(match &self.data_dir {
            Some(dir) => std::path::absolute(dir).map_err(Error::file("find", dir))?,
            None => default_data_dir()?,
        });
        let config = self.config_path.clone().unwrap_or_else(|| data.config());
        Ok((data, config))
    }
}

impl SettingsArgs {
    /// Asks the configuration file for what flags and environment do not say.
    pub fn resolve(&self) -> Result<Settings, Error> {
        let (data, config_path) = self.data.resolve()?;
        let config = ConfigFile::load(&config_path)?;
        let control_plane =
            self.control_plane.clone().or_else(|| config.control_plane.clone()).ok_or_else(|| {
                Error::Setting(
                    "the control plane's address is missing: give --control-plane or CONTROL_PLANE_URL"
                        .to_owned(),
                )
            })?;
        let key_path = self.key_path.clone().or_else(|| config.key_path.as_ref().map(PathBuf::from));
        let own_interval = self.polling_interval.or(config.polling_interval);
        let default = DeviceConfig::default();
        let device_config = DeviceConfig {
            polling_interval: own_interval.unwrap_or(default.polling_interval),
            heartbeat_timeout: self
                .heartbeat_timeout
                .or(config.heartbeat_timeout)
                .unwrap_or(default.heartbeat_timeout),
            deploy_timeout: self.deploy_timeout.or(config.deploy_timeout).unwrap_or(default.deploy_timeout),
            log_level: self.log_level.or(config.log_level).unwrap_or(default.log_level),
            max_download_kib_per_sec: default.max_download_kib_per_sec,
            metadata: default.metadata,
        };
        device_config.check().map_err(|error| Error::Setting(error.to_string()))?;
        let mut tags = config.tags.clone();
        tags.extend(self.tags.iter().cloned());
        let ca_file = self.ca_file.clone().or_else(|| config.ca_file.as_ref().map(PathBuf::from));
        let extra_roots_pem = match &ca_file {
            Some(path) => disk::read_limited(path, MAX_CA_BYTES).map_err(Error::file("read", path))?,
            None => Vec::new(),
        };
        Ok(Settings {
            extra_roots_pem,
            key_path: key_path.unwrap_or_else(|| data.key()),
            data,
            config_path,
            control_plane,
            key_algorithm: self.key_algorithm.into(),
            registration_token: self.token()?,
            device_type: self.device_type.clone().or_else(|| config.device_type.clone()),
            workload_uid: self.workload_uid,
            tags,
            device_config,
            own_interval: own_interval.is_some(),
            keep_releases: keep_releases(self.keep_releases.or(config.keep_releases))?,
            config,
        })
    }

    fn token(&self) -> Result<Option<Secret>, Error> {
        let (None, Some(path)) = (&self.registration_token, &self.registration_token_file) else {
            return Ok(self.registration_token.clone());
        };
        let bytes = disk::read_limited(path, MAX_TOKEN_BYTES).map_err(Error::file("read", path))?;
        Ok(Some(Secret(String::from_utf8_lossy(&bytes).trim().to_owned())))
    }
}

fn keep_releases(given: Option<u32>) -> Result<usize, Error> {
    let number = given.map_or(DEFAULT_KEEP_RELEASES, |number| number as usize);
    match (2..=MAX_KEPT).contains(&number) {
        true => Ok(number),
        false => {
            Err(Error::Setting(format!("keep_releases is {number}, but must be between 2 and {MAX_KEPT}")))
        }
    }
}

fn default_data_dir() -> Result<PathBuf, Error> {
    if rustix::process::geteuid().is_root() {
        return Ok(PathBuf::from("/var/lib/kernex"));
    }
    let share = std::env::var_os("XDG_DATA_HOME").filter(|path| !path.is_empty()).map(PathBuf::from);
    let home = || Some(PathBuf::from(std::env::var_os("HOME")?).join(".local/share"));
    let share = share.or_else(home);
    let missing = || Error::Setting("no home folder is known: give --data-dir or KERNEX_DATA_DIR".to_owned());
    Ok(share.ok_or_else(missing)?.join("kernex"))
}

fn parse_tag(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((key, value)) if !key.is_empty() => Ok((key.to_owned(), value.to_owned())),
        _ => Err("expected KEY=VALUE".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Parser)]
    struct Line {
        #[command(flatten)]
        settings: SettingsArgs,
    }

    #[test]
    fn flags_win_over_the_file_and_the_file_over_defaults() {
        let dir = tempfile::tempdir().unwrap();
        let file = r#"{"control_plane":"http://file","polling_interval":7,"deploy_timeout":20,"tags":{"a":"1","b":"1"}}"#;
        std::fs::write(dir.path().join("config.json"), file).unwrap();
        let data_dir = dir.path().to_str().unwrap();
        let line = ["x", "--data-dir", data_dir, "--polling-interval", "9", "--tag", "b=2=3"];
        let settings = Line::try_parse_from(line).unwrap().settings.resolve().unwrap();
        assert_eq!(settings.control_plane, "http://file");
        let config = settings.device_config;
        assert_eq!((config.polling_interval, config.deploy_timeout, config.heartbeat_timeout), (9, 20, 30));
        assert_eq!(
            settings.tags.into_iter().collect::<Vec<_>>(),
            [("a".into(), "1".into()), ("b".into(), "2=3".into())]
        );
        assert_eq!(settings.key_path, dir.path().join("keys/device.pem"));
    }

    #[test]
    fn a_value_out_of_range_is_refused_and_a_token_is_never_shown() {
        let dir = tempfile::tempdir().unwrap();
        let data_dir = dir.path().to_str().unwrap();
        let line = ["x", "--data-dir", data_dir, "--control-plane", "http://x", "--polling-interval", "0"];
        let error = Line::try_parse_from(line).unwrap().settings.resolve().unwrap_err().to_string();
        assert_eq!(error, "polling_interval is 0, but must be between 1 and 86400 seconds");
        let line = ["x", "--data-dir", data_dir, "--control-plane", "http://x", "--keep-releases", "1"];
        let error = Line::try_parse_from(line).unwrap().settings.resolve().unwrap_err().to_string();
        assert_eq!(error, "keep_releases is 1, but must be between 2 and 20");
        let line =
            ["x", "--data-dir", data_dir, "--control-plane", "http://x", "--registration-token", "kr_secret"];
        let settings = Line::try_parse_from(line).unwrap().settings.resolve().unwrap();
        assert_eq!(settings.registration_token, Some(Secret("kr_secret".to_owned())));
        assert!(!format!("{settings:?}").contains("kr_secret"));
    }
}
