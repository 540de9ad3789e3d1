//! Settings: flag over environment over file over default.
//!
//! [`Options`] is the one list of settings: clap reads it from flags and the environment, serde from the TOML file.
//! `docs/server.md` has a line for each; a test compares the two.

use std::{net::SocketAddr, path::PathBuf};

use anyhow::{Context as _, bail};
use clap::Args;
use serde::Deserialize;

use crate::secrets::{VaultSettings, credential, secret_value};

use crate::outbound::Allowed;

/// Everything that can be set, each where it is set.
#[derive(Clone, Debug, Default, Args, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Options {
    /// A TOML file with settings; the names are those of the flags with `_` for `-`.
    #[arg(long, env = "KERNEX_CONFIG", value_name = "FILE")]
    #[serde(skip)]
    pub config: Option<PathBuf>,
    /// Address and port to listen on [default: 127.0.0.1:8000].
    #[arg(long, env = "KERNEX_LISTEN", value_name = "ADDRESS:PORT")]
    pub listen: Option<SocketAddr>,
    /// Folder for the SQLite database, bundle bytes and the secret key [default: ./kernex-data].
    #[arg(long, env = "KERNEX_DATA_DIR", value_name = "DIR")]
    pub data_dir: Option<PathBuf>,
    /// Database: `sqlite:PATH` or `postgres://user:password@host/name` [default: kernex.db in the data folder].
    #[arg(long, env = "DATABASE_URL", value_name = "URL", hide_env_values = true)]
    pub database_url: Option<String>,
    /// File that holds the database's address, in place of the setting above.
    #[arg(long, env = "DATABASE_URL_FILE", value_name = "FILE")]
    pub database_url_file: Option<PathBuf>,
    /// Most connections to PostgreSQL [default: 16].
    #[arg(long, env = "KERNEX_DATABASE_MAX_CONNECTIONS", value_name = "N")]
    pub database_max_connections: Option<u32>,
    /// File with the secret that signs tokens and download addresses, at least 32 bytes [default: secret.key in the data
    /// folder, made at first start].
    #[arg(long, env = "KERNEX_SECRET_KEY_FILE", value_name = "FILE")]
    pub secret_key_file: Option<PathBuf>,
    /// Encrypt the bytes of bundles that are uploaded from now on; see `kernex-server bundles encrypt` for those that are there
    /// [default: false].
    #[arg(long, env = "KERNEX_ENCRYPT_BUNDLES", value_name = "BOOL", num_args = 0..=1, default_missing_value = "true")]
    pub encrypt_bundles: Option<bool>,
    /// Address of a HashiCorp Vault.
    #[arg(long, env = "VAULT_ADDR", value_name = "URL")]
    pub vault_address: Option<String>,
    /// Token for Vault; other users of this machine can see flags, so prefer the file.
    #[arg(long, env = "VAULT_TOKEN", value_name = "TOKEN", hide_env_values = true)]
    pub vault_token: Option<String>,
    /// File that holds the token for Vault.
    #[arg(long, env = "VAULT_TOKEN_FILE", value_name = "FILE")]
    pub vault_token_file: Option<PathBuf>,
    /// File (PEM) with the authority that signed Vault's certificate.
    #[arg(long, env = "VAULT_CACERT", value_name = "FILE")]
    pub vault_ca_file: Option<PathBuf>,
    /// Secret of a KV store (version 2) in Vault, `MOUNT/PATH`; its fields `database_url` and `secret_key` are used.
    #[arg(long, env = "KERNEX_VAULT_SECRETS", value_name = "MOUNT/PATH")]
    pub vault_secrets: Option<String>,
    /// Key of Vault's transit engine, `MOUNT/NAME`, that wraps the keys of bundles.
    #[arg(long, env = "KERNEX_VAULT_TRANSIT_KEY", value_name = "MOUNT/NAME")]
    pub vault_transit_key: Option<String>,
    /// Address under which people and devices reach the control plane; used in links [default: http:// and the address listened on].
    #[arg(long, env = "KERNEX_PUBLIC_URL", value_name = "URL")]
    pub public_url: Option<String>,
    /// Refuse devices that sign with `rsa-pkcs1-sha256`, registered ones too [default: false].
    #[arg(long, env = "KERNEX_REFUSE_RSA_PKCS1", value_name = "BOOL", num_args = 0..=1, default_missing_value = "true")]
    pub refuse_rsa_pkcs1: Option<bool>,
    /// Largest bundle archive in bytes [default: 17179869184].
    #[arg(long, env = "KERNEX_MAX_BUNDLE_BYTES", value_name = "BYTES")]
    pub max_bundle_bytes: Option<u64>,
    /// Largest sum of a bundle's unpacked files in bytes [default: 34359738368].
    #[arg(long, env = "KERNEX_MAX_UNPACKED_BYTES", value_name = "BYTES")]
    pub max_unpacked_bytes: Option<u64>,
    /// Uploads that may run at the same time; a further one gets 503 with Retry-After [default: 8].
    #[arg(long, env = "KERNEX_MAX_UPLOADS", value_name = "N")]
    pub max_uploads: Option<u32>,
    /// Most connections at the same time; further ones wait [default: 10000].
    #[arg(long, env = "KERNEX_MAX_CONNECTIONS", value_name = "N")]
    pub max_connections: Option<u32>,
    /// Seconds until an access token expires; the login renews it [default: 900].
    #[arg(long, env = "KERNEX_TOKEN_TTL_SECS", value_name = "SECS")]
    pub token_ttl_secs: Option<u32>,
    /// Seconds until a login ends, used or not [default: 43200].
    #[arg(long, env = "KERNEX_SESSION_TTL_SECS", value_name = "SECS")]
    pub session_ttl_secs: Option<u32>,
    /// Seconds until a browser's login ends that is not used [default: 1800].
    #[arg(long, env = "KERNEX_SESSION_IDLE_SECS", value_name = "SECS")]
    pub session_idle_secs: Option<u32>,
    /// Seconds until a download address in a command expires [default: 86400].
    #[arg(long, env = "KERNEX_DOWNLOAD_TTL_SECS", value_name = "SECS")]
    pub download_ttl_secs: Option<u32>,
    /// Seconds that a device may take for one attempt [default: 21600].
    #[arg(long, env = "KERNEX_ATTEMPT_TIMEOUT_SECS", value_name = "SECS")]
    pub attempt_timeout_secs: Option<u32>,
    /// Seconds without progress after which an attempt of a device that is online is given up; never less than three of its
    /// heartbeat intervals [default: 900].
    #[arg(long, env = "KERNEX_LEASE_SECS", value_name = "SECS")]
    pub lease_secs: Option<u32>,
    /// Most devices of an organisation that may wait for approval [default: 1000].
    #[arg(long, env = "KERNEX_MAX_PENDING_DEVICES", value_name = "N")]
    pub max_pending_devices: Option<u32>,
    /// Days that heartbeats are kept [default: 7].
    #[arg(long, env = "KERNEX_HEARTBEAT_RETENTION_DAYS", value_name = "DAYS")]
    pub heartbeat_retention_days: Option<u32>,
    /// Days that logs of devices are kept [default: 7].
    #[arg(long, env = "KERNEX_LOG_RETENTION_DAYS", value_name = "DAYS")]
    pub log_retention_days: Option<u32>,
    /// Days that events and steps of deployments are kept [default: 90].
    #[arg(long, env = "KERNEX_EVENT_RETENTION_DAYS", value_name = "DAYS")]
    pub event_retention_days: Option<u32>,
    /// Tag that names a device's site: when a whole site goes offline, one event tells it [default: site].
    #[arg(long, env = "KERNEX_SITE_TAG", value_name = "KEY")]
    pub site_tag: Option<String>,
    /// What webhooks and OpenID Connect may reach beside public addresses: networks and names of hosts, with commas between.
    #[arg(long, env = "KERNEX_OUTBOUND_ALLOW", value_name = "LIST")]
    pub outbound_allow: Option<String>,
    /// PEM file with certificate authorities that webhooks and OpenID Connect trust beside the public ones.
    #[arg(long, env = "KERNEX_OUTBOUND_CA_FILE", value_name = "FILE")]
    pub outbound_ca_file: Option<PathBuf>,
    /// Seconds that requests may still take after SIGTERM [default: 30].
    #[arg(long, env = "KERNEX_SHUTDOWN_SECS", value_name = "SECS")]
    pub shutdown_secs: Option<u32>,
    /// How the program logs: `text` or `json` [default: text].
    #[arg(long, env = "KERNEX_LOG_FORMAT", value_name = "FORMAT")]
    pub log_format: Option<LogFormat>,
    /// What the program logs: a level, or a filter such as `info,kernex_server=debug` [default: info].
    #[arg(long, env = "KERNEX_LOG", value_name = "FILTER")]
    pub log: Option<String>,
}

