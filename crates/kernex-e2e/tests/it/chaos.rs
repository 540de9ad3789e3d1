//! Agents are killed at random moments while deployments pass: everything converges, and each result is recorded once.
//!
//! A small count in every test run; `cargo xtask chaos` kills 1,000 times during 200 deployments.

use std::{env, fs, time::Duration};

use futures_util::future::join_all;
use kernex_api::deployments::{CreateDeploymentRequest, Target};
use kernex_client::{DeviceQuery, Error, OperatorClient};
use kernex_core::{DeploymentId, DeviceId, DeviceStatus, FailureCode, TargetState};
use kernex_testkit::{AgentProcess, Backend, ServerProcess, ServerSetup, TestBundle, wait_for};
use rand::{RngExt as _, SeedableRng as _, rngs::StdRng};
use serde_json::{Value, json};
use tokio::time::{Instant, sleep};

/// Until a deployment has ended after the last kill: a busy machine and five waits for a workload that was left behind.
const DEADLINE: Duration = Duration::from_secs(180);
/// An agent lives at most this long until it is killed: about as long as an upgrade takes.
const LONGEST_LIFE_MILLIS: u64 = 2_500;
const BUNDLE: &str = "chaos";
const VERSIONS: [&str; 4] = ["1.0.0", "2.0.0", "3.0.0", "4.0.0"];

const DEPLOY: &str = "#!/bin/sh\necho \"$KERNEX_VERSION\" >> \"$KERNEX_DATA_DIR/ran\"\n";
/// Takes a lock, to notice a second copy.
const SERVE: &str = "#!/bin/sh\n\
    exec 9> \"$KERNEX_DATA_DIR/lock\"\n\
    flock -n 9 || echo \"$KERNEX_VERSION\" >> \"$KERNEX_DATA_DIR/second\"\n\
    echo \"$KERNEX_VERSION\" > \"$KERNEX_DATA_DIR/serving\"\n\
    exec sleep 1000\n";

/// How much happens.
struct Extent {
    kills: usize,
    deployments: usize,
    devices: usize,
    seed: u64,
}

/// What a device's history came to.
#[derive(Default)]
struct Tally {
    kills: usize,
    successes: usize,
    power_losses: usize,
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn killing_agents_amid_deployments_loses_and_repeats_nothing() {
    let number = |name: &str, default: u64| {
        env::var(name).map_or(default, |text| text.parse().unwrap_or_else(|_| panic!("{name} is a number")))
    };
    let kills = number("KERNEX_CHAOS_KILLS", 60) as usize;
    let deployments = number("KERNEX_CHAOS_DEPLOYMENTS", 12) as usize;
    let devices = (deployments / 3).clamp(1, 10);
    let seed = number("KERNEX_CHAOS_SEED", 1);
    survive(&Extent { kills, deployments, devices, seed }).await;
}

async fn survive(extent: &Extent) {
    let began = Instant::now();
    let setup = ServerSetup::new(Backend::Sqlite).await;
    let server = setup.start().await;
    let admin = server.admin().await;
    let token = ServerProcess::registration_token(&admin, extent.devices as u32).await;
    for version in VERSIONS {
        let bundle = bundle(version).pack(setup.folder());
        admin.upload_bundle(&bundle, None, |_| {}).await.unwrap();
    }
    let devices = (0..extent.devices).map(|index| {
        let data_dir = setup.folder().join(format!("device-{index}"));
        let share = |total: usize| total / extent.devices + usize::from(index < total % extent.devices);
        let mut random = StdRng::seed_from_u64(extent.seed * 1_000 + index as u64);
        let plan = plan(&mut random, share(extent.kills), share(extent.deployments));
        let device =
            Device { admin: &admin, url: &server.url, token: &token, data_dir, random, installed: None };
        device.run(plan)
    });
    let tallies = join_all(devices).await;
    let sum = |count: fn(&Tally) -> usize| tallies.iter().map(count).sum::<usize>();
    let (kills, successes, power_losses) =
        (sum(|tally| tally.kills), sum(|tally| tally.successes), sum(|tally| tally.power_losses));
    println!(
        "seed {}: {kills} kills on {} devices during {} deployments: {successes} succeeded, {power_losses} ended with \
         power_loss, {:.0?}",
        extent.seed,
        extent.devices,
        successes + power_losses,
        began.elapsed()
    );
    assert_eq!((kills, successes + power_losses), (extent.kills, extent.deployments));
}

/// How often the agent is killed during each deployment: by chance, and as often as it is to be in all.
fn plan(random: &mut StdRng, kills: usize, deployments: usize) -> Vec<usize> {
    let mut plan = vec![0; deployments];
    for _ in 0..kills {
        let index = random.random_range(0..deployments);
        plan[index] += 1;
    }
    plan
}

fn bundle(version: &str) -> TestBundle {
    TestBundle::tiny(BUNDLE, version)
        .with("deploy", json!({"script": "./deploy.sh"}))
        .with("workload", json!({"command": ["./serve"], "max_crashes": 3, "crash_window_secs": 1}))
        .with_file("deploy.sh", DEPLOY.as_bytes())
        .with_file("serve", SERVE.as_bytes())
        // More than one piece on the wire.
        .with_random_bytes(256 * 1024)
}

/// Asks until there is an answer: a control plane that is too busy says so, and nothing was changed.
pub(crate) async fn answered<T>(ask: impl AsyncFn() -> Result<T, Error>) -> T {
    let end = Instant::now() + DEADLINE;
    loop {
        match ask().await {
            Ok(answer) => return answer,
            Err(error) if error.status() == Some(503) && Instant::now() < end => {
                sleep(Duration::from_millis(200)).await;
            }
            Err(error) => panic!("the control plane refuses: {error}"),
        }
    }
}

struct Device<'a> {
    admin: &'a OperatorClient,
    url: &'a str,
    token: &'a str,
    data_dir: std::path::PathBuf,
    random: StdRng,
    installed: Option<&'static str>,
}

