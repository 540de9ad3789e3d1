//! Heartbeats: the one write of a device's reported state, and what the device is to do next.
//!
//! Commands are derived here from what is desired (open targets, the wanted configuration) and what was reported, never ticked
//! off when sent: an answer that is lost is made again from the same rows.

mod lane;

use std::collections::BTreeMap;

use kernex_core::{
    BundleId, BundleName, BundleVersion, DeploymentId, DeploymentKind, DeviceHealth, DeviceId, DeviceStatus,
    EventKind, Membership, OrganizationId, TargetState, Timestamp,
};
use serde::{Deserialize, Serialize};

use crate::{
    ConfigVersionRecord, Error, NewEvent, Result, Store, device_configs,
    events::{record_detail, record_event},
    offline::site_is_gone,
    sql::{Db, Row, Run, Tx, built, sql, to_json},
    targets::{self, Lease, Shifts},
    version_keys::key_of,
};

pub(crate) use lane::HeartbeatLane;

/// Most open targets of one device that are looked at in one heartbeat.
const MAX_OPEN_TARGETS: u32 = 64;
/// A device is offline after this many missed heartbeats, and some seconds for the way.
const MISSED_HEARTBEATS: i64 = 3;
const GRACE_MILLIS: i64 = 15_000;

/// A device's signed request: its timestamp must be greater than the last one accepted from the device. Every method that a
/// device's request leads to demands one, so that no replay passes.
#[derive(Clone, Copy, Debug)]
pub struct RequestCounter {
    /// The device's organisation.
    pub org_id: OrganizationId,
    /// The device.
    pub device_id: DeviceId,
    /// The request's timestamp.
    pub timestamp: i64,
}

/// What a device measured.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Reading {
    /// What the device says of itself.
    pub status: DeviceHealth,
    /// Share of CPU in use, percent.
    pub cpu_pct: f64,
    /// Memory in use, MiB.
    pub memory_mb: f64,
    /// Memory in all, MiB.
    pub memory_total_mb: Option<f64>,
    /// Disk free, MiB.
    pub disk_free_mb: Option<f64>,
    /// Disk in all, MiB.
    pub disk_total_mb: Option<f64>,
    /// Seconds since the machine started.
    pub uptime_secs: Option<f64>,
    /// The agent's version.
    pub agent_version: String,
    /// Numbers from the workload.
    pub metrics: BTreeMap<String, f64>,
    /// Which protections of scripts and workloads the device's kernel gives; kept of the last heartbeat only.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub sandbox: BTreeMap<String, String>,
}

/// One stored heartbeat.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct HeartbeatRow {
    /// Its number; later ones are greater. 0 for a device's last one.
    #[serde(default)]
    pub id: i64,
    /// When it came.
    pub received_at: Timestamp,
    /// What it said.
    #[serde(flatten)]
    pub reading: Reading,
}

/// How far a device says it is with one deployment.
#[derive(Clone, Debug)]
pub struct TargetProgress {
    /// The deployment.
    pub deployment_id: DeploymentId,
    /// The attempt.
    pub attempt: u32,
    /// How far.
    pub state: TargetState,
    /// Share of the state's work that is done, percent.
    pub progress_pct: Option<f64>,
}

/// Everything that a heartbeat reports.
#[derive(Clone, Debug)]
pub struct HeartbeatReport {
    /// What the device measured.
    pub reading: Reading,
    /// Changes with every start of the machine.
    pub boot_id: Option<String>,
    /// The version of the configuration in use.
    pub config_version: u64,
    /// What is installed; `None` says nothing about it.
    pub bundles: Option<Vec<(BundleName, BundleVersion)>>,
    /// What is being worked on.
    pub targets: Vec<TargetProgress>,
}

/// How long an attempt may go without progress.
#[derive(Clone, Copy, Debug)]
pub struct LeaseTerms {
    /// At least so long.
    pub min_millis: i64,
    /// And at least so many of the device's heartbeat intervals.
    pub heartbeats: i64,
}

impl LeaseTerms {
    fn from(self, now: Timestamp, polling_interval: u32) -> Lease {
        let millis = self.min_millis.max(self.heartbeats * i64::from(polling_interval) * 1_000);
        Lease { now, expires_at: now.plus_millis(millis) }
    }
}

