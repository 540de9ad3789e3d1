//! What a device's folder says, and what the control plane says of it.

use std::{fs, time::Duration};

use kernex_client::OperatorClient;
use kernex_core::DeviceId;
use kernex_testkit::{AgentProcess, wait_for};
use serde_json::Value;

const DEADLINE: Duration = Duration::from_secs(120);

/// Waits until the agent has registered and sent a heartbeat; gives the device's id.
pub(super) async fn registered(admin: &OperatorClient, agent: &AgentProcess) -> DeviceId {
    let config = agent.data_dir().join("config.json");
    let id: DeviceId = wait_for("the device's id", DEADLINE, async || {
        let config: Value = serde_json::from_slice(&fs::read(&config).ok()?).ok()?;
        config["device_id"].as_str()?.parse().ok()
    })
    .await;
    wait_for("a heartbeat", DEADLINE, async || admin.get_device(id).await.ok()?.last_seen_at).await;
    id
}

/// What the agent has saved last.
pub(super) fn state(agent: &AgentProcess) -> Option<Value> {
    serde_json::from_slice(&fs::read(agent.data_dir().join("state.json")).ok()?).ok()
}
