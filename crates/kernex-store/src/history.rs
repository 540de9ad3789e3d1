//! What ran when on a device: its ended targets. Nothing is written for it, so that one target gives one line.

use kernex_core::{
    BundleName, BundleVersion, DeploymentId, DeploymentKind, DeviceId, OrganizationId, TargetState, Timestamp,
};
use uuid::Uuid;

use crate::{
    Result, Store, TargetFailure,
    sql::{Row, Run, built, sql},
};

/// One line.
#[derive(Clone, Debug)]
pub struct HistoryRecord {
    /// The deployment.
    pub deployment_id: DeploymentId,
    /// Deploy or rollback.
    pub kind: DeploymentKind,
    /// The bundle's name.
    pub bundle_name: BundleName,
    /// The bundle's version.
    pub bundle_version: BundleVersion,
    /// How it ended.
    pub state: TargetState,
    /// Who sent it.
    pub created_by: String,
    /// When the device was told.
    pub delivered_at: Option<Timestamp>,
    /// When it ended.
    pub completed_at: Timestamp,
    /// How long the device says it took.
    pub duration_secs: Option<f64>,
    /// Why it failed.
    pub failure: TargetFailure,
}

impl Store {
    /// A device's history, newest first.
    pub async fn list_history(
        &self,
        org: OrganizationId,
        device: DeviceId,
        limit: u32,
    ) -> Result<Vec<HistoryRecord>> {
        let query =
            sql("SELECT t.deployment_id, d.kind, d.bundle_name, d.bundle_version, t.state, d.created_by, \
                         t.delivered_at, t.completed_at, t.duration_secs, t.error_code, t.error_message \
                         FROM deployment_targets t JOIN deployments d ON d.id = t.deployment_id \
                         WHERE t.org_id = $1 AND t.device_id = $2 AND t.completed_at IS NOT NULL \
                         ORDER BY t.completed_at DESC, t.deployment_id DESC LIMIT $3");
        let rows = self.reader().fetch_all(query.bind(org).bind(device).bind(limit)).await?;
        rows.iter().map(line).collect()
    }

    /// Which of these devices once ran this version with success.
    pub async fn devices_that_ran(
        &self,
        org: OrganizationId,
        devices: &[DeviceId],
        name: &BundleName,
        version: &BundleVersion,
    ) -> Result<Vec<DeviceId>> {
        let text = format!(
            "SELECT DISTINCT t.device_id FROM deployment_targets t JOIN deployments d ON d.id = t.deployment_id \
             WHERE t.org_id = $1 AND d.bundle_name = $2 AND d.bundle_version = $3 AND t.state = 'success' \
             AND {} AND t.completed_at IS NOT NULL",
            self.dialect().in_ids("t.device_id", 4)
        );
        let ids: Vec<Uuid> = devices.iter().map(|id| id.0).collect();
        let query = built(text).bind(org).bind(name.as_str()).bind(version.as_str()).bind(ids);
        self.reader().fetch_all(query).await?.iter().map(|row| Ok(DeviceId(row.get("device_id")?))).collect()
    }

    /// For each device of a deployment, the other version of the same bundle that it ran last before, if its bytes still exist.
    pub async fn previous_versions(
        &self,
        org: OrganizationId,
        deployment: DeploymentId,
        name: &BundleName,
        version: &BundleVersion,
    ) -> Result<Vec<(DeviceId, BundleVersion)>> {
        let query = sql("SELECT device_id, bundle_version FROM (SELECT t.device_id, d.bundle_version, \
                         ROW_NUMBER() OVER (PARTITION BY t.device_id ORDER BY t.completed_at DESC) AS place \
                         FROM deployment_targets t JOIN deployments d ON d.id = t.deployment_id \
                         JOIN bundles b ON b.org_id = d.org_id AND b.name = d.bundle_name AND b.version = d.bundle_version \
                         AND b.deleted_at IS NULL \
                         WHERE t.org_id = $1 AND t.state = 'success' AND d.bundle_name = $3 AND d.bundle_version <> $4 \
                         AND t.deployment_id < $2 AND t.device_id IN \
                         (SELECT device_id FROM deployment_targets WHERE org_id = $1 AND deployment_id = $2)) ranked \
                         WHERE place = 1 ORDER BY device_id");
        let query = query.bind(org).bind(deployment).bind(name.as_str()).bind(version.as_str());
        let rows = self.reader().fetch_all(query).await?;
        rows.iter().map(|row| Ok((DeviceId(row.get("device_id")?), row.parse("bundle_version")?))).collect()
    }
}

fn line(row: &Row) -> Result<HistoryRecord> {
    Ok(HistoryRecord {
        deployment_id: DeploymentId(row.get("deployment_id")?),
        kind: row.parse("kind")?,
        bundle_name: row.parse("bundle_name")?,
        bundle_version: row.parse("bundle_version")?,
        state: row.parse("state")?,
        created_by: row.get("created_by")?,
        delivered_at: row.time_if_any("delivered_at")?,
        completed_at: row.time("completed_at")?,
        duration_secs: row.get("duration_secs")?,
        failure: TargetFailure { code: row.parse_if_any("error_code")?, message: row.get("error_message")? },
    })
}