/// A deployment that the device is to carry out.
#[derive(Clone, Debug)]
pub struct Order {
    /// The deployment.
    pub deployment_id: DeploymentId,
    /// Deploy or rollback.
    pub kind: DeploymentKind,
    /// The attempt.
    pub attempt: u32,
    /// The bundle.
    pub bundle_id: BundleId,
    /// The bundle's name.
    pub bundle_name: BundleName,
    /// The bundle's version.
    pub bundle_version: BundleVersion,
    /// SHA-256 of the bytes, hex.
    pub checksum_sha256: String,
    /// How many bytes.
    pub size_bytes: u64,
    /// When the attempt is given up unless progress is reported.
    pub lease_expires_at: Timestamp,
}

/// What a heartbeat led to.
#[derive(Clone, Debug)]
pub struct HeartbeatOutcome {
    /// Whether the device has been let in.
    pub membership: Membership,
    /// Seconds between its heartbeats.
    pub polling_interval: u32,
    /// The wanted configuration, when the device does not have it.
    pub config: Option<ConfigVersionRecord>,
    /// What the device is to carry out.
    pub order: Option<Order>,
    /// What the device works on and should not: deployment and attempt as reported.
    pub cancels: Vec<(DeploymentId, u32)>,
}

/// A heartbeat with all that is needed to store it.
#[derive(Clone, Debug)]
pub(crate) struct Heartbeat {
    counter: RequestCounter,
    report: HeartbeatReport,
    lease: LeaseTerms,
    now: Timestamp,
}

struct DeviceState {
    membership: Membership,
    config_version: u64,
    polling_interval: u32,
    bundles_changed: bool,
    health: Option<DeviceHealth>,
    overdue_at: Timestamp,
    reported_config_version: u64,
}

impl Store {
    /// Stores a heartbeat and says what the device is to do.
    pub async fn record_heartbeat(
        &self,
        counter: &RequestCounter,
        report: &HeartbeatReport,
        lease: LeaseTerms,
        now: Timestamp,
    ) -> Result<HeartbeatOutcome> {
        let heartbeat = Heartbeat { counter: *counter, report: report.clone(), lease, now };
        match &self.heartbeats {
            Some(lane) => lane.record(heartbeat).await,
            None => record_alone(&self.db, &heartbeat).await,
        }
    }

    /// Accepts a device's request that writes nothing else.
    pub async fn accept_request(&self, counter: &RequestCounter) -> Result<()> {
        let mut tx = self.begin().await?;
        accept_request(&mut tx, counter).await?;
        tx.commit().await
    }

    /// What a device is to carry out of one deployment, as it stands now; `None` when that is nothing, or nothing any more, or
    /// another deployment's turn. Telling it counts as sending the command.
    pub async fn take_order(
        &self,
        counter: &RequestCounter,
        deployment: DeploymentId,
        lease: LeaseTerms,
        now: Timestamp,
    ) -> Result<Option<Order>> {
        let mut tx = self.begin().await?;
        accept_request(&mut tx, counter).await?;
        let first = open_targets(&mut tx, counter).await?.into_iter().next();
        let Some(mut target) = first.filter(|target| target.order.deployment_id == deployment) else {
            tx.commit().await?;
            return Ok(None);
        };
        if target.state == TargetState::Pending {
            let (id, mut shifts) = ((deployment, counter.device_id), Shifts::default());
            let lease = lease.from(now, polling_interval(&mut tx, counter).await?);
            targets::note_delivered(&mut tx, &mut shifts, id, lease).await?;
            shifts.apply(&mut tx, now).await?;
            target.order.lease_expires_at = lease.expires_at;
        }
        tx.commit().await?;
        Ok(Some(target.order))
    }

    /// One page of a device's heartbeats, newest first.
    pub async fn list_heartbeats(
        &self,
        org: OrganizationId,
        device: DeviceId,
        before: Option<i64>,
        limit: u32,
    ) -> Result<Vec<HeartbeatRow>> {
        let query = sql(
            "SELECT id, received_at, status, cpu_pct, memory_mb, memory_total_mb, disk_free_mb, disk_total_mb, \
                         uptime_secs, agent_version, metrics FROM heartbeats \
                         WHERE device_id = $2 AND org_id = $1 AND id < $3 ORDER BY id DESC LIMIT $4",
        );
        let query = query.bind(org).bind(device).bind(before.unwrap_or(i64::MAX)).bind(limit);
        self.reader().fetch_all(query).await?.iter().map(heartbeat).collect()
    }