impl Device<'_> {
    async fn run(mut self, plan: Vec<usize>) -> Tally {
        let mut tally = Tally::default();
        let id = self.register().await;
        for (number, kills) in plan.iter().enumerate() {
            let version = VERSIONS[(number + self.random.random_range(0..2)) % VERSIONS.len()];
            let deployment = self.deploy(id, number, version).await;
            for _ in 0..*kills {
                let agent = self.start();
                sleep(Duration::from_millis(self.random.random_range(0..LONGEST_LIFE_MILLIS))).await;
                agent.kill().await;
            }
            tally.kills += kills;
            let agent = self.start();
            let target = self.end_of(deployment, &agent).await;
            match (target.state, target.error_code) {
                (TargetState::Success, None) => {
                    self.installed = Some(version);
                    tally.successes += 1;
                }
                (TargetState::Failed | TargetState::RolledBack, Some(FailureCode::PowerLoss)) => {
                    assert!(*kills > 5, "{kills} kills are no reason to give up: {target:?}");
                    tally.power_losses += 1;
                }
                other => panic!("the deployment ended as {other:?}\n{}", agent.log_text()),
            }
            self.agrees(id, number + 1, deployment, &agent).await;
            // Not every deployment begins with an agent that was stopped in peace.
            if self.random.random_bool(0.5) {
                agent.kill().await;
            } else {
                assert!(agent.stop().await.success());
            }
        }
        tally
    }

    fn start(&self) -> AgentProcess {
        AgentProcess::start(self.url, &self.data_dir, Some(self.token))
    }

    async fn register(&self) -> DeviceId {
        let mut agent = self.start();
        let fingerprint = wait_for("the name of the device", DEADLINE, async || {
            // A control plane that is not there yet is asked again; an agent that ends says why.
            assert!(agent.is_running(), "the agent ended:\n{}", agent.log_text());
            let config = fs::read(self.data_dir.join("config.json")).ok()?;
            let config: Value = serde_json::from_slice(&config).ok()?;
            Some(config["key_fingerprint"].as_str()?.to_owned())
        });
        let fingerprint = fingerprint.await;
        let id = wait_for("the device to come online", DEADLINE, async || {
            let query = DeviceQuery { limit: Some(100), ..DeviceQuery::default() };
            let devices = answered(async || self.admin.list_devices(&query).await).await.devices;
            let is_it = |device: &kernex_api::devices::Device| {
                device.key_fingerprint == fingerprint && device.status == DeviceStatus::Online
            };
            devices.into_iter().find(is_it).map(|device| device.device_id)
        });
        let id = id.await;
        agent.stop().await;
        id
    }

    async fn deploy(&self, id: DeviceId, number: usize, version: &str) -> DeploymentId {
        let request = CreateDeploymentRequest {
            bundle_version: Some(version.to_owned()),
            bundle_name: Some(BUNDLE.to_owned()),
            target_devices: vec![id.to_string()],
            ..CreateDeploymentRequest::default()
        };
        let key = format!("chaos-{}-{number}", self.data_dir.display());
        answered(async || self.admin.create_deployment_once(&key, &request).await).await.deployment_id
    }

    async fn end_of(&self, deployment: DeploymentId, agent: &AgentProcess) -> Target {
        let end = Instant::now() + DEADLINE;
        loop {
            let target = answered(async || self.admin.all_targets(deployment).await).await.remove(0);
            if target.state.is_final() {
                return target;
            }
            assert!(Instant::now() < end, "{target:?} does not end\n{}", agent.log_text());
            sleep(Duration::from_millis(100)).await;
        }
    }

    /// Disk, workload and control plane say the same, and the result was recorded once.
    async fn agrees(&self, id: DeviceId, deployments: usize, deployment: DeploymentId, agent: &AgentProcess) {
        let slot = self.data_dir.join("bundles").join(BUNDLE);
        wait_for(&format!("agreement of {}", self.data_dir.display()), DEADLINE, async || {
            let device = answered(async || self.admin.get_device(id).await).await;
            let reported = device.bundles.iter().find(|bundle| bundle.name.as_str() == BUNDLE);
            let reported = reported.map(|bundle| bundle.version.to_string());
            let manifest = fs::read(slot.join("current/manifest.json")).ok();
            let manifest = manifest.and_then(|bytes| serde_json::from_slice::<Value>(&bytes).ok());
            let on_disk = manifest.map(|manifest| manifest["version"].as_str().unwrap().to_owned());
            let serving = fs::read_to_string(slot.join("data/serving")).ok();
            let serving = serving.filter(|_| self.installed.is_some()).map(|text| text.trim().to_owned());
            let wanted = self.installed.map(ToOwned::to_owned);
            (reported == wanted && on_disk == wanted && serving == wanted).then_some(())
        })
        .await;
        assert!(!slot.join("data/second").exists(), "two copies of the workload ran\n{}", agent.log_text());
        let history = answered(async || self.admin.bundle_history(id, Some(200)).await).await;
        let lines = history.iter().filter(|line| line.deployment_id == deployment).count();
        assert_eq!((lines, history.len()), (1, deployments), "{history:?}");
        let detail = answered(async || self.admin.get_deployment(deployment).await).await;
        let progress = detail.deployment.progress;
        assert_eq!(progress.success + progress.failed + progress.rolled_back, 1, "{progress:?}");
        wait_for("an empty outbox", DEADLINE, async || {
            let results = fs::read_dir(self.data_dir.join("outbox/results")).unwrap().count();
            (results == 0).then_some(())
        })
        .await;
    }
}
