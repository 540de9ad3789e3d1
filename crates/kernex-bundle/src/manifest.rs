//! `manifest.json`: what a bundle says about itself.

mod compatibility;
mod error;
mod files;
mod schema;

use std::collections::BTreeMap;

use kernex_core::{BundleName, BundleVersion};
use serde::Deserialize;
use serde_json::{Map, Value};

pub use compatibility::{Compatibility, Incompatible, Platform};
pub use error::ManifestError;
pub use files::ListedFile;
#[cfg(unix)]
pub(crate) use files::with_list;
pub use schema::MANIFEST_SCHEMA;

use crate::archive::EntryPath;

/// The largest manifest, in bytes.
pub const MAX_MANIFEST_BYTES: usize = 256 * 1024;

/// Older names of fields, and the names they have now.
const ALIASES: &[(&str, &str)] = &[
    ("runtime_version_min", "agent_version_min"),
    ("runtime_version_max", "agent_version_max"),
    ("env_vars", "env"),
];

/// A bundle's manifest, checked, its defaults filled in.
#[derive(Clone, Debug, Deserialize)]
pub struct Manifest {
    /// The version; with the name it identifies the bundle.
    pub version: BundleVersion,
    /// The name of the slot the bundle is installed under.
    #[serde(default)]
    pub name: BundleName,
    /// A text for people.
    pub description: Option<String>,
    /// Where the bundle may run.
    #[serde(flatten)]
    pub compatibility: Compatibility,
    /// What the model is.
    pub model: Option<Model>,
    /// Runs before the new version is switched to.
    pub deploy: Option<Script>,
    /// Runs when the version is given up.
    pub rollback: Option<Script>,
    /// The program to keep running.
    pub workload: Option<Workload>,
    /// Decides whether the version stays.
    pub health: Option<Health>,
    /// How much scripts and workload may use.
    #[serde(default)]
    pub limits: ResourceLimits,
    /// Numbers of the workload for heartbeats.
    pub metrics: Option<Metrics>,
    /// Environment of scripts and workload.
    #[serde(default)]
    pub env: BTreeMap<String, String>,
    /// Every file of the bundle but `manifest.json` itself; then the bundle holds these and no others.
    pub files: Option<Vec<ListedFile>>,
    /// Whether the bundle may hold symbolic links.
    #[serde(default)]
    pub links: bool,
    /// Free data of the bundle's author.
    #[serde(default)]
    pub metadata: Map<String, Value>,
    #[serde(skip)]
    original: Value,
    #[serde(skip)]
    normal: Map<String, Value>,
}

/// What the model is; for people.
#[derive(Clone, Debug, PartialEq, Deserialize)]
pub struct Model {
    /// The model's name.
    pub name: Option<String>,
    /// The file format, `gguf` for instance.
    pub format: Option<String>,
    /// The quantization, `Q4_K_M` for instance.
    pub quantization: Option<String>,
    /// The size in megabytes.
    pub size_mb: Option<f64>,
    /// The digest of the model's file.
    pub sha256: Option<String>,
}

/// A script of the bundle.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct Script {
    /// Its path inside the bundle, as written.
    pub script: String,
    /// How long it may take; 300 by default.
    #[serde(default = "default_script_timeout_secs")]
    pub timeout_secs: u32,
}

/// The program to keep running.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct Workload {
    /// The program and its arguments; never empty.
    pub command: Vec<String>,
    /// When it is started again after it ended.
    #[serde(default)]
    pub restart: Restart,
    /// Crashes within the window that make a crash loop; 3 by default.
    #[serde(default = "default_max_crashes")]
    pub max_crashes: u32,
    /// The window for counting crashes; 300 by default.
    #[serde(default = "default_crash_window_secs")]
    pub crash_window_secs: u32,
    /// How long it may take to end after SIGTERM; 10 by default.
    #[serde(default = "default_stop_timeout_secs")]
    pub stop_timeout_secs: u32,
    /// Tells it of a new configuration of the device.
    pub reload_signal: Option<ReloadSignal>,
}

/// Signals that a program may use for reading its configuration again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[allow(missing_docs, reason = "their names say it")]
pub enum ReloadSignal {
    #[serde(rename = "SIGHUP")]
    Hup,
    #[serde(rename = "SIGUSR1")]
    Usr1,
    #[serde(rename = "SIGUSR2")]
    Usr2,
}

/// How much scripts and workload may use; what is absent has the agent's default.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
pub struct ResourceLimits {
    /// Memory of all processes together, MiB.
    pub memory_mb: Option<u32>,
    /// Share of one processor, percent.
    pub cpu_pct: Option<u32>,
    /// Processes and threads.
    pub processes: Option<u32>,
    /// Open files of each process.
    pub open_files: Option<u32>,
    /// Size of each file that is written, MiB.
    pub file_size_mb: Option<u32>,
}

/// Where the workload's numbers are.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct Metrics {
    /// An address in Prometheus's text format.
    pub prometheus: String,
    /// The metrics to take; all, if there are none.
    #[serde(default)]
    pub names: Vec<String>,
}

/// When a workload is started again after it ended.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Restart {
    /// Never.
    No,
    /// When it ended with an error.
    #[default]
    OnFailure,
    /// However it ended.
    Always,
}

