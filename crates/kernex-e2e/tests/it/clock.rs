//! Devices whose clock is wrong by years.

use std::{sync::Arc, time::Duration};

use kernex_api::{
    deployments::CreateDeploymentRequest, heartbeat::Command,
    registration_tokens::CreateRegistrationTokenRequest,
};
use kernex_client::DeviceQuery;
use kernex_core::{DeploymentStatus, DeviceStatus, ResultStatus};
use kernex_testkit::{
    AgentProcess, Backend, OffsetClock, ServerProcess, ServerSetup, TestBundle, TestDevice, TestServer,
    wait_for,
};

/// For one step of a real agent on a busy machine.
const DEADLINE: Duration = Duration::from_secs(60);

#[tokio::test(flavor = "multi_thread")]
async fn a_device_with_a_clock_ten_years_behind_works_like_any_other() {
    works_with_a_wrong_clock(-10).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_device_with_a_clock_ten_years_ahead_works_like_any_other() {
    works_with_a_wrong_clock(10).await;
}

async fn works_with_a_wrong_clock(years: i64) {
    let setup = ServerSetup::new(Backend::Sqlite).await;
    let server = setup.start().await;
    let admin = server.admin().await;
    let token = ServerProcess::registration_token(&admin, 1).await;

    let device = TestDevice::with_clock(&server.url, Arc::new(OffsetClock::years(years)));
    device.register(Some(&token)).await.expect("registering corrects the clock");
    let offset = device.client.clock_offset_millis();
    assert!((offset + OffsetClock::years(years).offset_millis).abs() < 300_000, "the offset is {offset} ms");
    device.heartbeat().await.expect("a heartbeat is accepted");

    let bundle = TestBundle::tiny("clocks", "1.0.0").pack(setup.folder());
    let bundle = admin.upload_bundle(&bundle, None, |_| {}).await.unwrap();
    let request = CreateDeploymentRequest {
        bundle_id: Some(bundle.bundle_id.to_string()),
        target_devices: vec![device.id().to_string()],
        ..CreateDeploymentRequest::default()
    };
    admin.create_deployment(&request).await.unwrap();
    let answer = device.heartbeat().await.unwrap();
    let [Command::Deploy(command)] = answer.commands.as_slice() else { panic!("{:?}", answer.commands) };
    device.report(command, ResultStatus::Success).await.expect("a result is accepted");

    // A device that restarts and has forgotten its offset comes back too.
    let http = kernex_client::build_http_client(&kernex_client::HttpOptions::default()).unwrap();
    let clock = Arc::new(OffsetClock::years(years));
    let client = kernex_client::DeviceClient::new(&server.url, http, device.key.clone(), clock).unwrap();
    let client = client.with_device_id(device.id());
    client
        .heartbeat(&TestDevice::heartbeat_request())
        .await
        .expect("the second request of a restarted device is accepted");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_real_agent_works_with_a_control_plane_whose_clock_is_ten_years_away() {
    for years in [-10, 10] {
        real_agent_recovers(years).await;
    }
}

/// The agent takes the machine's clock, which a test cannot set; to the agent it is the same when the control plane's differs.
async fn real_agent_recovers(years: i64) {
    let server = TestServer::start_with(Backend::Sqlite, Arc::new(OffsetClock::years(years)), |_| {}).await;
    let admin = server.admin();
    let token =
        admin.create_registration_token(&CreateRegistrationTokenRequest::default()).await.unwrap().token;
    let folder = tempfile::tempdir().unwrap();
    let agent = AgentProcess::start(&server.url, &folder.path().join("agent"), Some(&token));

    let device = wait_for("the device to come online", DEADLINE, async || {
        let devices = admin.list_devices(&DeviceQuery::default()).await.unwrap().devices;
        devices.into_iter().find(|device| device.status == DeviceStatus::Online)
    });
    let device = device.await;
    let bundle = TestBundle::tiny("clocks", "1.0.0").pack(folder.path());
    let bundle = admin.upload_bundle(&bundle, None, |_| {}).await.unwrap();
    let request = CreateDeploymentRequest {
        bundle_id: Some(bundle.bundle_id.to_string()),
        target_devices: vec![device.device_id.to_string()],
        ..CreateDeploymentRequest::default()
    };
    let made = admin.create_deployment(&request).await.unwrap();
    let ended = wait_for("the deployment to end", DEADLINE, async || {
        let status = admin.get_deployment(made.deployment_id).await.unwrap().deployment.status;
        status.is_final().then_some(status)
    });
    assert_eq!(
        ended.await,
        DeploymentStatus::Success,
        "{years} years; the agent's log:\n{}",
        agent.log_text()
    );
    agent.stop().await;
    server.shutdown().await;
}
