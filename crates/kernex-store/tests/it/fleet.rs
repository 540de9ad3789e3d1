//! Devices, bundles and deployments to test with.

use std::collections::BTreeMap;

use kernex_core::{
    BundleId, BundleName, BundleVersion, DeploymentId, DeploymentKind, DeviceHealth, DeviceId, FailureCode,
    Membership, OrganizationId, ResultStatus, TargetState, Timestamp,
};
use kernex_store::{
    DeploymentRecord, HeartbeatOutcome, HeartbeatReport, LeaseTerms, NewBundle, NewDeployment, NewDevice,
    Once, OutcomeOfResult, Reading, Registered, RequestCounter, Result, Store, TargetFailure, TargetProgress,
    TargetRecord, TargetResult,
};
use serde_json::Map;

use crate::database::Database;

pub(crate) const ORG: OrganizationId = OrganizationId::DEFAULT;
pub(crate) const LEASE: LeaseTerms = LeaseTerms { min_millis: 900_000, heartbeats: 3 };

/// The second organisation, which [`add_other_organization`] makes.
pub(crate) fn other_org() -> OrganizationId {
    "00000000-0000-7000-8000-000000000002".parse().unwrap()
}

pub(crate) async fn add_other_organization(db: &Database) {
    let id = match db.kind {
        crate::database::Kind::Sqlite => "x'00000000000070008000000000000002'",
        crate::database::Kind::Postgres => "'00000000-0000-7000-8000-000000000002'",
    };
    db.execute(&format!("INSERT INTO organizations (id, name, created_at) VALUES ({id}, 'other', 0)")).await;
}

/// Seconds after the beginning of the tests' time.
pub(crate) fn at(secs: i64) -> Timestamp {
    Timestamp::from_millis(1_800_000_000_000).plus_secs(secs)
}

pub(crate) fn name(text: &str) -> BundleName {
    text.parse().unwrap()
}

pub(crate) fn version(text: &str) -> BundleVersion {
    text.parse().unwrap()
}

pub(crate) fn new_device(key: &str) -> NewDevice {
    NewDevice {
        org_id: ORG,
        public_key: key.as_bytes().to_vec(),
        signature_algorithm: "ed25519",
        key_fingerprint: fingerprint(key),
        device_type: Some("jetson".to_owned()),
        hardware_metadata: Map::new(),
        tags: BTreeMap::new(),
        token_sha256: None,
        signed_at: at(0).as_millis(),
        max_pending: 1_000,
    }
}

/// 64 hexadecimal digits that begin with the key's bytes.
pub(crate) fn fingerprint(key: &str) -> String {
    let digits: String = key.bytes().map(|byte| format!("{byte:02x}")).collect();
    format!("{digits:0<64}")
}

/// A device's id, if registering gave one.
pub(crate) fn device_of(registered: Registered) -> (DeviceId, Membership) {
    match registered {
        Registered::Device { id, membership } => (id, membership),
        other => panic!("no device: {other:?}"),
    }
}

pub(crate) async fn waiting_device(store: &Store, org: OrganizationId, key: &str) -> DeviceId {
    let new = NewDevice { org_id: org, ..new_device(key) };
    device_of(store.register_device(&new, at(0)).await.unwrap()).0
}

/// A device that has been let in.
pub(crate) async fn device(store: &Store, org: OrganizationId, key: &str) -> DeviceId {
    let id = waiting_device(store, org, key).await;
    let from = [Membership::PendingApproval];
    let before = store.change_membership(org, id, &from, Membership::Active, "ada", at(0)).await.unwrap();
    assert_eq!(before, Some(Membership::PendingApproval));
    id
}

