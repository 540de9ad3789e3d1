//! A real agent on a real disk that is full, or that has become read-only.

use std::{
    fs::{self, File},
    io::Write as _,
    time::Duration,
};

use kernex_api::deployments::{CreateDeploymentRequest, Target};
use kernex_client::{DeviceQuery, LogQuery, OperatorClient};
use kernex_core::{DeploymentId, DeviceHealth, DeviceId, DeviceStatus, FailureCode, TargetState};
use kernex_testkit::{AgentProcess, Backend, ServerProcess, ServerSetup, TestBundle, wait_for};
use serde_json::json;

use tokio::time::{Instant, sleep};

use crate::small_disk::SmallDisk;

const DEADLINE: Duration = Duration::from_secs(120);
const LOOK_EVERY: Duration = Duration::from_millis(100);
const DISK_MIB: usize = 24;
/// Fills what is left of the disk.
const PIECE_BYTES: usize = 64 * 1024;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_agent_on_a_full_disk_keeps_the_old_version_reports_disk_full_and_goes_on_afterwards() {
    let Some(place) = Place::prepare("full").await else { return };
    let agent = place.start(Some(&place.token));
    let id = place.online().await;
    let first = place.deploy(id, "1.0.0").await;
    assert_eq!(place.end_of(first).await.state, TargetState::Success);
    place.serves("1.0.0").await;

    let filler = place.disk.0.join("filler");
    let mut file = File::create(&filler).unwrap();
    while file.write_all(&[0; PIECE_BYTES]).is_ok() {}
    drop(file);
    let second = place.deploy(id, "2.0.0").await;
    let target = place.end_of(second).await;
    let message = target.error_message.clone().unwrap_or_default();
    assert_eq!(
        (target.state, target.error_code),
        (TargetState::Failed, Some(FailureCode::DiskFull)),
        "{message}"
    );
    assert!(message.contains("bytes free") || message.contains("No space left"), "{message}");
    place.serves("1.0.0").await;

    fs::remove_file(&filler).unwrap();
    let third = place.deploy(id, "2.0.0").await;
    assert_eq!(place.end_of(third).await.state, TargetState::Success, "{}", agent.log_text());
    place.serves("2.0.0").await;
    assert!(agent.stop().await.success());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_agent_on_a_disk_that_has_become_read_only_runs_what_it_has_and_says_why_it_does_no_more() {
    let Some(place) = Place::prepare("readonly").await else { return };
    let agent = place.start(Some(&place.token));
    let id = place.online().await;
    let first = place.deploy(id, "1.0.0").await;
    assert_eq!(place.end_of(first).await.state, TargetState::Success);
    place.wait("the result to be taken out of the outbox", async || place.has_settled()).await;
    assert!(agent.stop().await.success());
    place.serves_nothing().await;

    place.disk.remount("ro").await;
    let agent = place.start(None);
    place.serves("1.0.0").await;
    let second = place.deploy(id, "2.0.0").await;
    place
        .wait("a heartbeat that says `error`", async || {
            let last = place.admin.get_device(id).await.unwrap().last_heartbeat;
            last.is_some_and(|last| last.status == DeviceHealth::Error)
        })
        .await;
    place
        .wait("the reason in the log", async || {
            let logs = place.admin.list_device_logs(id, &LogQuery::default()).await.unwrap().logs;
            logs.iter().any(|line| format!("{:?}", line.fields).contains("Read-only file system"))
        })
        .await;
    place.serves("1.0.0").await;

    place.disk.remount("rw").await;
    assert_eq!(place.end_of(second).await.state, TargetState::Success, "{}", agent.log_text());
    place.serves("2.0.0").await;
    assert!(agent.stop().await.success());
}

struct Place {
    setup: ServerSetup,
    server: ServerProcess,
    admin: OperatorClient,
    token: String,
    disk: SmallDisk,
    /// Makes this test's workloads known among all processes.
    mark: u32,
}

impl Place {
    /// Nothing when the test cannot run here.
    async fn prepare(name: &str) -> Option<Self> {
        let setup = ServerSetup::new(Backend::Sqlite).await;
        let mount_point = setup.folder().join(format!("disk-{name}"));
        fs::create_dir(&mount_point).unwrap();
        let Some(disk) = SmallDisk::mount(&mount_point, DISK_MIB) else {
            println!("not run: only root can mount a small disk");
            return None;
        };
        let server = setup.start().await;
        let admin = server.admin().await;
        let token = ServerProcess::registration_token(&admin, 1).await;
        // Seconds that a workload sleeps: more than the test takes, and no other test's.
        let mark = 1_000_000 + std::process::id() * 2 + u32::from(name == "full");
        for version in ["1.0.0", "2.0.0"] {
            let serve = format!("#!/bin/sh\nexec sleep {mark}{}\n", &version[..1]);
            let bundle = TestBundle::tiny("disk", version)
                .with("workload", json!({"command": ["./serve"], "crash_window_secs": 1}))
                .with_file("serve", serve.as_bytes())
                .with_random_bytes(1 << 20);
            admin.upload_bundle(&bundle.pack(setup.folder()), None, |_| {}).await.unwrap();
        }
        Some(Self { setup, server, admin, token, disk, mark })
    }

    fn start(&self, token: Option<&str>) -> AgentProcess {
        // The log is beside the data folder, and would not find its way onto a full disk.
        let link = self.setup.folder().join("device");
        if !link.exists() {
            std::os::unix::fs::symlink(self.disk.0.join("data"), &link).unwrap();
            fs::create_dir(self.disk.0.join("data")).unwrap();
        }
        AgentProcess::start(&self.server.url, &link, token)
    }

    async fn online(&self) -> DeviceId {
        let online = wait_for("the device to come online", DEADLINE, async || {
            let devices = self.admin.list_devices(&DeviceQuery::default()).await.unwrap().devices;
            devices.into_iter().find(|device| device.status == DeviceStatus::Online)
        });
        online.await.device_id
    }

    async fn deploy(&self, id: DeviceId, version: &str) -> DeploymentId {
        let request = CreateDeploymentRequest {
            bundle_version: Some(version.to_owned()),
            bundle_name: Some("disk".to_owned()),
            target_devices: vec![id.to_string()],
            ..CreateDeploymentRequest::default()
        };
        self.admin.create_deployment(&request).await.unwrap().deployment_id
    }

    async fn end_of(&self, deployment: DeploymentId) -> Target {
        wait_for("the deployment's end", DEADLINE, async || {
            let target = self.admin.all_targets(deployment).await.unwrap().remove(0);
            target.state.is_final().then_some(target)
        })
        .await
    }

    async fn wait(&self, what: &str, mut holds: impl AsyncFnMut() -> bool) {
        wait_for(what, DEADLINE, async || holds().await.then_some(())).await;
    }

    fn has_settled(&self) -> bool {
        fs::read_dir(self.disk.0.join("data/outbox/results")).unwrap().count() == 0
    }

    /// The workload of this version runs, and that of no other.
    async fn serves(&self, version: &str) {
        let wanted = vec![format!("{}{}", self.mark, &version[..1])];
        let end = Instant::now() + DEADLINE;
        while self.running() != wanted {
            let log = fs::read_to_string(self.setup.folder().join("device.log")).unwrap_or_default();
            assert!(Instant::now() < end, "{:?} run, wanted is {wanted:?}\n{log}", self.running());
            sleep(LOOK_EVERY).await;
        }
    }

    async fn serves_nothing(&self) {
        self.wait("the workload's end", async || self.running().is_empty()).await;
    }

    /// What this test's workloads sleep.
    fn running(&self) -> Vec<String> {
        let mark = self.mark.to_string();
        let commands = fs::read_dir("/proc").unwrap().flatten().filter_map(|process| {
            let command = fs::read_to_string(process.path().join("cmdline")).ok()?;
            let seconds = command.strip_prefix("sleep\0")?.trim_end_matches('\0').to_owned();
            seconds.starts_with(&mark).then_some(seconds)
        });
        commands.collect()
    }
}
