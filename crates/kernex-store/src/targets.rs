//! Targets: one device within one deployment. Every change of a target moves the deployment's counts with it, in the same
//! transaction, and ends the deployment when the last target has ended.

use std::collections::BTreeMap;

use kernex_core::{
    BundleName, BundleVersion, DeploymentId, DeploymentStatus, DeviceId, FailureCode, OrganizationId,
    ResultStatus, TargetState, Timestamp,
};

use crate::{
    RequestCounter, Result, Store, TargetProgress,
    heartbeats::{accept_request, write_bundles},
    sql::{Row, Run, Tx, built, sql},
};

/// How often a target is tried before it counts as timed out.
pub const MAX_ATTEMPTS: u32 = 3;

/// The present, and when an attempt's lease ends that is given or renewed now.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Lease {
    pub(crate) now: Timestamp,
    pub(crate) expires_at: Timestamp,
}

/// Why a target failed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TargetFailure {
    /// For a program.
    pub code: Option<FailureCode>,
    /// For a person.
    pub message: Option<String>,
}

/// An outcome that a device reports.
#[derive(Clone, Debug)]
pub struct TargetResult {
    /// The attempt, if the device says which.
    pub attempt: Option<u32>,
    /// How it ended.
    pub status: ResultStatus,
    /// Why it failed.
    pub failure: TargetFailure,
    /// How long it took.
    pub duration_secs: Option<f64>,
}

/// What became of a reported outcome.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OutcomeOfResult {
    /// The target ended in this state, now or when the same outcome was reported before.
    Recorded(TargetState),
    /// No such deployment in the device's organisation.
    UnknownDeployment,
    /// The deployment has no such device.
    NotATarget,
    /// The attempt has not been given yet; this one is the last.
    AttemptNotGiven(u32),
    /// The target ended otherwise before.
    Differs(TargetState),
}

/// One target.
#[derive(Clone, Debug)]
pub struct TargetRecord {
    /// The device.
    pub device_id: DeviceId,
    /// How far it is.
    pub state: TargetState,
    /// The attempt, from 1.
    pub attempt: u32,
    /// Share of the state's work that is done, percent.
    pub progress_pct: Option<f64>,
    /// When the command was first sent.
    pub delivered_at: Option<Timestamp>,
    /// When the device first said that it works on it.
    pub started_at: Option<Timestamp>,
    /// When it last changed.
    pub updated_at: Timestamp,
    /// When it ended.
    pub completed_at: Option<Timestamp>,
    /// When the attempt is given up unless progress is reported.
    pub lease_expires_at: Option<Timestamp>,
    /// How long the device says it took.
    pub duration_secs: Option<f64>,
    /// Why it failed.
    pub failure: TargetFailure,
}

type TargetId = (DeploymentId, DeviceId);

impl Store {
    /// Records the outcome that a device reports. Repeating it changes nothing; a result for a target that has ended otherwise is
    /// refused. The latest attempt or an earlier one may be meant: what the device says it runs is what it runs.
    pub async fn report_result(
        &self,
        counter: &RequestCounter,
        deployment: DeploymentId,
        result: &TargetResult,
        now: Timestamp,
    ) -> Result<OutcomeOfResult> {
        let mut tx = self.begin().await?;
        accept_request(&mut tx, counter).await?;
        let outcome = record_result(&mut tx, counter, deployment, result, now).await?;
        tx.commit().await?;
        Ok(outcome)
    }

    /// One page of a deployment's targets, in order of device id.
    pub async fn list_targets(
        &self,
        org: OrganizationId,
        deployment: DeploymentId,
        state: Option<TargetState>,
        after: Option<DeviceId>,
        limit: u32,
    ) -> Result<Vec<TargetRecord>> {
        let query = sql(
            "SELECT device_id, state, attempt, progress_pct, delivered_at, started_at, updated_at, completed_at, \
                         lease_expires_at, duration_secs, error_code, error_message FROM deployment_targets \
                         WHERE org_id = $1 AND deployment_id = $2 AND ($3 = '' OR state = $3) AND device_id > $4 \
                         ORDER BY device_id LIMIT $5",
        );
        let query = query.bind(org).bind(deployment).bind(state.map_or("", TargetState::as_str));
        let query = query.bind(after.unwrap_or(DeviceId(uuid::Uuid::nil()))).bind(limit);
        self.reader().fetch_all(query).await?.iter().map(target).collect()
    }

