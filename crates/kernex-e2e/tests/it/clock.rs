//! Devices whose clock is wrong by years.

use std::sync::Arc;

use kernex_api::{deployments::CreateDeploymentRequest, heartbeat::Command};
use kernex_core::ResultStatus;
use kernex_testkit::{Backend, OffsetClock, ServerProcess, ServerSetup, TestBundle, TestDevice};

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
