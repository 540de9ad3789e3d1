//! What must be true of a device's disk, right after the kill and after one restart.

use std::{
    fs,
    io::ErrorKind,
    path::{Path, PathBuf},
};

use anyhow::{Context as _, bail, ensure};
use serde_json::Value;

use crate::scenario::BUNDLE;

/// Right after the kill: `current`, if there is one, leads to a complete release; if something was installed before, there is
/// one.
pub fn after_kill(data_dir: &Path, installed_before: bool) -> anyhow::Result<()> {
    let current = slot(data_dir).join("current");
    match fs::read_link(&current) {
        Ok(_) => complete_release(&current).map(|_| ()),
        Err(error) if error.kind() == ErrorKind::NotFound && !installed_before => Ok(()),
        Err(error) => Err(error).context("`current` is gone although a version was installed"),
    }
}

/// After one restart: the wanted version, complete; nothing in work, nothing unreported, nothing left lying about; the key there
/// and closed.
pub fn after_restart(data_dir: &Path, version: Option<&str>) -> anyhow::Result<()> {
    if let Some(version) = version {
        let found = complete_release(&slot(data_dir).join("current"))?;
        ensure!(found == version, "`current` is {found}, not {version}");
    }
    // An agent that has only registered may have ended before it had anything to save.
    let saved = version.is_some() || data_dir.join("state.json").exists();
    ensure!(
        !saved || is_settled(data_dir)?,
        "the state is gone, or has an attempt in work, or the outbox has a result"
    );
    for folder in ["staging", "quarantine"] {
        let left = fs::read_dir(data_dir.join(folder)).map(Iterator::count).unwrap_or(0);
        ensure!(left == 0, "{folder}/ still holds {left} things");
    }
    closed_key(data_dir)
}

/// Whether the agent has nothing more to do: no attempt in work, no result to report.
pub(crate) fn is_settled(data_dir: &Path) -> anyhow::Result<bool> {
    // The generation before stands in for a state that was being replaced.
    let generations = ["state.json", "state.json.1"].map(|name| fs::read(data_dir.join(name)));
    let Some(state) = generations.into_iter().find_map(Result::ok) else { return Ok(false) };
    let state: Value = serde_json::from_slice(&state).context("the state is torn")?;
    let results = fs::read_dir(data_dir.join("outbox/results")).map(Iterator::count).unwrap_or(0);
    Ok(state.get("attempt").is_none_or(Value::is_null) && results == 0)
}

/// The version of a release, if every byte of it is there.
fn complete_release(release: &Path) -> anyhow::Result<String> {
    let read = |name: &str| {
        fs::read_to_string(release.join(name))
            .with_context(|| format!("{} is incomplete: {name}", release.display()))
    };
    let manifest: Value = serde_json::from_str(&read("manifest.json")?).context("the manifest is torn")?;
    let version = manifest["version"].as_str().context("the manifest has no version")?.to_owned();
    ensure!(read("content.txt")? == format!("{BUNDLE} {version}\n"), "content.txt is not that of {version}");
    ensure!(read("second.txt")? == version, "second.txt is not that of {version}");
    Ok(version)
}

fn closed_key(data_dir: &Path) -> anyhow::Result<()> {
    use std::os::unix::fs::PermissionsExt as _;
    let key = data_dir.join("keys/device.pem");
    let text = fs::read_to_string(&key).context("the key is gone")?;
    if !text.contains("-----END PRIVATE KEY-----") {
        bail!("the key is torn");
    }
    let mode = fs::metadata(&key)?.permissions().mode() & 0o777;
    ensure!(mode == 0o600, "the key has the mode {mode:o}");
    Ok(())
}

fn slot(data_dir: &Path) -> PathBuf {
    data_dir.join("bundles").join(BUNDLE)
}