    /// Puts targets whose lease ran out on a device that is online back for another attempt, or ends them when they had enough;
    /// a bounded number at a time; how many. A device that is offline cannot report: its target waits for it.
    pub async fn expire_attempts(&self, now: Timestamp, limit: u32) -> Result<u64> {
        let mut tx = self.begin().await?;
        let text = format!(
            "SELECT t.deployment_id, t.device_id, t.state, t.attempt FROM deployment_targets t \
             JOIN devices v ON v.id = t.device_id WHERE t.completed_at IS NULL AND t.lease_expires_at <= $1 \
             AND v.overdue_at > $1 AND v.membership = 'active' ORDER BY t.lease_expires_at LIMIT $2{}",
            tx.dialect().for_update_of_free("t")
        );
        let rows = tx.fetch_all(built(text).bind(now).bind(limit)).await?;
        let (mut expired, mut shifts) = (0, Shifts::default());
        for row in &rows {
            let id = (DeploymentId(row.get("deployment_id")?), DeviceId(row.get("device_id")?));
            let (state, attempt) = (row.parse("state")?, row.get("attempt")?);
            expired += u64::from(expire(&mut tx, &mut shifts, id, state, attempt, now).await?);
        }
        shifts.apply(&mut tx, now).await?;
        tx.commit().await?;
        Ok(expired)
    }
}

/// Notes what a device says of an attempt: its state, if that is a legal step, and in any case that it knows of the attempt and
/// is alive.
pub(crate) async fn note_progress(
    tx: &mut Tx,
    shifts: &mut Shifts,
    id: TargetId,
    from: TargetState,
    progress: &TargetProgress,
    lease: Lease,
) -> Result<()> {
    let to = match progress.state {
        to if to.is_in_progress() && from.can_become(to) => to,
        _ if from == TargetState::Pending => TargetState::Delivered,
        _ => from,
    };
    let query = sql(
        "UPDATE deployment_targets SET state = $4, progress_pct = $5, lease_expires_at = $6, updated_at = $7, \
                     delivered_at = COALESCE(delivered_at, $7), started_at = COALESCE(started_at, $7) \
                     WHERE deployment_id = $1 AND device_id = $2 AND state = $3 AND completed_at IS NULL",
    );
    let query = query.bind(id.0).bind(id.1).bind(from.as_str()).bind(to.as_str());
    let query = query.bind(progress.progress_pct).bind(lease.expires_at).bind(lease.now);
    if tx.execute(query).await? == 1 {
        shifts.add(id.0, from, to);
    }
    Ok(())
}

/// Notes that the command is being sent; whether the target was still waiting.
pub(crate) async fn note_delivered(
    tx: &mut Tx,
    shifts: &mut Shifts,
    id: TargetId,
    lease: Lease,
) -> Result<bool> {
    let query =
        sql("UPDATE deployment_targets SET state = 'delivered', lease_expires_at = $3, updated_at = $4, \
                     delivered_at = COALESCE(delivered_at, $4) \
                     WHERE deployment_id = $1 AND device_id = $2 AND state = 'pending'");
    let query = query.bind(id.0).bind(id.1).bind(lease.expires_at).bind(lease.now);
    if tx.execute(query).await? == 0 {
        return Ok(false);
    }
    shifts.add(id.0, TargetState::Pending, TargetState::Delivered);
    Ok(true)
}

/// Cancels what is open for a device that leaves.
pub(crate) async fn cancel_targets_of_device(
    tx: &mut Tx,
    org: OrganizationId,
    device: DeviceId,
    now: Timestamp,
) -> Result<()> {
    let text = format!(
        "SELECT deployment_id, device_id, state FROM deployment_targets \
         WHERE org_id = $1 AND device_id = $2 AND completed_at IS NULL ORDER BY deployment_id{}",
        tx.dialect().for_update()
    );
    let rows = tx.fetch_all(built(text).bind(org).bind(device)).await?;
    cancel_rows(tx, &rows, now).await
}

/// Cancels what is open of a deployment.
pub(crate) async fn cancel_targets_of_deployment(
    tx: &mut Tx,
    org: OrganizationId,
    deployment: DeploymentId,
    now: Timestamp,
) -> Result<()> {
    let text = format!(
        "SELECT deployment_id, device_id, state FROM deployment_targets \
         WHERE org_id = $1 AND deployment_id = $2 AND completed_at IS NULL ORDER BY device_id{}",
        tx.dialect().for_update()
    );
    let rows = tx.fetch_all(built(text).bind(org).bind(deployment)).await?;
    cancel_rows(tx, &rows, now).await
}

