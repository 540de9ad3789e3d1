//! From settings to a client that acts as this device.

use std::{collections::BTreeMap, fs, sync::Arc, time::Duration};

use kernex_api::{
    devices::{RegisterDeviceRequest, RegisteredDevice},
    signing::SigningKey,
};
use kernex_client::{DeviceClient, HttpOptions, build_http_client};
use kernex_core::{DeviceId, Timestamp};

use crate::{
    AGENT_VERSION, Error, clock::SystemClock, config_file::ConfigFile, keys, settings::Settings,
    state::AgentState,
};

/// The key and a client that signs with it.
pub(super) struct Connection {
    pub(super) key: Arc<SigningKey>,
    pub(super) fingerprint: String,
    pub(super) client: Arc<DeviceClient>,
    pub(super) http: reqwest::Client,
}

/// Reads or makes the key, and builds a client that goes on from where the state left off.
pub(super) async fn connect(settings: &Settings, state: &AgentState) -> Result<Connection, Error> {
    let key = keys::load_or_generate(&settings.key_path, settings.key_algorithm).await?;
    let fingerprint = keys::fingerprint(&key)?;
    let options = HttpOptions {
        user_agent: format!("kernex-agent/{AGENT_VERSION}"),
        extra_roots_pem: settings.extra_roots_pem.clone(),
        ..HttpOptions::default()
    };
    let http = build_http_client(&options)?;
    let timeout = u64::from(settings.device_config.heartbeat_timeout);
    let client =
        DeviceClient::new(&settings.control_plane, http.clone(), key.clone(), Arc::new(SystemClock))?
            .with_last_timestamp(Timestamp::from_millis(state.last_timestamp_millis))
            .with_clock_offset_millis(state.clock_offset_millis)
            .with_request_timeout(Duration::from_secs(timeout));
    let client = match remembered(&settings.config, &settings.control_plane, &fingerprint) {
        Some(device_id) => client.with_device_id(device_id),
        None => client,
    };
    Ok(Connection { key, fingerprint, client: Arc::new(client), http })
}

impl Connection {
    /// Asks to be let in; the same key again gives the same device.
    pub(super) async fn register(&self, settings: &Settings) -> Result<RegisteredDevice, Error> {
        let request = RegisterDeviceRequest {
            public_key: self.key.public_key_pem().map_err(kernex_client::Error::from)?,
            signature_algorithm: Some(self.key.algorithm()),
            device_type: settings.device_type.clone(),
            hardware_metadata: Some(hardware()),
            tags: (!settings.tags.is_empty()).then(|| settings.tags.clone()),
            org_id: None,
            registration_token: settings.registration_token.as_ref().map(|token| token.0.clone()),
        };
        Ok(self.client.register(&request).await?)
    }

    /// Keeps who the device is.
    pub(super) fn remember(&self, settings: &Settings, device: &RegisteredDevice) -> Result<(), Error> {
        let mut config = settings.config.clone();
        config.control_plane = Some(settings.control_plane.clone());
        config.device_id = Some(device.device_id);
        config.registered_with = Some(settings.control_plane.clone());
        config.key_fingerprint = Some(self.fingerprint.clone());
        config.save(&settings.config_path)
    }
}

/// Who the device is, if it registered this key with this control plane.
fn remembered(config: &ConfigFile, control_plane: &str, fingerprint: &str) -> Option<DeviceId> {
    let is_ours = config.registered_with.as_deref() == Some(control_plane)
        && config.key_fingerprint.as_deref() == Some(fingerprint);
    config.device_id.filter(|_| is_ours)
}

/// What an operator wants to know about the machine; nothing that identifies a person.
fn hardware() -> serde_json::Map<String, serde_json::Value> {
    let line = |path: &str| fs::read_to_string(path).ok().map(|text| text.trim().to_owned());
    let cpu_count = std::thread::available_parallelism().map_or(0, usize::from);
    let facts = BTreeMap::from([
        ("arch", Some(std::env::consts::ARCH.to_owned())),
        ("os", Some(std::env::consts::OS.to_owned())),
        ("hostname", line("/proc/sys/kernel/hostname")),
        ("kernel", line("/proc/sys/kernel/osrelease")),
        ("model", line("/proc/device-tree/model").map(|text| text.trim_end_matches('\0').to_owned())),
    ]);
    let mut map: serde_json::Map<String, serde_json::Value> =
        facts.into_iter().filter_map(|(key, value)| Some((key.to_owned(), value?.into()))).collect();
    map.insert("cpu_count".to_owned(), cpu_count.into());
    map
}