/// How the program logs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LogFormat {
    /// Lines for people.
    Text,
    /// One JSON object per line.
    Json,
}

/// Every setting with its value.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Address and port to listen on.
    pub listen: SocketAddr,
    /// Folder for the SQLite database, bundle bytes and the secret key.
    pub data_dir: PathBuf,
    /// Where the database is.
    pub database_url: DatabaseUrl,
    /// Most connections to PostgreSQL.
    pub database_max_connections: u32,
    /// File with the secret key.
    pub secret_key_file: PathBuf,
    /// The secret key itself, where it comes from Vault.
    pub secret_key: Option<SecretText>,
    /// Whether the bytes of new bundles are encrypted.
    pub encrypt_bundles: bool,
    /// Where Vault is, and what of it is used.
    pub vault: Option<VaultSettings>,
    /// Address under which the control plane is reached.
    pub public_url: Option<url::Url>,
    /// Whether devices that sign with `rsa-pkcs1-sha256` are refused.
    pub refuse_rsa_pkcs1: bool,
    /// Largest bundle archive in bytes.
    pub max_bundle_bytes: u64,
    /// Largest sum of a bundle's unpacked files in bytes.
    pub max_unpacked_bytes: u64,
    /// Uploads at the same time.
    pub max_uploads: u32,
    /// Connections at the same time.
    pub max_connections: u32,
    /// Seconds until an access token expires.
    pub token_ttl_secs: u32,
    /// Seconds until a login ends, used or not.
    pub session_ttl_secs: u32,
    /// Seconds until a browser's login ends that is not used.
    pub session_idle_secs: u32,
    /// Seconds until a download address expires.
    pub download_ttl_secs: u32,
    /// Seconds that a device may take for one attempt.
    pub attempt_timeout_secs: u32,
    /// Seconds without progress after which an attempt is given up.
    pub lease_secs: u32,
    /// Devices of an organisation that may wait for approval.
    pub max_pending_devices: u32,
    /// Days that heartbeats are kept.
    pub heartbeat_retention_days: u32,
    /// Days that logs of devices are kept.
    pub log_retention_days: u32,
    /// How long events and steps of deployments are kept.
    pub event_retention_days: u32,
    /// The tag that names a device's site.
    pub site_tag: String,
    /// What requests to others may reach beside public addresses.
    pub outbound_allow: Vec<Allowed>,
    /// Certificate authorities that requests to others trust beside the public ones.
    pub outbound_ca_file: Option<PathBuf>,
    /// Seconds that requests may still take after SIGTERM.
    pub shutdown_secs: u32,
    /// How the program logs.
    pub log_format: LogFormat,
    /// What the program logs.
    pub log: String,
}