    /// Removes the oldest heartbeats that are older than a point in time, a bounded number at a time; how many.
    pub async fn prune_heartbeats(&self, before: Timestamp, limit: u32) -> Result<u64> {
        let mut tx = self.begin().await?;
        let query =
            sql("DELETE FROM heartbeats WHERE id IN (SELECT id FROM heartbeats ORDER BY id LIMIT $2) \
                         AND received_at < $1");
        let pruned = tx.execute(query.bind(before).bind(limit)).await?;
        tx.commit().await?;
        Ok(pruned)
    }
}

/// Stores one heartbeat in a transaction of its own.
pub(crate) async fn record_alone(db: &Db, heartbeat: &Heartbeat) -> Result<HeartbeatOutcome> {
    let mut tx = Tx::begin(db).await?;
    let outcome = record_in(&mut tx, heartbeat).await?;
    tx.commit().await?;
    Ok(outcome)
}

/// Stores one heartbeat. A replayed one fails before anything is written.
pub(crate) async fn record_in(tx: &mut Tx, heartbeat: &Heartbeat) -> Result<HeartbeatOutcome> {
    let Heartbeat { counter, report, lease, now } = heartbeat;
    let device = lock_device(tx, counter, report).await?;
    note_changes(tx, counter, report, &device, *now).await?;
    write_device(tx, counter, report, &device, *now).await?;
    insert_heartbeat(tx, counter, &report.reading, *now).await?;
    let mut outcome = HeartbeatOutcome {
        membership: device.membership,
        polling_interval: device.polling_interval,
        config: None,
        order: None,
        cancels: Vec::new(),
    };
    if device.membership == Membership::Active {
        if device.config_version != report.config_version {
            let (org, id) = (counter.org_id, counter.device_id);
            outcome.config = device_configs::read_version(tx, org, id, device.config_version).await?;
        }
        let lease = lease.from(*now, device.polling_interval);
        decide(tx, counter, report, lease, &mut outcome).await?;
    }
    Ok(outcome)
}

async fn polling_interval(tx: &mut Tx, counter: &RequestCounter) -> Result<u32> {
    let query = sql("SELECT polling_interval FROM devices WHERE org_id = $1 AND id = $2");
    let row = tx.fetch_one(query.bind(counter.org_id).bind(counter.device_id)).await?;
    Ok(u32::try_from(row.count("polling_interval")?).unwrap_or(u32::MAX))
}

/// Raises the device's counter to the request's timestamp, or fails with [`Error::Replayed`].
pub(crate) async fn accept_request(tx: &mut Tx, counter: &RequestCounter) -> Result<()> {
    let query = sql(
        "UPDATE devices SET last_request_at = $3 WHERE org_id = $1 AND id = $2 AND last_request_at < $3 \
                     AND membership <> 'decommissioned'",
    );
    let query = query.bind(counter.org_id).bind(counter.device_id).bind(counter.timestamp);
    if tx.execute(query).await? == 1 { Ok(()) } else { Err(Error::Replayed) }
}

async fn lock_device(tx: &mut Tx, counter: &RequestCounter, report: &HeartbeatReport) -> Result<DeviceState> {
    let text = format!(
        "SELECT membership, last_request_at, config_version, polling_interval, reported_bundles, health, overdue_at, \
         reported_config_version FROM devices \
         WHERE org_id = $1 AND id = $2{}",
        tx.dialect().for_update()
    );
    let row = tx.fetch_optional(built(text).bind(counter.org_id).bind(counter.device_id)).await?;
    let row = row.ok_or(Error::Replayed)?;
    let membership: Membership = row.parse("membership")?;
    if membership == Membership::Decommissioned || row.get::<i64>("last_request_at")? >= counter.timestamp {
        return Err(Error::Replayed);
    }
    let bundles_changed = match &report.bundles {
        Some(bundles) => row.json::<Vec<(BundleName, BundleVersion)>>("reported_bundles")? != *bundles,
        None => false,
    };
    let polling_interval = u32::try_from(row.count("polling_interval")?).unwrap_or(u32::MAX);
    Ok(DeviceState {
        membership,
        config_version: row.count("config_version")?,
        polling_interval,
        bundles_changed,
        health: row.parse_if_any("health")?,
        overdue_at: row.time("overdue_at")?,
        reported_config_version: row.count("reported_config_version")?,
    })
}

