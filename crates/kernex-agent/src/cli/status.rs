//! `kernex-agent status`.

use std::io::Write as _;

use clap::{Args, ValueEnum};
use serde_json::{Value, json};

use crate::{
    AGENT_VERSION,
    config_file::ConfigFile,
    disk, keys,
    lock::Lock,
    outbox::Outbox,
    paths::DataDir,
    quarantine,
    self_update::Trial,
    settings::DataArgs,
    state::{AgentState, Release, StateFile},
};

/// Arguments of `status`.
#[derive(Args, Debug)]
pub(super) struct StatusArgs {
    #[command(flatten)]
    data: DataArgs,
    /// For people or for programs
    #[arg(long, value_enum, default_value = "table")]
    output: Output,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Output {
    Table,
    Json,
}

/// Prints what the data folder says.
pub(super) fn status(args: &StatusArgs) -> anyhow::Result<()> {
    let (data, config_path) = args.data.resolve()?;
    let config = ConfigFile::load(&config_path)?;
    let state = StateFile::new(data.state()).peek()?.unwrap_or_default();
    let status = describe(&data, &config, &state)?;
    let mut out = std::io::stdout();
    match args.output {
        Output::Json => writeln!(out, "{}", serde_json::to_string_pretty(&status)?)?,
        Output::Table => out.write_all(table(&status).as_bytes())?,
    }
    Ok(())
}

fn describe(data: &DataDir, config: &ConfigFile, state: &AgentState) -> anyhow::Result<Value> {
    let key_path = config.key_path.as_ref().map_or_else(|| data.key(), Into::into);
    let fingerprint = keys::load(&key_path)?.map(|key| keys::fingerprint(&key)).transpose()?;
    let bundles: Vec<Value> = state
        .slots
        .iter()
        .map(|(name, slot)| json!({"name": name, "current": release(slot.current.as_ref()), "previous": release(slot.previous.as_ref()), "kept": slot.kept.iter().map(|kept| &kept.version).collect::<Vec<_>>()}))
        .collect();
    let quarantined: Vec<Value> = quarantine::list(data)
        .into_iter()
        .map(|item| json!({"size_bytes": item.size_bytes, "reason": item.reason}))
        .collect();
    let agent_trial = Trial::load(data)
        .map(|trial| json!({"release": trial.release, "starts": trial.starts, "verdict": trial.verdict}));
    let in_progress = state.attempt.as_ref().map(|attempt| {
        json!({
            "deployment_id": attempt.deployment_id, "attempt": attempt.attempt, "kind": attempt.kind,
            "bundle": attempt.bundle_name, "version": attempt.release.version, "state": attempt.phase.target_state(),
            "started_at": attempt.started_at, "restarts": attempt.restarts,
        })
    });
    Ok(json!({
        "agent_version": AGENT_VERSION,
        "running": is_running(data),
        "data_dir": data.root(),
        "control_plane": config.control_plane,
        "device_id": config.device_id,
        "key_fingerprint": fingerprint,
        "config_version": state.config_version(),
        "config_on_trial": state.config_trial.is_some(),
        "bundles": bundles,
        "quarantine": quarantined,
        "agent_trial": agent_trial,
        "in_progress": in_progress,
        "outbox": Outbox::new(data).len(),
        "last_contact_at": disk::touched_at(&data.contact()),
    }))
}

fn release(release: Option<&Release>) -> Value {
    release
        .map_or(Value::Null, |release| json!({"version": release.version, "checksum_sha256": release.digest}))
}

/// Whether an agent holds the data folder; a look must not create anything.
fn is_running(data: &DataDir) -> bool {
    data.lock().exists() && Lock::take(data).is_err()
}

fn table(status: &Value) -> String {
    let text = |value: &Value| match value {
        Value::Null => "-".to_owned(),
        Value::String(text) => text.clone(),
        other => other.to_string(),
    };
    let mut out = String::new();
    for (title, field) in [
        ("agent", "agent_version"),
        ("running", "running"),
        ("data folder", "data_dir"),
        ("control plane", "control_plane"),
        ("device id", "device_id"),
        ("key fingerprint", "key_fingerprint"),
        ("configuration", "config_version"),
        ("results to send", "outbox"),
        ("last contact", "last_contact_at"),
    ] {
        out.push_str(&format!("{title:<17}{}\n", text(&status[field])));
    }
    for bundle in status["bundles"].as_array().into_iter().flatten() {
        let versions = format!(
            "{} (previous: {})",
            text(&bundle["current"]["version"]),
            text(&bundle["previous"]["version"])
        );
        out.push_str(&format!("{:<17}{}  {versions}\n", "bundle", text(&bundle["name"])));
    }
    for item in status["quarantine"].as_array().into_iter().flatten() {
        let reason = &item["reason"];
        out.push_str(&format!(
            "{:<17}{} {}: {} ({})\n",
            "quarantined",
            text(&reason["bundle_name"]),
            text(&reason["bundle_version"]),
            text(&reason["message"]),
            text(&reason["quarantined_at"]),
        ));
    }
    let work = &status["in_progress"];
    if !work.is_null() {
        out.push_str(&format!(
            "{:<17}{} of {} {}: {} (deployment {}, attempt {})\n",
            "in progress",
            text(&work["kind"]),
            text(&work["bundle"]),
            text(&work["version"]),
            text(&work["state"]),
            text(&work["deployment_id"]),
            text(&work["attempt"]),
        ));
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_data_folder_that_does_not_exist_is_described_and_not_made() {
        let dir = tempfile::tempdir().unwrap();
        let data = DataDir::new(dir.path().join("none"));
        let status = describe(&data, &ConfigFile::default(), &AgentState::default()).unwrap();
        let table = table(&status);
        assert!(
            table.contains("device id        -\n") && table.contains("running          false\n"),
            "{table}"
        );
        assert!(!data.root().exists());
    }
}
