//! What must be true of a device's disk, right after the kill and after one restart.

use std::{
    fs,
    io::ErrorKind,
    path::{Path, PathBuf},
};

use anyhow::{Context as _, bail, ensure};
use serde_json::Value;

use crate::scenario::SCRIPTED;

/// Right after the kill: `current`, if there is one, leads to a complete release; if something was installed before, there is
/// one.
pub(crate) fn after_kill(data_dir: &Path, bundle: &str, installed_before: bool) -> anyhow::Result<()> {
    let current = slot(data_dir, bundle).join("current");
    match fs::read_link(&current) {
        Ok(_) => complete_release(&current, bundle).map(|_| ()),
        Err(error) if error.kind() == ErrorKind::NotFound && !installed_before => Ok(()),
        Err(error) => Err(error).context("`current` is gone although a version was installed"),
    }
}

/// After one restart: the wanted version, complete; nothing in work, nothing unreported, nothing left lying about; the key there
/// and closed.
pub(crate) fn after_restart(data_dir: &Path, wanted: Option<(&str, &str)>) -> anyhow::Result<()> {
    if let Some((bundle, version)) = wanted {
        let found = complete_release(&slot(data_dir, bundle).join("current"), bundle)?;
        ensure!(found == version, "`current` is {found}, not {version}");
    }
    // An agent that has only registered may have ended before it had anything to save.
    let saved = wanted.is_some() || data_dir.join("state.json").exists();
    ensure!(
        !saved || is_settled(data_dir)?,
        "the state is gone, or has an attempt in work, or the outbox has a result"
    );
    for folder in ["staging", "quarantine"] {
        let left = fs::read_dir(data_dir.join(folder)).map(Iterator::count).unwrap_or(0);
        ensure!(left == 0, "{folder}/ still holds {left} things");
    }
    for name in ["bundles/kernex-agent/trial.json", "state.json.format-1"] {
        ensure!(!data_dir.join(name).exists(), "{name} is still there");
    }
    closed_key(data_dir)
}

/// Whether the agent has nothing more to do: no attempt in work, no result to report, no trial to end.
pub(crate) fn is_settled(data_dir: &Path) -> anyhow::Result<bool> {
    // The generation before stands in for a state that was being replaced.
    let generations = ["state.json", "state.json.1"].map(|name| fs::read(data_dir.join(name)));
    let Some(state) = generations.into_iter().find_map(Result::ok) else { return Ok(false) };
    let state: Value = serde_json::from_slice(&state).context("the state is torn")?;
    let results = fs::read_dir(data_dir.join("outbox/results")).into_iter().flatten().flatten();
    let results = results.filter(|file| file.path().extension().is_some_and(|end| end == "json")).count();
    let is_on_trial = data_dir.join("bundles/kernex-agent/trial.json").exists();
    Ok(state.get("attempt").is_none_or(Value::is_null) && results == 0 && !is_on_trial)
}

/// The workload of a scripted bundle while the agent runs: this version of it, once.
pub(crate) fn serves(data_dir: &Path, version: &str) -> anyhow::Result<bool> {
    let second = slot(data_dir, SCRIPTED).join("data/second");
    ensure!(!second.exists(), "two copies of the workload ran at the same time");
    Ok(serving(data_dir).is_some_and(|(serving, pid)| serving == version && is_alive(&pid)))
}

/// The script that ran last is that of a version.
pub(crate) fn ran_last(data_dir: &Path, version: &str) -> anyhow::Result<()> {
    let data = slot(data_dir, SCRIPTED).join("data");
    let ran = fs::read_to_string(data.join("ran")).unwrap_or_default();
    let last = ran.lines().last().unwrap_or_default();
    ensure!(last.ends_with(&format!(" {version}")), "the script that ran last is `{last}`");
    Ok(())
}

/// After the agent's end: no workload is left.
pub(crate) fn serves_nothing(data_dir: &Path) -> anyhow::Result<()> {
    match serving(data_dir) {
        Some((version, pid)) if is_alive(&pid) => bail!("the workload {version} outlived the agent"),
        _ => Ok(()),
    }
}

/// The version and the process of the workload that started last.
fn serving(data_dir: &Path) -> Option<(String, String)> {
    let text = fs::read_to_string(slot(data_dir, SCRIPTED).join("data/serving")).ok()?;
    let (version, pid) = text.trim().split_once(' ')?;
    Some((version.to_owned(), pid.to_owned()))
}

fn is_alive(pid: &str) -> bool {
    let command = fs::read_to_string(format!("/proc/{pid}/cmdline")).unwrap_or_default();
    // Its number may belong to another process by now.
    command.starts_with("sleep")
}

/// The version of a release, if every byte of it is there.
pub(crate) fn complete_release(link: &Path, bundle: &str) -> anyhow::Result<String> {
    // It may be switched while its files are read.
    let release = fs::canonicalize(link).with_context(|| format!("{} leads nowhere", link.display()))?;
    let read = |name: &str| {
        fs::read_to_string(release.join(name))
            .with_context(|| format!("{} is incomplete: {name}", release.display()))
    };
    let manifest: Value = serde_json::from_str(&read("manifest.json")?).context("the manifest is torn")?;
    let version = manifest["version"].as_str().context("the manifest has no version")?.to_owned();
    ensure!(read("content.txt")? == format!("{bundle} {version}\n"), "content.txt is not that of {version}");
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

pub(crate) fn slot(data_dir: &Path, bundle: &str) -> PathBuf {
    data_dir.join("bundles").join(bundle)
}