/// Notes when the device's status is another one than before, and when it took over a configuration.
async fn note_changes(
    tx: &mut Tx,
    counter: &RequestCounter,
    report: &HeartbeatReport,
    device: &DeviceState,
    now: Timestamp,
) -> Result<()> {
    if device.membership != Membership::Active {
        return Ok(());
    }
    let (org, id) = (counter.org_id, counter.device_id);
    let before = DeviceStatus::at(device.membership, device.health, device.overdue_at, now);
    let kind = match report.reading.status {
        DeviceHealth::Healthy => EventKind::DeviceOnline,
        DeviceHealth::Degraded => EventKind::DeviceDegraded,
        DeviceHealth::Error => EventKind::DeviceError,
    };
    if kind.as_str() != format!("device.{before}") {
        let event = NewEvent::new(kind).device(id).with("before", before.as_str());
        if before == DeviceStatus::Offline
            && kind == EventKind::DeviceOnline
            && site_is_gone(tx, org, id).await?
        {
            record_detail(tx, org, &event, now).await?;
        } else {
            record_event(tx, org, &event, now).await?;
        }
    }
    if report.config_version != device.reported_config_version
        && report.config_version == device.config_version
    {
        let event = NewEvent::new(EventKind::ConfigApplied).device(id).with("version", report.config_version);
        record_event(tx, org, &event, now).await?;
    }
    Ok(())
}

async fn write_device(
    tx: &mut Tx,
    counter: &RequestCounter,
    report: &HeartbeatReport,
    device: &DeviceState,
    now: Timestamp,
) -> Result<()> {
    let overdue_at =
        now.plus_millis(MISSED_HEARTBEATS * i64::from(device.polling_interval) * 1_000 + GRACE_MILLIS);
    let last = HeartbeatRow { id: 0, received_at: now, reading: report.reading.clone() };
    let query = sql(
        "UPDATE devices SET last_request_at = $3, last_seen_at = $4, overdue_at = $5, health = $6, \
                     agent_version = $7, boot_id = COALESCE($8, boot_id), reported_config_version = $9, last_heartbeat = $10, \
                     agent_version_key = $11 \
                     WHERE org_id = $1 AND id = $2",
    );
    let query = query.bind(counter.org_id).bind(counter.device_id).bind(counter.timestamp).bind(now);
    let query = query.bind(overdue_at).bind(report.reading.status.as_str());
    let query = query.bind(report.reading.agent_version.as_str()).bind(report.boot_id.clone());
    let query = query.bind(report.config_version).bind(to_json(&last)?);
    tx.execute(query.bind(key_of(&report.reading.agent_version))).await?;
    if let (true, Some(bundles)) = (device.bundles_changed, &report.bundles) {
        write_bundles(tx, counter.org_id, counter.device_id, bundles).await?;
    }
    Ok(())
}

/// Replaces what a device has installed.
pub(crate) async fn write_bundles(
    tx: &mut Tx,
    org: OrganizationId,
    device: DeviceId,
    bundles: &[(BundleName, BundleVersion)],
) -> Result<()> {
    let query = sql("UPDATE devices SET reported_bundles = $3 WHERE org_id = $1 AND id = $2");
    tx.execute(query.bind(org).bind(device).bind(to_json(&bundles)?)).await?;
    tx.execute(sql("DELETE FROM device_bundles WHERE device_id = $1").bind(device)).await?;
    for (name, version) in bundles {
        let query = sql(
            "INSERT INTO device_bundles (device_id, org_id, name, version, version_key) VALUES ($1, $2, $3, $4, $5) \
                 ON CONFLICT (device_id, name) DO UPDATE SET version = excluded.version, version_key = excluded.version_key",
        );
        let query = query.bind(device).bind(org).bind(name.as_str()).bind(version.as_str());
        tx.execute(query.bind(key_of(version.as_str()))).await?;
    }
    Ok(())
}

async fn insert_heartbeat(
    tx: &mut Tx,
    counter: &RequestCounter,
    reading: &Reading,
    now: Timestamp,
) -> Result<()> {
    let query = sql(
        "INSERT INTO heartbeats (org_id, device_id, received_at, status, cpu_pct, memory_mb, memory_total_mb, \
                     disk_free_mb, disk_total_mb, uptime_secs, agent_version, metrics) \
                     VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)",
    );
    let query = query.bind(counter.org_id).bind(counter.device_id).bind(now).bind(reading.status.as_str());
    let query = query.bind(reading.cpu_pct).bind(reading.memory_mb).bind(reading.memory_total_mb);
    let query = query.bind(reading.disk_free_mb).bind(reading.disk_total_mb).bind(reading.uptime_secs);
    tx.execute(query.bind(reading.agent_version.as_str()).bind(to_json(&reading.metrics)?)).await?;
    Ok(())
}