/// A database's address, which may hold a password: its debug form leaves it out.
#[derive(Clone, PartialEq, Eq)]
pub struct DatabaseUrl(String);

impl DatabaseUrl {
    /// The address as it was given.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl std::fmt::Debug for DatabaseUrl {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match url::Url::parse(&self.0) {
            Ok(url) if url.password().is_none() && url.query().is_none() => f.write_str(&self.0),
            Ok(mut url) => {
                let _ = url.set_password(None);
                url.set_query(None);
                f.write_str(url.as_str())
            }
            Err(_) => f.write_str("(not an address)"),
        }
    }
}

/// Takes every setting that the first lacks from the second.
macro_rules! or {
    ($first:ident, $second:ident, $($field:ident)*) => { Options { config: $first.config, $($field: $first.$field.or($second.$field),)* } };
}

impl Settings {
    /// Puts flags, environment, file and defaults together, and checks them.
    pub fn resolve(options: Options) -> anyhow::Result<Self> {
        let file = match &options.config {
            Some(path) => read_file(path)?,
            None => Options::default(),
        };
        let options = or!(options, file, listen data_dir database_url database_url_file database_max_connections
            secret_key_file encrypt_bundles vault_address vault_token vault_token_file vault_ca_file vault_secrets
            vault_transit_key public_url refuse_rsa_pkcs1 max_bundle_bytes max_unpacked_bytes max_uploads max_connections token_ttl_secs
            session_ttl_secs session_idle_secs
            download_ttl_secs attempt_timeout_secs lease_secs max_pending_devices heartbeat_retention_days
            log_retention_days event_retention_days site_tag outbound_allow outbound_ca_file shutdown_secs log_format log);
        let data_dir = options.data_dir.clone().unwrap_or_else(|| PathBuf::from("./kernex-data"));
        Ok(Self {
            listen: options.listen.unwrap_or_else(|| SocketAddr::from(([127, 0, 0, 1], 8000))),
            database_url: database_url(&options, &data_dir)?,
            database_max_connections: at_least(
                "database_max_connections",
                options.database_max_connections,
                16,
                1,
            )?,
            vault: vault_settings(&options)?,
            secret_key_file: options
                .secret_key_file
                .or_else(|| credential("kernex-secret-key"))
                .unwrap_or_else(|| data_dir.join("secret.key")),
            secret_key: None,
            encrypt_bundles: options.encrypt_bundles.unwrap_or(false),
            public_url: options.public_url.as_deref().map(public_url).transpose()?,
            refuse_rsa_pkcs1: options.refuse_rsa_pkcs1.unwrap_or(false),
            max_bundle_bytes: options.max_bundle_bytes.unwrap_or(16 << 30),
            max_unpacked_bytes: options.max_unpacked_bytes.unwrap_or(32 << 30),
            max_uploads: at_least("max_uploads", options.max_uploads, 8, 1)?,
            max_connections: at_least("max_connections", options.max_connections, 10_000, 1)?,
            token_ttl_secs: at_least("token_ttl_secs", options.token_ttl_secs, 900, 60)?,
            session_ttl_secs: at_least("session_ttl_secs", options.session_ttl_secs, 43_200, 60)?,
            // The time of the last use is kept to the minute.
            session_idle_secs: at_least("session_idle_secs", options.session_idle_secs, 1_800, 120)?,
            download_ttl_secs: at_least("download_ttl_secs", options.download_ttl_secs, 86_400, 60)?,
            attempt_timeout_secs: at_least("attempt_timeout_secs", options.attempt_timeout_secs, 21_600, 10)?,
            lease_secs: at_least("lease_secs", options.lease_secs, 900, 1)?,
            max_pending_devices: at_least("max_pending_devices", options.max_pending_devices, 1_000, 1)?,
            heartbeat_retention_days: at_least(
                "heartbeat_retention_days",
                options.heartbeat_retention_days,
                7,
                1,
            )?,
            log_retention_days: at_least("log_retention_days", options.log_retention_days, 7, 1)?,
            event_retention_days: at_least("event_retention_days", options.event_retention_days, 90, 1)?,
            site_tag: options.site_tag.unwrap_or_else(|| "site".to_owned()),
            outbound_allow: list("outbound_allow", options.outbound_allow.as_deref())?,
            outbound_ca_file: options.outbound_ca_file,
            shutdown_secs: options.shutdown_secs.unwrap_or(30),
            log_format: options.log_format.unwrap_or(LogFormat::Text),
            log: options.log.unwrap_or_else(|| "info".to_owned()),
            data_dir,
        })
    }