async fn cancel_rows(tx: &mut Tx, rows: &[Row], now: Timestamp) -> Result<()> {
    let (result, mut shifts) = (no_result(FailureCode::Cancelled, None), Shifts::default());
    for row in rows {
        let id = (DeploymentId(row.get("deployment_id")?), DeviceId(row.get("device_id")?));
        end(tx, &mut shifts, id, row.parse("state")?, TargetState::Cancelled, &result, now).await?;
    }
    shifts.apply(tx, now).await
}

async fn record_result(
    tx: &mut Tx,
    counter: &RequestCounter,
    deployment: DeploymentId,
    result: &TargetResult,
    now: Timestamp,
) -> Result<OutcomeOfResult> {
    let find = sql("SELECT bundle_name, bundle_version FROM deployments WHERE org_id = $1 AND id = $2");
    let Some(of) = tx.fetch_optional(find.bind(counter.org_id).bind(deployment)).await? else {
        return Ok(OutcomeOfResult::UnknownDeployment);
    };
    let text = format!(
        "SELECT state, attempt FROM deployment_targets WHERE org_id = $1 AND deployment_id = $2 AND device_id = $3{}",
        tx.dialect().for_update()
    );
    let find = built(text).bind(counter.org_id).bind(deployment).bind(counter.device_id);
    let Some(row) = tx.fetch_optional(find).await? else { return Ok(OutcomeOfResult::NotATarget) };
    let (state, to): (TargetState, _) = (row.parse("state")?, result.status.target_state());
    let given = u32::try_from(row.count("attempt")?).unwrap_or(u32::MAX);
    if state.is_final() {
        return Ok(if state == to { OutcomeOfResult::Recorded(to) } else { OutcomeOfResult::Differs(state) });
    }
    if result.attempt.is_some_and(|attempt| attempt > given) {
        return Ok(OutcomeOfResult::AttemptNotGiven(given));
    }
    let mut shifts = Shifts::default();
    end(tx, &mut shifts, (deployment, counter.device_id), state, to, result, now).await?;
    shifts.apply(tx, now).await?;
    if to == TargetState::Success {
        note_installed(tx, counter, of.parse("bundle_name")?, of.parse("bundle_version")?).await?;
    }
    Ok(OutcomeOfResult::Recorded(to))
}

/// A device that reports success runs the bundle, even before its next heartbeat says so.
async fn note_installed(
    tx: &mut Tx,
    counter: &RequestCounter,
    name: BundleName,
    version: BundleVersion,
) -> Result<()> {
    let find = sql("SELECT reported_bundles FROM devices WHERE org_id = $1 AND id = $2");
    let row = tx.fetch_one(find.bind(counter.org_id).bind(counter.device_id)).await?;
    let mut bundles: Vec<(BundleName, BundleVersion)> = row.json("reported_bundles")?;
    bundles.retain(|(known, _)| *known != name);
    bundles.push((name, version));
    write_bundles(tx, counter.org_id, counter.device_id, &bundles).await
}

async fn expire(
    tx: &mut Tx,
    shifts: &mut Shifts,
    id: TargetId,
    state: TargetState,
    attempt: i64,
    now: Timestamp,
) -> Result<bool> {
    if attempt >= i64::from(MAX_ATTEMPTS) {
        let message =
            format!("no result and no progress in {MAX_ATTEMPTS} attempts, although the device was online");
        let result = no_result(FailureCode::Internal, Some(message));
        return end(tx, shifts, id, state, TargetState::TimedOut, &result, now).await;
    }
    let query = sql(
        "UPDATE deployment_targets SET state = 'pending', attempt = attempt + 1, lease_expires_at = NULL, \
                     progress_pct = NULL, updated_at = $5 WHERE deployment_id = $1 AND device_id = $2 AND state = $3 \
                     AND attempt = $4 AND completed_at IS NULL",
    );
    let query = query.bind(id.0).bind(id.1).bind(state.as_str()).bind(attempt).bind(now);
    let moved = tx.execute(query).await? == 1;
    if moved {
        shifts.add(id.0, state, TargetState::Pending);
    }
    Ok(moved)
}

fn no_result(code: FailureCode, message: Option<String>) -> TargetResult {
    TargetResult {
        attempt: None,
        status: ResultStatus::Failed,
        failure: TargetFailure { code: Some(code), message },
        duration_secs: None,
    }
}

