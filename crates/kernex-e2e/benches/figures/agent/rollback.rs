//! A rollback to the version before, from the command on.

use std::time::Duration;

use kernex_api::{
    bundles::UploadedBundle,
    deployments::{CreateDeploymentRequest, RollbackDevicesRequest},
};
use kernex_client::OperatorClient;
use kernex_core::{DeploymentId, DeviceId};
use kernex_testkit::{AgentProcess, ServerProcess, ServerSetup, TestBundle, wait_for};
use serde_json::json;
use tokio::time::{Instant, sleep};

use super::device::{registered, state};

const DEADLINE: Duration = Duration::from_secs(120);
const LOOK_EVERY: Duration = Duration::from_millis(2);

pub(super) async fn measure(
    setup: &ServerSetup,
    server: &ServerProcess,
    admin: &OperatorClient,
    rounds: usize,
) -> Vec<(String, String)> {
    let token = ServerProcess::registration_token(admin, 1).await;
    let agent = AgentProcess::start(&server.url, &setup.folder().join("returning"), Some(&token));
    let device = registered(admin, &agent).await;
    for version in ["1.0.0", "2.0.0"] {
        let bundle = TestBundle::tiny("returning", version)
            .with_file("serve.sh", b"#!/bin/sh\nexec sleep 100000\n")
            .with("workload", json!({ "command": ["./serve.sh"] }))
            .pack(setup.folder());
        let uploaded = admin.upload_bundle(&bundle, None, |_| {}).await.unwrap();
        deploy(admin, device, &uploaded).await;
    }
    let (mut running, mut kept) = (Vec::new(), Vec::new());
    for round in 0..rounds {
        let version = if round % 2 == 0 { "1.0.0" } else { "2.0.0" };
        let (started, committed) = roll_back(admin, &agent, device, version).await;
        running.push(started);
        kept.push(committed);
    }
    agent.stop().await;
    vec![
        (
            format!("rollback: from the command to the version before running ({rounds} rounds)"),
            spread(&mut running),
        ),
        ("rollback: from the command to kept and reported".to_owned(), spread(&mut kept)),
    ]
}

pub(super) async fn deploy(admin: &OperatorClient, device: DeviceId, bundle: &UploadedBundle) {
    let request = CreateDeploymentRequest {
        bundle_id: Some(bundle.bundle_id.to_string()),
        target_devices: vec![device.to_string()],
        ..CreateDeploymentRequest::default()
    };
    let deployment = admin.create_deployment(&request).await.unwrap().deployment_id;
    succeeded(admin, deployment).await;
}

async fn succeeded(admin: &OperatorClient, deployment: DeploymentId) {
    wait_for("a success", DEADLINE, async || {
        let deployment = admin.get_deployment(deployment).await.ok()?.deployment;
        assert!(deployment.error_message.is_none(), "{deployment:?}");
        deployment.completed_at
    })
    .await;
}

/// Gives when the version before ran, and when it was kept, after the command had been taken up.
async fn roll_back(
    admin: &OperatorClient,
    agent: &AgentProcess,
    device: DeviceId,
    version: &str,
) -> (Duration, Duration) {
    let request = RollbackDevicesRequest {
        bundle_version: version.to_owned(),
        bundle_name: Some("returning".to_owned()),
        target_device_ids: vec![device.to_string()],
    };
    let created = admin.rollback_devices(&request).await.unwrap();
    let phase = |agent: &AgentProcess| Some(state(agent)?["attempt"]["phase"].as_str()?.to_owned());
    while phase(agent).is_none() {
        sleep(LOOK_EVERY).await;
    }
    let began = Instant::now();
    while phase(agent).is_some_and(|phase| phase != "checking") {
        sleep(LOOK_EVERY).await;
    }
    // The workload is started as the first thing of checking.
    let running = began.elapsed();
    while phase(agent).is_some() {
        sleep(LOOK_EVERY).await;
    }
    let kept = began.elapsed();
    succeeded(admin, created.deployment_id).await;
    (running, kept)
}

fn spread(times: &mut [Duration]) -> String {
    times.sort();
    let millis = |time: Option<&Duration>| time.map_or(0, Duration::as_millis);
    format!("{} ms median, {} ms most", millis(times.get(times.len() / 2)), millis(times.last()))
}