    /// Takes what a secret in Vault holds in place of the settings of the same names.
    pub fn take_secrets(
        &mut self,
        mut fields: std::collections::BTreeMap<String, String>,
    ) -> anyhow::Result<()> {
        if let Some(url) = fields.remove("database_url") {
            self.database_url = check_database_url(url)?;
        }
        self.secret_key = fields.remove("secret_key").map(SecretText);
        if let Some((name, _)) = fields.pop_first() {
            bail!("the secret in Vault has the field `{name}`, which is none of: database_url, secret_key");
        }
        Ok(())
    }

    /// Folder of the keys that the control plane makes for itself.
    pub fn keys_dir(&self) -> PathBuf {
        self.data_dir.join("keys")
    }

    /// Every setting with its value, as a TOML file would say it; secrets left out.
    pub fn describe(&self) -> String {
        let public_url =
            self.public_url.as_ref().map_or_else(|| format!("http://{}", self.listen), ToString::to_string);
        let format = match self.log_format {
            LogFormat::Text => "text",
            LogFormat::Json => "json",
        };
        let mut text = format!(
            "listen = \"{}\"\ndata_dir = {:?}\ndatabase_url = \"{:?}\"\ndatabase_max_connections = {}\n\
             secret_key_file = {:?}\npublic_url = \"{}\"\nrefuse_rsa_pkcs1 = {}\nmax_bundle_bytes = {}\nmax_unpacked_bytes = {}\nmax_uploads = {}\n\
             max_connections = {}\ntoken_ttl_secs = {}\nsession_ttl_secs = {}\nsession_idle_secs = {}\ndownload_ttl_secs = {}\nattempt_timeout_secs = {}\nlease_secs = {}\n\
             max_pending_devices = {}\nheartbeat_retention_days = {}\nlog_retention_days = {}\nevent_retention_days = {}\nsite_tag = {:?}\nshutdown_secs = {}\n\
             log_format = \"{}\"\nlog = {:?}\n",
            self.listen,
            self.data_dir,
            self.database_url,
            self.database_max_connections,
            self.secret_key_file,
            public_url.trim_end_matches('/'),
            self.refuse_rsa_pkcs1,
            self.max_bundle_bytes,
            self.max_unpacked_bytes,
            self.max_uploads,
            self.max_connections,
            self.token_ttl_secs,
            self.session_ttl_secs,
            self.session_idle_secs,
            self.download_ttl_secs,
            self.attempt_timeout_secs,
            self.lease_secs,
            self.max_pending_devices,
            self.heartbeat_retention_days,
            self.log_retention_days,
            self.event_retention_days,
            self.site_tag,
            self.shutdown_secs,
            format,
            self.log,
        );
        text.push_str(&format!("encrypt_bundles = {}\n", self.encrypt_bundles));
        text.push_str(&self.vault.as_ref().map(describe_vault).unwrap_or_default());
        let mut add = |name: &str, value: &dyn std::fmt::Debug| {
            let _ = std::fmt::Write::write_fmt(&mut text, format_args!("{name} = {value:?}\n"));
        };
        add("outbound_allow", &listed(&self.outbound_allow));
        if let Some(path) = &self.outbound_ca_file {
            add("outbound_ca_file", path);
        }
        text
    }
}

