//! A real agent and a real control plane, and between them a proxy that misbehaves; or a clock that is wrong.
//!
//! Whatever it is, whatever it hits first: within ten heartbeats after its end the device has done what it was told, once, and the
//! control plane knows it.

use std::{fs, time::Duration};

use futures_util::{StreamExt as _, stream};
use kernex_api::deployments::CreateDeploymentRequest;
use kernex_client::{DeviceQuery, OperatorClient};
use kernex_core::{DeploymentId, DeploymentStatus, DeviceId, DeviceStatus};
use kernex_testkit::{
    AgentOptions, AgentProcess, Backend, FaultPlan, FaultProxy, ProxyFault, ServerProcess, ServerSetup,
    TestBundle, wait_for,
};
use kernex_tracer::{Act, Orders};
use serde_json::json;

use crate::chaos::answered;

/// For what a debug build does on a busy machine; what counts is the number of heartbeats.
const DEADLINE: Duration = Duration::from_secs(180);
/// The promise.
const HEARTBEATS: u32 = 10;
/// Far enough apart that a slow machine does its work between two, and near enough for a test.
const POLLING_SECS: u32 = 4;
/// How soon the device gives up on an answer.
const TIMEOUT_SECS: u32 = 3;
/// What a fault begins with: the addresses that an upgrade comes by, in this order.
const BEGINNINGS: [&str; 4] = ["/heartbeat", "/order", "/bundles/", "/result"];
/// Devices at the same time.
const AT_ONCE: usize = 10;
const YEAR_SECS: i64 = 365 * 86_400;

/// Says in the device's own data how often it ran.
const DEPLOY: &str = "#!/bin/sh\necho \"$KERNEX_VERSION\" >> \"$KERNEX_DATA_DIR/ran\"\n";

#[derive(Clone, Copy, Debug)]
struct Case {
    fault: ProxyFault,
    begins_at: &'static str,
    requests: u32,
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_device_behind_a_bad_link_does_what_it_was_told_within_ten_heartbeats_after_the_end_of_it() {
    let place = Place::prepare().await;
    let every = ProxyFault::ALL.into_iter().flat_map(|fault| BEGINNINGS.map(|begins_at| (fault, begins_at)));
    let cases = every.enumerate().map(|(seed, (fault, begins_at))| {
        // A fault that the device has to wait out hits fewer requests.
        let requests = if fault == ProxyFault::Stall { 2 } else { 3 + seed as u32 % 3 };
        (seed as u64, Case { fault, begins_at, requests })
    });
    let most: Vec<u32> = stream::iter(cases)
        .map(|(seed, case)| place.survives(seed, case))
        .buffer_unordered(AT_ONCE)
        .collect()
        .await;
    println!("{} cases, at most {} heartbeats", most.len(), most.iter().max().unwrap_or(&0));
}

#[cfg(target_arch = "x86_64")]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_device_whose_clock_jumps_by_ten_years_and_back_works_meanwhile_and_afterwards() {
    let place = Place::prepare().await;
    tokio::join!(place.survives_clock(10), place.survives_clock(-10));
}

struct Place {
    _server: ServerProcess,
    url: String,
    admin: OperatorClient,
    token: String,
    setup: ServerSetup,
}

impl Place {
    async fn prepare() -> Self {
        let setup = ServerSetup::new(Backend::Sqlite).await;
        let server = setup.start().await;
        let admin = server.admin().await;
        let token = ServerProcess::registration_token(&admin, 200).await;
        for version in ["1.0.0", "2.0.0", "3.0.0"] {
            let bundle = TestBundle::tiny("linked", version)
                .with("deploy", json!({"script": "./deploy.sh"}))
                .with_file("deploy.sh", DEPLOY.as_bytes());
            admin.upload_bundle(&bundle.pack(setup.folder()), None, |_| {}).await.unwrap();
        }
        Self { url: server.url.clone(), _server: server, admin, token, setup }
    }

    /// Upgrades a device while a fault is there, and gives how many heartbeats it took after its end.
    async fn survives(&self, seed: u64, case: Case) -> u32 {
        let proxy = FaultProxy::start(&self.url, seed).await;
        let device = self.device(&format!("{seed}"), &proxy, None).await;
        device.runs("1.0.0").await;
        let Case { fault, begins_at, requests } = case;
        proxy.plan(FaultPlan { fault, begins_at, requests });
        let upgrade = device.deploy("2.0.0").await;
        device.wait(&format!("{case:?}: the end of the fault"), async || proxy.has_ended()).await;
        device.wait(&format!("{case:?}: the upgrade"), async || device.is_done(upgrade).await).await;
        let heartbeats = proxy.heartbeats();
        assert!(heartbeats <= HEARTBEATS, "{case:?}: {heartbeats} heartbeats\n{}", device.agent.log_text());
        device.was_told_and_did_once(upgrade, &["1.0.0", "2.0.0"]).await;
        let status = device.agent.stop().await;
        assert!(status.success(), "{case:?}: {status}");
        heartbeats
    }