/// Notes the reported progress, and picks the oldest open target as the order unless the device works on it already. Targets are
/// written in the order of their deployments, whatever order the device names them in, so that no two transactions wait for
/// each other.
async fn decide(
    tx: &mut Tx,
    counter: &RequestCounter,
    report: &HeartbeatReport,
    lease: Lease,
    outcome: &mut HeartbeatOutcome,
) -> Result<()> {
    let mut open = open_targets(tx, counter).await?;
    for progress in &report.targets {
        match open.iter_mut().find(|target| target.order.deployment_id == progress.deployment_id) {
            Some(target) if target.order.attempt == progress.attempt => {
                target.progress = Some(progress.clone());
            }
            // An attempt that was given up meanwhile: the device learns the new one from the order.
            Some(_) => {}
            None if progress.state.is_final() => {} // its result is on the way, and will be answered then
            None => outcome.cancels.push((progress.deployment_id, progress.attempt)),
        }
    }
    let mut shifts = Shifts::default();
    for (place, mut target) in open.into_iter().enumerate() {
        let id = (target.order.deployment_id, counter.device_id);
        if let Some(progress) = &target.progress {
            targets::note_progress(tx, &mut shifts, id, target.state, progress, lease).await?;
            continue;
        }
        if place > 0 {
            continue;
        }
        if target.state == TargetState::Pending {
            if !targets::note_delivered(tx, &mut shifts, id, lease).await? {
                continue; // cancelled at this moment
            }
            target.order.lease_expires_at = lease.expires_at;
        }
        outcome.order = Some(target.order);
    }
    shifts.apply(tx, lease.now).await
}

struct OpenTarget {
    order: Order,
    state: TargetState,
    /// What the device says of the present attempt.
    progress: Option<TargetProgress>,
}

async fn open_targets(tx: &mut Tx, counter: &RequestCounter) -> Result<Vec<OpenTarget>> {
    let query = sql(
        "SELECT t.deployment_id, t.state, t.attempt, t.lease_expires_at, d.kind, d.bundle_id, d.bundle_name, \
                     d.bundle_version, b.checksum_sha256, b.size_bytes FROM deployment_targets t \
                     JOIN deployments d ON d.id = t.deployment_id JOIN bundles b ON b.id = d.bundle_id \
                     WHERE t.device_id = $2 AND t.org_id = $1 AND t.completed_at IS NULL \
                     ORDER BY t.deployment_id LIMIT $3",
    );
    let query = query.bind(counter.org_id).bind(counter.device_id).bind(MAX_OPEN_TARGETS);
    tx.fetch_all(query).await?.iter().map(open_target).collect()
}

fn open_target(row: &Row) -> Result<OpenTarget> {
    let order = Order {
        deployment_id: DeploymentId(row.get("deployment_id")?),
        kind: row.parse("kind")?,
        attempt: u32::try_from(row.count("attempt")?).unwrap_or(u32::MAX),
        bundle_id: BundleId(row.get("bundle_id")?),
        bundle_name: row.parse("bundle_name")?,
        bundle_version: row.parse("bundle_version")?,
        checksum_sha256: row.get("checksum_sha256")?,
        size_bytes: row.count("size_bytes")?,
        lease_expires_at: row.time_if_any("lease_expires_at")?.unwrap_or(Timestamp::from_millis(0)),
    };
    Ok(OpenTarget { order, state: row.parse("state")?, progress: None })
}

fn heartbeat(row: &Row) -> Result<HeartbeatRow> {
    Ok(HeartbeatRow {
        id: row.get("id")?,
        received_at: row.time("received_at")?,
        reading: Reading {
            status: row.parse("status")?,
            cpu_pct: row.get("cpu_pct")?,
            memory_mb: row.get("memory_mb")?,
            memory_total_mb: row.get("memory_total_mb")?,
            disk_free_mb: row.get("disk_free_mb")?,
            disk_total_mb: row.get("disk_total_mb")?,
            uptime_secs: row.get("uptime_secs")?,
            agent_version: row.get("agent_version")?,
            metrics: row.json("metrics")?,
            sandbox: BTreeMap::new(),
        },
    })
}