fn read_file(path: &std::path::Path) -> anyhow::Result<Options> {
    let text = std::fs::read_to_string(path)
        .with_context(|| format!("cannot read the configuration file {}", path.display()))?;
    toml::from_str(&text).with_context(|| format!("the configuration file {} is not valid", path.display()))
}

fn database_url(options: &Options, data_dir: &std::path::Path) -> anyhow::Result<DatabaseUrl> {
    let file = options.database_url_file.as_deref();
    let url = secret_value("database_url", options.database_url.clone(), file, "kernex-database-url")?;
    check_database_url(url.unwrap_or_else(|| format!("sqlite:{}", data_dir.join("kernex.db").display())))
}

fn check_database_url(url: String) -> anyhow::Result<DatabaseUrl> {
    if !["sqlite:", "postgres://", "postgresql://"].iter().any(|scheme| url.starts_with(scheme)) {
        bail!("database_url must begin with sqlite: or postgres://");
    }
    Ok(DatabaseUrl(url))
}

fn vault_settings(options: &Options) -> anyhow::Result<Option<VaultSettings>> {
    let (secrets, transit) = (
        mount_and_path("vault_secrets", options.vault_secrets.as_deref())?,
        mount_and_path("vault_transit_key", options.vault_transit_key.as_deref())?,
    );
    if secrets.is_none() && transit.is_none() {
        return Ok(None); // VAULT_ADDR alone is for other programs
    }
    let address = options.vault_address.as_deref();
    let address = address.context("vault_secrets and vault_transit_key need vault_address")?;
    let address =
        url::Url::parse(address).with_context(|| format!("vault_address `{address}` is not an address"))?;
    let file = options.vault_token_file.as_deref();
    let token = secret_value("vault_token", options.vault_token.clone(), file, "kernex-vault-token")?;
    let token = token.context("vault_address is set, but neither vault_token nor vault_token_file")?;
    let ca_file = options.vault_ca_file.as_ref().map(|path| path.display().to_string());
    Ok(Some(VaultSettings { address, token, ca_file, secrets, transit }))
}

fn mount_and_path(name: &str, text: Option<&str>) -> anyhow::Result<Option<(String, String)>> {
    let Some(text) = text else { return Ok(None) };
    match text.split_once('/') {
        Some((mount, path)) if !mount.is_empty() && !path.is_empty() => {
            Ok(Some((mount.to_owned(), path.to_owned())))
        }
        _ => bail!("{name} `{text}` must be of the form MOUNT/PATH"),
    }
}