/// Decides whether a new version stays.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct Health {
    /// What is checked.
    #[serde(flatten)]
    pub check: HealthCheck,
    /// Time between two checks; 5 by default.
    #[serde(default = "default_health_interval_secs")]
    pub interval_secs: u32,
    /// Time one check may take; 5 by default.
    #[serde(default = "default_health_timeout_secs")]
    pub timeout_secs: u32,
    /// Good checks in a row that make it healthy; 3 by default.
    #[serde(default = "default_healthy_after")]
    pub healthy_after: u32,
    /// Time within which it must be healthy; 60 by default.
    #[serde(default = "default_deadline_secs")]
    pub deadline_secs: u32,
}

/// What a health check looks at.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum HealthCheck {
    /// An address that answers 2xx.
    Http(String),
    /// `HOST:PORT` that accepts connections.
    Tcp(String),
    /// A program that ends with 0; never empty.
    Command(Vec<String>),
}

impl Manifest {
    /// Reads and checks a manifest.
    pub fn parse(bytes: &[u8]) -> Result<Self, ManifestError> {
        if bytes.len() > MAX_MANIFEST_BYTES {
            return Err(ManifestError::TooLarge);
        }
        Self::from_json(serde_json::from_slice(bytes)?)
    }

    /// Checks a manifest that is JSON already.
    pub fn from_json(original: Value) -> Result<Self, ManifestError> {
        schema::check(&original)?;
        let normal = normalise(&original)?;
        let mut manifest: Self = serde_json::from_value(Value::Object(normal.clone()))
            .map_err(|e| ManifestError::invalid("", e.to_string()))?;
        manifest.check_scripts()?;
        files::check(manifest.files.as_deref().unwrap_or_default())?;
        manifest.compatibility.check_bounds()?;
        manifest.original = original;
        manifest.normal = normal;
        Ok(manifest)
    }

    /// The manifest as it was written.
    pub fn json(&self) -> &Value {
        &self.original
    }

    /// Whether this copy, given beside an archive, says the same as the one inside; older names and explicit nulls
    /// make no difference. A copy without a list of files agrees with one that has it: packing adds the list. An error
    /// names the first field that differs.
    pub fn agrees_with(&self, inside: &Self) -> Result<(), ManifestError> {
        let differs = |field: &str| match (field, self.normal.get(field)) {
            ("files", None) => false,
            (_, given) => given != inside.normal.get(field),
        };
        let fields = self.normal.keys().chain(inside.normal.keys());
        match fields.into_iter().find(|field| differs(field)) {
            Some(field) => Err(ManifestError::Disagrees { field: field.clone() }),
            None => Ok(()),
        }
    }

    /// Whether a device can take the bundle.
    pub fn check_compatible(&self, platform: &Platform<'_>) -> Result<(), Incompatible> {
        self.compatibility.check(platform)
    }

    /// The files of the bundle that the manifest names, each with the field that does.
    pub(crate) fn referenced_files(&self) -> Vec<(&'static str, &str)> {
        let mut files = Vec::new();
        files.extend(self.deploy.as_ref().map(|d| ("deploy.script", d.script.as_str())));
        files.extend(self.rollback.as_ref().map(|r| ("rollback.script", r.script.as_str())));
        let workload = self.workload.as_ref().and_then(|w| w.command.first());
        files.extend(
            workload.map(|p| ("workload.command[0]", p.as_str())).filter(|(_, p)| p.starts_with("./")),
        );
        if let Some(Health { check: HealthCheck::Command(command), .. }) = &self.health {
            let program = command.first().map(|p| ("health.command[0]", p.as_str()));
            files.extend(program.filter(|(_, p)| p.starts_with("./")));
        }
        files
    }

    fn check_scripts(&self) -> Result<(), ManifestError> {
        for (field, path) in self.referenced_files() {
            EntryPath::of_file(path).map_err(|problem| {
                ManifestError::invalid(field, format!("`{}` {problem}", error::cut(path)))
            })?;
        }
        Ok(())
    }
}

impl PartialEq for Manifest {
    fn eq(&self, other: &Self) -> bool {
        self.normal == other.normal
    }
}

/// The manifest's fields under their present names and without nulls, which say the same as absence.
fn normalise(original: &Value) -> Result<Map<String, Value>, ManifestError> {
    let mut fields = original.as_object().cloned().unwrap_or_default();
    fields.retain(|_, value| !value.is_null());
    for (field, value) in &mut fields {
        if let (true, Some(inner)) = (field != "metadata", value.as_object_mut()) {
            inner.retain(|_, value| !value.is_null());
        }
    }
    for (old, new) in ALIASES {
        let Some(value) = fields.remove(*old) else { continue };
        if fields.insert((*new).to_owned(), value).is_some() {
            return Err(ManifestError::invalid(
                old,
                format!("is an older name of {new}; give only one of the two"),
            ));
        }
    }
    Ok(fields)
}

fn default_script_timeout_secs() -> u32 {
    300
}

fn default_max_crashes() -> u32 {
    3
}

fn default_crash_window_secs() -> u32 {
    300
}

fn default_stop_timeout_secs() -> u32 {
    10
}

fn default_health_interval_secs() -> u32 {
    5
}

fn default_health_timeout_secs() -> u32 {
    5
}

fn default_healthy_after() -> u32 {
    3
}

fn default_deadline_secs() -> u32 {
    60
}
