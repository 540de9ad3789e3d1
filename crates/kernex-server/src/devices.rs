//! Devices.

mod bulk_membership;
mod bundle_history;
pub mod commands;
mod config;
mod csv;
mod get;
mod heartbeat;
mod heartbeats;
mod list;
mod logs;
mod membership;
mod register;
mod rollback;
pub mod selector;
mod tags;
mod timeline;
mod update;

use std::collections::BTreeMap;

use kernex_api::{
    devices::{Device, HeartbeatRecord},
    heartbeat::InstalledBundle,
    signing::SignatureAlgorithm,
};
use kernex_core::{BundleName, Timestamp};
use kernex_store::{DeviceRecord, HeartbeatRow, LeaseTerms};
use utoipa_axum::{router::OpenApiRouter, routes};

use crate::{
    AppState,
    error::{ApiError, ApiResult},
};

/// Routes under `/devices`.
pub fn routes() -> OpenApiRouter<AppState> {
    OpenApiRouter::new()
        .routes(routes!(register::register))
        .routes(routes!(heartbeat::heartbeat))
        .routes(routes!(list::list))
        .routes(routes!(rollback::rollback))
        .routes(routes!(tags::change))
        .routes(routes!(tags::import))
        .routes(routes!(bulk_membership::approve))
        .routes(routes!(bulk_membership::decommission))
        .routes(routes!(get::get, update::update, membership::delete))
        .routes(routes!(membership::approve))
        .routes(routes!(membership::reject))
        .routes(routes!(membership::decommission))
        .routes(routes!(heartbeats::heartbeats))
        .routes(routes!(logs::logs))
        .routes(routes!(timeline::timeline))
        .routes(routes!(bundle_history::bundle_history))
        .routes(routes!(config::get_config, config::put_config))
        .routes(routes!(config::list_versions))
        .routes(routes!(config::roll_back))
}

/// A lease is never shorter than this many of the device's heartbeat intervals.
const LEASE_HEARTBEATS: i64 = 3;

/// How long an attempt may go without progress.
pub fn lease_terms(state: &AppState) -> LeaseTerms {
    let min_millis = i64::from(state.settings().lease_secs) * 1_000;
    LeaseTerms { min_millis, heartbeats: LEASE_HEARTBEATS }
}

/// A device as the API shows it.
pub fn to_api(record: DeviceRecord, now: Timestamp) -> ApiResult<Device> {
    let algorithm: SignatureAlgorithm = record.signature_algorithm.parse().map_err(ApiError::internal)?;
    let current = match record.bundles.as_slice() {
        [(_, version)] => Some(version.clone()),
        bundles => bundles
            .iter()
            .find(|(name, _)| *name == BundleName::default())
            .map(|(_, version)| version.clone()),
    };
    Ok(Device {
        device_id: record.id,
        status: record.status(now),
        display_name: record.display_name,
        device_type: record.device_type,
        hardware_metadata: record.hardware_metadata,
        tags: record.tags,
        key_fingerprint: record.key_fingerprint,
        signature_algorithm: algorithm,
        registered_at: record.registered_at,
        last_seen_at: record.last_seen_at,
        bundles: record
            .bundles
            .into_iter()
            .map(|(name, version)| InstalledBundle { name, version })
            .collect(),
        current_bundle_version: current,
        agent_version: record.agent_version,
        config_version: record.config_version,
        reported_config_version: record.reported_config_version,
        last_heartbeat: record.last_heartbeat.map(heartbeat_to_api),
    })
}

fn heartbeat_to_api(row: HeartbeatRow) -> HeartbeatRecord {
    HeartbeatRecord {
        received_at: row.received_at,
        status: row.reading.status,
        cpu_pct: row.reading.cpu_pct,
        memory_mb: row.reading.memory_mb,
        memory_total_mb: row.reading.memory_total_mb,
        disk_free_mb: row.reading.disk_free_mb,
        disk_total_mb: row.reading.disk_total_mb,
        uptime_secs: row.reading.uptime_secs,
        agent_version: row.reading.agent_version,
        metrics: row.reading.metrics,
        sandbox: row.reading.sandbox,
    }
}

const MAX_TAGS: usize = 64;
const MAX_TAG_KEY_BYTES: usize = 64;
const MAX_TAG_VALUE_BYTES: usize = 256;

/// Checks labels: keys are names, values are short texts.
pub fn check_tags(tags: &BTreeMap<String, String>) -> ApiResult<()> {
    if tags.len() > MAX_TAGS {
        return Err(ApiError::invalid(format!("tags: at most {MAX_TAGS} are allowed, not {}", tags.len())));
    }
    let in_key = |c: char| c.is_ascii_alphanumeric() || "._/-".contains(c);
    for (key, value) in tags {
        if !(1..=MAX_TAG_KEY_BYTES).contains(&key.len()) || !key.chars().all(in_key) {
            let key: String = key.chars().take(80).collect();
            return Err(ApiError::invalid(format!(
                "tags: the key `{key}` must be 1 to {MAX_TAG_KEY_BYTES} of a-z A-Z 0-9 . _ / -"
            )));
        }
        check_text(&format!("tags: the value of `{key}`"), value, MAX_TAG_VALUE_BYTES)?;
    }
    Ok(())
}

/// Checks a text that people will read: its length, and no control characters.
pub fn check_text(what: &str, text: &str, max_bytes: usize) -> ApiResult<()> {
    if text.len() > max_bytes {
        return Err(ApiError::invalid(format!("{what} is longer than {max_bytes} bytes")));
    }
    if text.chars().any(|c| c.is_control() && c != '\n' && c != '\t') {
        return Err(ApiError::invalid(format!("{what} holds a control character")));
    }
    Ok(())
}

const MAX_METADATA_BYTES: usize = 16 * 1024;

/// Checks free data: its size as JSON.
pub fn check_metadata(what: &str, data: &serde_json::Map<String, serde_json::Value>) -> ApiResult<()> {
    let size = serde_json::to_vec(data).map_err(ApiError::internal)?.len();
    if size > MAX_METADATA_BYTES {
        return Err(ApiError::invalid(format!(
            "{what} takes {size} bytes as JSON; {MAX_METADATA_BYTES} are allowed"
        )));
    }
    Ok(())
}