    async fn survives_clock(&self, years: i64) {
        let proxy = FaultProxy::start(&self.url, 0).await;
        let name = format!("clock{years}");
        let clock = self.setup.folder().join(format!("{name}.offset"));
        let device = self.device(&name, &proxy, Some(clock.clone())).await;
        device.runs("1.0.0").await;
        let mut done = vec!["1.0.0"];
        for (version, offset) in [("2.0.0", years * YEAR_SECS), ("3.0.0", 0)] {
            proxy.count_anew();
            fs::write(&clock, offset.to_string()).unwrap();
            let upgrade = device.deploy(version).await;
            device.wait("the upgrade", async || device.is_done(upgrade).await).await;
            let heartbeats = proxy.heartbeats();
            assert!(heartbeats <= HEARTBEATS, "{heartbeats} heartbeats\n{}", device.agent.log_text());
            done.push(version);
            device.was_told_and_did_once(upgrade, &done).await;
        }
        assert!(
            device.agent.log_text().contains(&wrong_year(years)),
            "the agent's clock was right all the time"
        );
        assert!(device.agent.stop().await.success());
    }

    /// A registered device behind a proxy.
    async fn device(&self, name: &str, proxy: &FaultProxy, clock: Option<std::path::PathBuf>) -> Device<'_> {
        let data_dir = self.setup.folder().join(format!("device-{name}"));
        let orders = clock.map(|clock| Orders {
            folder: data_dir.clone(),
            report: data_dir.with_extension("trace"),
            act: Act::Nothing,
            clock: Some(clock),
        });
        let tag = format!("link={name}");
        let arguments = [
            "--key-algorithm",
            "ed25519",
            "--polling-interval",
            &POLLING_SECS.to_string(),
            "--heartbeat-timeout",
        ];
        let arguments = arguments.into_iter().map(ToOwned::to_owned);
        let arguments =
            arguments.chain([TIMEOUT_SECS.to_string(), "--tag".to_owned(), tag.clone()]).collect();
        let token = Some(self.token.clone());
        let agent =
            AgentProcess::start_with(&proxy.url, &data_dir, AgentOptions { token, arguments, orders });
        let query = DeviceQuery { tag: Some(tag), ..DeviceQuery::default() };
        let online = wait_for("the device to come online", DEADLINE, async || {
            let devices = answered(async || self.admin.list_devices(&query).await).await.devices;
            devices.into_iter().find(|device| device.status == DeviceStatus::Online)
        });
        let id = online.await.device_id;
        Device { admin: &self.admin, agent, id }
    }
}

struct Device<'a> {
    admin: &'a OperatorClient,
    agent: AgentProcess,
    id: DeviceId,
}

impl Device<'_> {
    async fn deploy(&self, version: &str) -> DeploymentId {
        let request = CreateDeploymentRequest {
            bundle_version: Some(version.to_owned()),
            bundle_name: Some("linked".to_owned()),
            target_devices: vec![self.id.to_string()],
            ..CreateDeploymentRequest::default()
        };
        answered(async || self.admin.create_deployment(&request).await).await.deployment_id
    }

    async fn runs(&self, version: &str) {
        let deployment = self.deploy(version).await;
        self.wait("the first version", async || self.is_done(deployment).await).await;
    }

    async fn is_done(&self, deployment: DeploymentId) -> bool {
        let status = answered(async || self.admin.get_deployment(deployment).await).await.deployment.status;
        assert!(
            status == DeploymentStatus::Success || !status.is_final(),
            "the deployment ended as {status}\n{}",
            self.agent.log_text()
        );
        status == DeploymentStatus::Success
    }

    async fn wait(&self, what: &str, mut holds: impl AsyncFnMut() -> bool) {
        let what = format!("{what} on {}", self.agent.data_dir().display());
        wait_for(&what, DEADLINE, async || holds().await.then_some(())).await;
    }

    /// One line of history for the deployment, and one run of each version's script.
    async fn was_told_and_did_once(&self, deployment: DeploymentId, versions: &[&str]) {
        let history = answered(async || self.admin.bundle_history(self.id, None).await).await;
        let lines = history.iter().filter(|line| line.deployment_id == deployment).count();
        assert_eq!((lines, history.len()), (1, versions.len()), "{history:?}");
        let ran = fs::read_to_string(self.agent.data_dir().join("bundles/linked/data/ran")).unwrap();
        assert_eq!(ran.lines().collect::<Vec<_>>(), versions);
    }
}

/// How a line of a log begins when the clock is wrong.
fn wrong_year(years: i64) -> String {
    let now = std::process::Command::new("date").arg("+%Y").output().unwrap();
    let year: i64 = String::from_utf8_lossy(&now.stdout).trim().parse().unwrap();
    format!("\n{}-", year + years)
}