/// Ends a target; whether it was still as expected.
async fn end(
    tx: &mut Tx,
    shifts: &mut Shifts,
    id: TargetId,
    from: TargetState,
    to: TargetState,
    result: &TargetResult,
    now: Timestamp,
) -> Result<bool> {
    let query = sql(
        "UPDATE deployment_targets SET state = $4, updated_at = $5, completed_at = $5, lease_expires_at = NULL, \
                     duration_secs = $6, error_code = $7, error_message = $8 \
                     WHERE deployment_id = $1 AND device_id = $2 AND state = $3 AND completed_at IS NULL",
    );
    let query = query.bind(id.0).bind(id.1).bind(from.as_str()).bind(to.as_str()).bind(now);
    let query = query.bind(result.duration_secs).bind(result.failure.code.map(FailureCode::as_str));
    if tx.execute(query.bind(result.failure.message.clone())).await? == 0 {
        return Ok(false);
    }
    shifts.add(id.0, from, to);
    Ok(true)
}

/// The column of `deployments` that counts targets in a state.
fn counted_in(state: TargetState) -> &'static str {
    match state {
        TargetState::Pending => "pending",
        TargetState::Success => "success",
        TargetState::Failed | TargetState::TimedOut => "failed",
        TargetState::RolledBack => "rolled_back",
        TargetState::Cancelled => "cancelled",
        _ => "in_progress",
    }
}

/// Moves of targets between the counts of their deployments, kept until every target of the transaction has been written. Who
/// writes takes the device first, then targets, then deployments, each in the order of their ids: so no two wait for each other.
#[derive(Debug, Default)]
pub(crate) struct Shifts(BTreeMap<(DeploymentId, &'static str, &'static str), u32>);

impl Shifts {
    fn add(&mut self, deployment: DeploymentId, from: TargetState, to: TargetState) {
        let (from, to) = (counted_in(from), counted_in(to));
        if from != to {
            *self.0.entry((deployment, from, to)).or_default() += 1;
        }
    }

    /// Writes them, and begins or ends the deployments with it.
    pub(crate) async fn apply(self, tx: &mut Tx, now: Timestamp) -> Result<()> {
        for ((deployment, from, to), number) in self.0 {
            shift(tx, deployment, from, to, number, now).await?;
        }
        Ok(())
    }
}

async fn shift(
    tx: &mut Tx,
    deployment: DeploymentId,
    from: &'static str,
    to: &'static str,
    number: u32,
    now: Timestamp,
) -> Result<()> {
    let text = format!(
        "UPDATE deployments SET {from} = {from} - $2, {to} = {to} + $2, \
         status = CASE WHEN status = 'pending' THEN 'in_progress' ELSE status END WHERE id = $1 \
         RETURNING status, total, pending, in_progress, failed, rolled_back, cancelled"
    );
    let row = tx.fetch_one(built(text).bind(deployment).bind(number)).await?;
    let status: DeploymentStatus = row.parse("status")?;
    if status.is_final() || row.count("pending")? + row.count("in_progress")? > 0 {
        return Ok(());
    }
    let (status, message) = ending(&row)?;
    let query =
        sql("UPDATE deployments SET status = $2, error_message = $3, completed_at = $4 WHERE id = $1");
    tx.execute(query.bind(deployment).bind(status.as_str()).bind(message).bind(now)).await?;
    Ok(())
}

/// How a deployment ends whose targets have all ended.
fn ending(row: &Row) -> Result<(DeploymentStatus, Option<String>)> {
    let total = row.count("total")?;
    let (failed, rolled_back) = (row.count("failed")?, row.count("rolled_back")?);
    let devices = if total == 1 { "device" } else { "devices" };
    Ok(if failed > 0 {
        (DeploymentStatus::Failed, Some(format!("{failed} of {total} {devices} failed")))
    } else if rolled_back > 0 {
        let message = format!("{rolled_back} of {total} {devices} went back to what ran before");
        (DeploymentStatus::RolledBack, Some(message))
    } else if row.count("cancelled")? > 0 {
        (DeploymentStatus::Cancelled, None)
    } else {
        (DeploymentStatus::Success, None)
    })
}

fn target(row: &Row) -> Result<TargetRecord> {
    Ok(TargetRecord {
        device_id: DeviceId(row.get("device_id")?),
        state: row.parse("state")?,
        attempt: u32::try_from(row.count("attempt")?).unwrap_or(u32::MAX),
        progress_pct: row.get("progress_pct")?,
        delivered_at: row.time_if_any("delivered_at")?,
        started_at: row.time_if_any("started_at")?,
        updated_at: row.time("updated_at")?,
        completed_at: row.time_if_any("completed_at")?,
        lease_expires_at: row.time_if_any("lease_expires_at")?,
        duration_secs: row.get("duration_secs")?,
        failure: TargetFailure { code: row.parse_if_any("error_code")?, message: row.get("error_message")? },
    })
}
