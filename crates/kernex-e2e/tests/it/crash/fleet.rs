//! Devices that work as the agent does: results until they are acknowledged, heartbeats that say what is being worked on.

use std::{
    collections::{BTreeMap, VecDeque},
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::Duration,
};

use aws_lc_rs::digest::{Context, SHA256};
use kernex_api::heartbeat::{Command, DeployCommand, HeartbeatRequest, HeartbeatResponse, TargetReport};
use kernex_core::{DeploymentId, DeviceId, ResultStatus, TargetState};
use kernex_testkit::TestDevice;

use super::operator::is_away;

/// Between two rounds of a device.
const PAUSE: Duration = Duration::from_millis(60);

/// What devices and the test tell each other.
#[derive(Default)]
pub(super) struct Shared {
    results: AtomicU64,
    stopped: AtomicBool,
}

impl Shared {
    /// How many results were acknowledged.
    pub(super) fn acknowledged(&self) -> u64 {
        self.results.load(Ordering::Relaxed)
    }

    pub(super) fn stop(&self) {
        self.stopped.store(true, Ordering::Relaxed);
    }
}

/// What a device knows at the end.
#[derive(Default)]
pub(super) struct DeviceLog {
    /// How often each deployment was carried out.
    pub(super) carried_out: BTreeMap<DeploymentId, u32>,
    /// Results that were acknowledged.
    pub(super) results: BTreeMap<DeploymentId, ResultStatus>,
    /// Numbers of the heartbeats that were answered.
    pub(super) heartbeats: Vec<u64>,
    /// What must not happen, and did.
    pub(super) complaints: Vec<String>,
}

struct Device {
    device: TestDevice,
    shared: Arc<Shared>,
    log: DeviceLog,
    working: Option<DeployCommand>,
    outbox: VecDeque<(DeployCommand, ResultStatus)>,
    config_version: u64,
    last_heartbeat: u64,
}

/// Works until it is told to stop.
pub(super) async fn run_device(device: TestDevice, shared: Arc<Shared>) -> (DeviceId, DeviceLog) {
    let mut device = Device {
        device,
        shared,
        log: DeviceLog::default(),
        working: None,
        outbox: VecDeque::new(),
        config_version: 1,
        last_heartbeat: 0,
    };
    while !device.shared.stopped.load(Ordering::Relaxed) {
        device.send_result().await;
        device.send_heartbeat().await;
        tokio::time::sleep(PAUSE).await;
    }
    (device.device.id(), device.log)
}

impl Device {
    async fn send_result(&mut self) {
        let Some((command, status)) = self.outbox.front().cloned() else { return };
        match self.device.report(&command, status).await {
            Ok(()) => {
                self.outbox.pop_front();
                self.log.results.insert(command.deployment_id, status);
                self.shared.results.fetch_add(1, Ordering::Relaxed);
            }
            Err(error) if is_away(&error) => {}
            Err(error) => {
                self.complain(format!("the result of {} was refused: {error}", command.deployment_id));
            }
        }
    }

    async fn send_heartbeat(&mut self) {
        self.last_heartbeat += 1;
        match self.device.client.heartbeat(&self.heartbeat()).await {
            Ok(answer) => {
                self.log.heartbeats.push(self.last_heartbeat);
                self.finish_work().await;
                self.follow(answer);
            }
            Err(error) if is_away(&error) => {}
            Err(error) => self.complain(format!("a heartbeat was refused: {error}")),
        }
    }

    fn heartbeat(&self) -> HeartbeatRequest {
        let working = self.working.iter().map(|command| (command, TargetState::Activating));
        let done = self.outbox.iter().map(|(command, status)| (command, status.target_state()));
        let report = |(command, state): (&DeployCommand, TargetState)| TargetReport {
            deployment_id: command.deployment_id,
            attempt: command.attempt,
            state,
            progress_pct: None,
        };
        HeartbeatRequest {
            config_version: Some(self.config_version),
            targets: Some(working.chain(done).map(report).collect()),
            metrics: Some(BTreeMap::from([("number".to_owned(), self.last_heartbeat as f64)])),
            ..TestDevice::heartbeat_request()
        }
    }

    /// Ends the work that the last heartbeat spoke of, once its bytes are here.
    async fn finish_work(&mut self) {
        let Some(command) = self.working.take() else { return };
        match self.fetch(&command).await {
            Some(digest) if digest == command.checksum_sha256 => {
                *self.log.carried_out.entry(command.deployment_id).or_default() += 1;
                let status = outcome_of(command.deployment_id);
                self.outbox.push_back((command, status));
            }
            Some(digest) => self.complain(format!("the bytes have the digest {digest}")),
            None => self.working = Some(command),
        }
    }

    async fn fetch(&self, command: &DeployCommand) -> Option<String> {
        let mut download = self.device.client.download(&command.download_url, 0, None).await.ok()?;
        let mut digest = Context::new(&SHA256);
        while let Some(chunk) = download.chunk().await.ok()? {
            digest.update(&chunk);
        }
        Some(hex::encode(digest.finish()))
    }

    fn follow(&mut self, answer: HeartbeatResponse) {
        for command in answer.commands {
            match command {
                Command::Deploy(command) => self.take_on(command),
                Command::Configure(command) => self.config_version = command.config_version,
                other => self.complain(format!("nobody asked for {other:?}")),
            }
        }
    }

    fn take_on(&mut self, command: DeployCommand) {
        let id = command.deployment_id;
        if command.attempt != 1 {
            self.complain(format!("{id} was given up"));
        } else if self.log.results.contains_key(&id) {
            self.complain(format!("{id} was sent again after its result was acknowledged"));
        } else if self.log.carried_out.contains_key(&id) {
            // The answer crossed the result, which is on its way.
        } else if self.working.is_none() {
            self.working = Some(command);
        }
    }

    fn complain(&mut self, complaint: String) {
        self.log.complaints.push(complaint);
    }
}

/// Some fail, so that the counts differ.
fn outcome_of(deployment: DeploymentId) -> ResultStatus {
    if deployment.0.as_u128().is_multiple_of(7) { ResultStatus::Failed } else { ResultStatus::Success }
}