pub(crate) fn new_bundle(bundle: &str, bundle_version: &str) -> NewBundle {
    NewBundle {
        id: BundleId::generate(at(0)),
        name: name(bundle),
        version: version(bundle_version),
        checksum_sha256: fingerprint(bundle_version),
        size_bytes: 1_234,
        format: "gz".to_owned(),
        manifest: format!(r#"{{"version":"{bundle_version}"}}"#),
        description: Some("night model".to_owned()),
        uploaded_by: "ada".to_owned(),
    }
}

pub(crate) async fn bundle(store: &Store, org: OrganizationId, bundle_version: &str) -> NewBundle {
    let new = new_bundle("default", bundle_version);
    let answer = || (201, String::new());
    assert_eq!(store.create_bundle(org, &new, at(0), None, answer).await.unwrap(), Once::Done(()));
    new
}

pub(crate) fn new_deployment(bundle: &NewBundle, devices: &[DeviceId], now: Timestamp) -> NewDeployment {
    NewDeployment {
        id: DeploymentId::generate(now),
        kind: DeploymentKind::Deploy,
        bundle_id: bundle.id,
        bundle_name: bundle.name.clone(),
        bundle_version: bundle.version.clone(),
        devices: devices.to_vec(),
        description: None,
        created_by: "ada".to_owned(),
    }
}

pub(crate) async fn deploy(
    store: &Store,
    org: OrganizationId,
    bundle: &NewBundle,
    devices: &[DeviceId],
    now: Timestamp,
) -> DeploymentId {
    let new = new_deployment(bundle, devices, now);
    for _ in 0..20 {
        let made =
            store.create_deployments(org, std::slice::from_ref(&new), now, None, || (201, String::new()));
        match made.await {
            // PostgreSQL ended it to break a deadlock; nothing was done, and a client that is told 503 asks again.
            Err(kernex_store::Error::Unavailable(_)) => {}
            made => {
                assert_eq!(made.unwrap(), Once::Done(true));
                return new.id;
            }
        }
    }
    panic!("the database did not take a deployment twenty times");
}

pub(crate) fn counter(device_id: DeviceId, now: Timestamp) -> RequestCounter {
    RequestCounter { org_id: ORG, device_id, timestamp: now.as_millis() }
}

pub(crate) fn report() -> HeartbeatReport {
    HeartbeatReport {
        reading: Reading {
            status: DeviceHealth::Healthy,
            cpu_pct: 12.5,
            memory_mb: 900.0,
            memory_total_mb: Some(4_096.0),
            disk_free_mb: None,
            disk_total_mb: None,
            uptime_secs: Some(60.0),
            agent_version: "0.1.0".to_owned(),
            metrics: BTreeMap::from([("frames".to_owned(), 29.97)]),
            sandbox: BTreeMap::from([("landlock".to_owned(), "yes".to_owned())]),
        },
        boot_id: Some("boot-1".to_owned()),
        config_version: 1,
        bundles: None,
        targets: Vec::new(),
    }
}

pub(crate) fn working_on(deployment_id: DeploymentId, attempt: u32, state: TargetState) -> HeartbeatReport {
    let progress = TargetProgress { deployment_id, attempt, state, progress_pct: Some(40.0) };
    HeartbeatReport { targets: vec![progress], ..report() }
}

/// A heartbeat of the default organisation's device, signed and received at this time.
pub(crate) async fn beat(
    store: &Store,
    device: DeviceId,
    report: &HeartbeatReport,
    now: Timestamp,
) -> HeartbeatOutcome {
    store.record_heartbeat(&counter(device, now), report, LEASE, now).await.unwrap()
}

pub(crate) fn result(status: ResultStatus) -> TargetResult {
    let failed = status != ResultStatus::Success;
    TargetResult {
        attempt: Some(1),
        status,
        failure: TargetFailure {
            code: failed.then_some(FailureCode::ScriptFailed),
            message: failed.then(|| "exit code 3".to_owned()),
        },
        duration_secs: Some(12.0),
    }
}

pub(crate) async fn tell(
    store: &Store,
    device: DeviceId,
    deployment: DeploymentId,
    result: &TargetResult,
    now: Timestamp,
) -> Result<OutcomeOfResult> {
    store.report_result(&counter(device, now), deployment, result, now).await
}

pub(crate) async fn deployment(store: &Store, id: DeploymentId) -> DeploymentRecord {
    store.find_deployment(ORG, id).await.unwrap().unwrap()
}

pub(crate) async fn targets(store: &Store, id: DeploymentId) -> Vec<TargetRecord> {
    store.list_targets(ORG, id, None, None, 1_000).await.unwrap()
}

pub(crate) async fn target(store: &Store, id: DeploymentId, device: DeviceId) -> TargetRecord {
    targets(store, id).await.into_iter().find(|target| target.device_id == device).unwrap()
}

/// Demands that a deployment's counts are what a recount of its targets gives, and that its status fits them.
pub(crate) async fn assert_counts(store: &Store, id: DeploymentId) {
    let (deployment, targets) = (deployment(store, id).await, targets(store, id).await);
    let count = |states: &[TargetState]| {
        targets.iter().filter(|target| states.contains(&target.state)).count() as u64
    };
    let open = targets.iter().filter(|target| !target.state.is_final()).count() as u64;
    let pending = count(&[TargetState::Pending]);
    let expected = [
        targets.len() as u64,
        pending,
        open - pending,
        count(&[TargetState::Success]),
        count(&[TargetState::Failed, TargetState::TimedOut]),
        count(&[TargetState::RolledBack]),
        count(&[TargetState::Cancelled]),
    ];
    let kept = [
        deployment.total,
        deployment.pending,
        deployment.in_progress,
        deployment.success,
        deployment.failed,
        deployment.rolled_back,
        deployment.cancelled,
    ];
    assert_eq!(kept, expected, "counts of {id}: {targets:?}");
    assert_eq!(deployment.status.is_final(), open == 0, "{deployment:?}");
    assert_eq!(deployment.completed_at.is_some(), open == 0, "{deployment:?}");
    for target in &targets {
        assert_eq!(target.completed_at.is_some(), target.state.is_final(), "{target:?}");
        let leased = !target.state.is_final() && target.state != TargetState::Pending;
        assert_eq!(target.lease_expires_at.is_some(), leased, "{target:?}");
    }
}

/// Runs work that was made for each number, all at the same time, and gives the answers.
pub(crate) async fn all_at_once<T: Send + 'static, F: Future<Output = T> + Send + 'static>(
    number: usize,
    mut make: impl FnMut(usize) -> F,
) -> Vec<T> {
    let gate = std::sync::Arc::new(tokio::sync::Barrier::new(number));
    let tasks: Vec<_> = (0..number)
        .map(|index| {
            let (work, gate) = (make(index), gate.clone());
            tokio::spawn(async move {
                gate.wait().await;
                work.await
            })
        })
        .collect();
    let mut answers = Vec::new();
    for task in tasks {
        answers.push(task.await.unwrap());
    }
    answers
}