fn describe_vault(vault: &VaultSettings) -> String {
    let mut text = format!("vault_address = \"{}\"\n", vault.address);
    if let Some(path) = &vault.ca_file {
        text.push_str(&format!("vault_ca_file = {path:?}\n"));
    }
    for (name, pair) in [("vault_secrets", &vault.secrets), ("vault_transit_key", &vault.transit)] {
        if let Some((mount, path)) = pair {
            text.push_str(&format!("{name} = \"{mount}/{path}\"\n"));
        }
    }
    text
}

/// A secret's text: its debug form leaves it out.
#[derive(Clone, PartialEq, Eq)]
pub struct SecretText(String);

impl SecretText {
    /// The text.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl std::fmt::Debug for SecretText {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("(secret)")
    }
}

fn public_url(text: &str) -> anyhow::Result<url::Url> {
    let url = url::Url::parse(text).with_context(|| format!("public_url `{text}` is not an address"))?;
    if !matches!(url.scheme(), "http" | "https") || url.host_str().is_none() || url.query().is_some() {
        bail!("public_url `{text}` must be an http or https address without a query");
    }
    Ok(url)
}

/// The parts of a list with commas between.
fn list<T: std::str::FromStr<Err: std::fmt::Display>>(
    name: &str,
    text: Option<&str>,
) -> anyhow::Result<Vec<T>> {
    let parts = text.unwrap_or_default().split(',').map(str::trim).filter(|part| !part.is_empty());
    parts.map(|part| part.parse().map_err(|error| anyhow::anyhow!("{name}: {error}"))).collect()
}

fn listed<T: ToString>(parts: &[T]) -> String {
    parts.iter().map(ToString::to_string).collect::<Vec<_>>().join(",")
}

fn at_least(name: &str, value: Option<u32>, default: u32, least: u32) -> anyhow::Result<u32> {
    let value = value.unwrap_or(default);
    if value < least {
        bail!("{name} is {value}, but must be at least {least}");
    }
    Ok(value)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(text: &str) -> (tempfile::TempDir, PathBuf) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("kernex.toml");
        std::fs::write(&path, text).unwrap();
        (folder, path)
    }

    #[test]
    fn a_flag_wins_over_the_file_and_the_file_over_the_default() {
        let (_folder, path) = file("listen = \"0.0.0.0:1\"\nmax_uploads = 3\n");
        let listen = "127.0.0.1:9".parse().ok();
        let options = Options { config: Some(path), listen, ..Options::default() };
        let settings = Settings::resolve(options).unwrap();
        assert_eq!(settings.listen.port(), 9);
        assert_eq!((settings.max_uploads, settings.lease_secs), (3, 900));
    }

    #[test]
    fn what_is_wrong_in_a_file_is_named() {
        for (text, expected) in [
            ("listne = 1", "unknown field `listne`"),
            ("lease_secs = 0", "lease_secs is 0, but must be at least 1"),
            ("database_url = \"mysql://x\"", "must begin with sqlite: or postgres://"),
            ("public_url = \"ftp://x\"", "must be an http or https address"),
        ] {
            let (_folder, path) = file(text);
            let error = Settings::resolve(Options { config: Some(path), ..Options::default() }).unwrap_err();
            assert!(format!("{error:#}").contains(expected), "{error:#}");
        }
    }

    #[test]
    fn a_description_reads_back_as_the_same_settings_and_holds_no_password() {
        let database_url = Some("postgres://me:hunter2@db/kernex".to_owned());
        let settings = Settings::resolve(Options { database_url, ..Options::default() }).unwrap();
        let text = settings.describe();
        assert!(!text.contains("hunter2"), "{text}");
        let (_folder, path) = file(&text);
        let again = Settings::resolve(Options { config: Some(path), ..Options::default() }).unwrap();
        assert_eq!(again.describe(), text);
    }

    #[test]
    fn every_setting_stands_in_the_documentation() {
        use clap::Args as _;
        let docs = include_str!("../../../docs/server.md");
        let command = Options::augment_args(clap::Command::new("serve"));
        for argument in command.get_arguments() {
            let flag = format!("--{}", argument.get_long().unwrap());
            let env = argument.get_env().unwrap().to_str().unwrap();
            assert!(docs.contains(&flag) && docs.contains(env), "docs/server.md lacks {flag} or {env}");
        }
    }
}
