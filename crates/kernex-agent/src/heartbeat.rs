//! What a heartbeat says, and what its answer means.

use std::{collections::BTreeMap, sync::atomic::Ordering};

use kernex_api::heartbeat::{Command, ConfigureCommand, DeployCommand, HeartbeatRequest, TargetReport};
use kernex_core::{DeploymentKind, DeviceHealth, Timestamp};

use crate::{
    AGENT_VERSION,
    context::{Context, Snapshot},
    machine::Event,
    state::{Order, Phase, Release},
    vitals::Vitals,
};

/// Most targets that a heartbeat may name.
const MAX_TARGETS: usize = 64;
/// Length of a SHA-256 in hexadecimal digits.
const DIGEST_CHARS: usize = 64;

/// Builds a heartbeat from what was measured and what is being done.
pub fn build(context: &Context, snapshot: &Snapshot, vitals: Vitals) -> HeartbeatRequest {
    // While a workload is being stopped the lock is held, and nothing is known to be wrong.
    let (health, metrics) =
        context.supervisor.try_lock().map_or((DeviceHealth::Healthy, BTreeMap::new()), |workloads| {
            (workloads.health(), workloads.metrics())
        });
    let status = match (context.cannot_save.load(Ordering::Relaxed), health) {
        (true, _) => DeviceHealth::Error,
        (false, DeviceHealth::Healthy) if snapshot.has_given_up => DeviceHealth::Degraded,
        (false, health) => health,
    };
    HeartbeatRequest {
        agent_version: AGENT_VERSION.to_owned(),
        memory_mb: vitals.memory_mb,
        cpu_pct: vitals.cpu_pct,
        status,
        memory_total_mb: vitals.memory_total_mb,
        disk_free_mb: vitals.disk_free_mb,
        disk_total_mb: vitals.disk_total_mb,
        uptime_secs: vitals.uptime_secs,
        boot_id: vitals.boot_id,
        config_version: Some(snapshot.config_version),
        bundles: Some(snapshot.bundles.clone()),
        targets: Some(targets(context, snapshot)),
        metrics: (!metrics.is_empty()).then_some(metrics),
        sandbox: Some(context.policy.report.0.clone()),
    }
}

/// The attempt in work and the outcomes that are not acknowledged.
fn targets(context: &Context, snapshot: &Snapshot) -> Vec<TargetReport> {
    let working = snapshot.working.clone().map(|(report, phase)| {
        let progress_pct = if phase == Phase::Downloading { context.download.progress_pct() } else { None };
        TargetReport { progress_pct, ..report }
    });
    working.into_iter().chain(snapshot.finished.iter().cloned()).take(MAX_TARGETS).collect()
}

/// What a command means for the state machine; `None` for what is refused or ignored, with a line in the log.
pub fn event_of(command: Command, snapshot: &Snapshot, now: Timestamp) -> Option<Event> {
    match command {
        Command::Deploy(deploy) => order(deploy, DeploymentKind::Deploy, now),
        Command::Rollback(rollback) => order(rollback, DeploymentKind::Rollback, now),
        Command::Configure(configure) => configured(configure, snapshot, now),
        Command::Cancel(cancel) => Some(Event::Cancelled { deployment_id: cancel.deployment_id }),
        Command::Unknown => {
            tracing::warn!("a command of a type that this agent does not know is ignored");
            None
        }
    }
}

fn order(command: DeployCommand, kind: DeploymentKind, received_at: Timestamp) -> Option<Event> {
    let digest = command.checksum_sha256;
    // The digest becomes part of a folder's name.
    if digest.len() != DIGEST_CHARS
        || !digest.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b))
    {
        tracing::error!(deployment.id = %command.deployment_id, "a command is ignored: its checksum is no SHA-256");
        return None;
    }
    Some(Event::Ordered(Box::new(Order {
        deployment_id: command.deployment_id,
        attempt: command.attempt,
        kind,
        bundle_name: command.bundle_name,
        release: Release { version: command.bundle_version, digest, bundle_id: command.bundle_id },
        size_bytes: command.size_bytes,
        download_url: command.download_url,
        timeout_secs: command.timeout_secs,
        received_at,
        lease_expires_at: command.lease_expires_at,
    })))
}

fn configured(command: ConfigureCommand, snapshot: &Snapshot, now: Timestamp) -> Option<Event> {
    let version = command.config_version;
    if version == snapshot.config_version {
        return None;
    }
    if snapshot.config_hold.as_ref().is_some_and(|hold| hold.refuses(version, now)) {
        tracing::debug!(config.version = version, "the configuration cut the device off and has to wait");
        return None;
    }
    match command.config.check() {
        Ok(()) => Some(Event::Configured {
            version,
            config: Box::new(command.config),
            present_interval_secs: snapshot.interval_secs(),
        }),
        Err(error) => {
            tracing::error!(config.version = version, %error, "the configuration is refused as a whole");
            None
        }
    }
}

#[cfg(test)]
mod tests {
    use kernex_core::DeviceConfig;

    use super::*;
    use crate::state::ConfigHold;

    fn deploy(checksum: &str) -> Command {
        serde_json::from_value(serde_json::json!({
            "type": "deploy", "deployment_id": "00000000-0000-7000-8000-000000000001", "attempt": 1,
            "bundle_id": "00000000-0000-7000-8000-000000000002", "bundle_name": "default", "bundle_version": "1",
            "checksum_sha256": checksum, "size_bytes": 1, "download_url": "/x", "timeout_secs": 60,
            "lease_expires_at": "2026-01-01T00:00:00Z",
        }))
        .unwrap()
    }

    #[test]
    fn a_checksum_that_could_be_a_path_is_refused() {
        let now = Timestamp::from_millis(0);
        assert!(event_of(deploy(&"a".repeat(64)), &Snapshot::default(), now).is_some());
        for bad in ["", "../../../../etc", &"A".repeat(64), &format!("../{}", "a".repeat(61))] {
            assert!(event_of(deploy(bad), &Snapshot::default(), now).is_none(), "{bad}");
        }
    }

    #[test]
    fn a_configuration_is_taken_as_a_whole_or_not_at_all() {
        let now = Timestamp::from_millis(0);
        let snapshot = Snapshot { config_version: 1, ..Snapshot::default() };
        let configure = |version, polling_interval| {
            let config = DeviceConfig { polling_interval, ..DeviceConfig::default() };
            event_of(Command::Configure(ConfigureCommand { config_version: version, config }), &snapshot, now)
        };
        assert!(configure(2, 5).is_some());
        assert!(configure(1, 5).is_none(), "it is in use already");
        assert!(configure(2, 0).is_none());
        let hold = ConfigHold { version: 2, tries: 3, until: now.plus_secs(60) };
        let held = Snapshot { config_hold: Some(hold), ..snapshot.clone() };
        let again = |now| {
            let command = ConfigureCommand { config_version: 2, config: DeviceConfig::default() };
            event_of(Command::Configure(command), &held, now)
        };
        assert!(again(now).is_none() && again(now.plus_secs(60)).is_some(), "it waits for its time");
    }
}
