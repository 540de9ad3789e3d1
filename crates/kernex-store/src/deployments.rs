//! Deployments: what an operator wants, and how far it is.

use kernex_core::{
    BundleId, BundleName, BundleVersion, DeploymentId, DeploymentKind, DeploymentStatus, DeviceId,
    OrganizationId, Timestamp,
};
use serde_json::json;
use uuid::Uuid;

use crate::{
    Result, Store,
    audit::Change,
    idempotency::{self, Idempotency, Once},
    sql::{Row, Run, Tx, built, sql},
    targets,
};

/// A deployment to be made.
#[derive(Clone, Debug)]
pub struct NewDeployment {
    /// Its id.
    pub id: DeploymentId,
    /// Deploy or rollback.
    pub kind: DeploymentKind,
    /// The bundle.
    pub bundle_id: BundleId,
    /// The bundle's name.
    pub bundle_name: BundleName,
    /// The bundle's version.
    pub bundle_version: BundleVersion,
    /// The devices, each once.
    pub devices: Vec<DeviceId>,
    /// Why, for people.
    pub description: Option<String>,
    /// Who makes it.
    pub created_by: String,
}

/// One deployment.
#[derive(Clone, Debug)]
pub struct DeploymentRecord {
    /// Its id.
    pub id: DeploymentId,
    /// Deploy or rollback.
    pub kind: DeploymentKind,
    /// The bundle.
    pub bundle_id: BundleId,
    /// The bundle's name.
    pub bundle_name: BundleName,
    /// The bundle's version.
    pub bundle_version: BundleVersion,
    /// How far it is.
    pub status: DeploymentStatus,
    /// Why, for people.
    pub description: Option<String>,
    /// What went wrong.
    pub error_message: Option<String>,
    /// Who made it.
    pub created_by: String,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it ended.
    pub completed_at: Option<Timestamp>,
    /// All targets.
    pub total: u64,
    /// Targets that have not been told.
    pub pending: u64,
    /// Targets that have been told and have not ended.
    pub in_progress: u64,
    /// Targets that succeeded.
    pub success: u64,
    /// Targets that failed or timed out.
    pub failed: u64,
    /// Targets that returned to what they ran before.
    pub rolled_back: u64,
    /// Targets that were cancelled.
    pub cancelled: u64,
}

const COLUMNS: &str = "id, kind, bundle_id, bundle_name, bundle_version, status, description, error_message, created_by, \
     created_at, completed_at, total, pending, in_progress, success, failed, rolled_back, cancelled";

impl Store {
    /// Makes deployments with their targets, all or none. `false`: a bundle was deleted meanwhile, and nothing was made.
    pub async fn create_deployments(
        &self,
        org: OrganizationId,
        new: &[NewDeployment],
        now: Timestamp,
        idempotency: Option<&Idempotency>,
        answer: impl FnOnce() -> (u16, String),
    ) -> Result<Once<bool>> {
        let mut tx = self.begin().await?;
        if let Some(first) = idempotency::first_answer(&mut tx, org, idempotency).await? {
            return Ok(first);
        }
        for deployment in new {
            if !insert(&mut tx, org, deployment, now).await? {
                return Ok(Once::Done(false));
            }
            let after = json!({"kind": deployment.kind, "bundle_id": deployment.bundle_id,
                "bundle_name": deployment.bundle_name.as_str(), "bundle_version": deployment.bundle_version.as_str(),
                "targets": deployment.devices.len(), "description": deployment.description});
            tx.note(Change::of(org, "deployment", deployment.id).after(after));
        }
        idempotency::store_answer(&mut tx, org, idempotency, now, answer).await?;
        tx.commit().await?;
        Ok(Once::Done(true))
    }

    /// One deployment of an organisation.
    pub async fn find_deployment(
        &self,
        org: OrganizationId,
        id: DeploymentId,
    ) -> Result<Option<DeploymentRecord>> {
        let text = format!("SELECT {COLUMNS} FROM deployments WHERE org_id = $1 AND id = $2");
        let row = self.reader().fetch_optional(built(text).bind(org).bind(id)).await?;
        row.map(|row| deployment(&row)).transpose()
    }

    /// One page of deployments, newest first, and how many match in all.
    pub async fn list_deployments(
        &self,
        org: OrganizationId,
        status: Option<DeploymentStatus>,
        after: Option<DeploymentId>,
        limit: u32,
    ) -> Result<(Vec<DeploymentRecord>, u64)> {
        let conditions = "org_id = $1 AND ($2 = '' OR status = $2)";
        let status = status.map_or("", DeploymentStatus::as_str);
        let count = built(format!("SELECT COUNT(*) AS total FROM deployments WHERE {conditions}"));
        let total = self.reader().fetch_one(count.bind(org).bind(status)).await?.count("total")?;
        let text = format!(
            "SELECT {COLUMNS} FROM deployments WHERE {conditions} AND id < $3 ORDER BY id DESC LIMIT $4"
        );
        let after = after.unwrap_or(DeploymentId(Uuid::max()));
        let rows =
            self.reader().fetch_all(built(text).bind(org).bind(status).bind(after).bind(limit)).await?;
        Ok((rows.iter().map(deployment).collect::<Result<_>>()?, total))
    }

    /// Ids of a deployment's devices, in order.
    pub async fn list_target_ids(&self, org: OrganizationId, id: DeploymentId) -> Result<Vec<DeviceId>> {
        let query = sql(
            "SELECT device_id FROM deployment_targets WHERE org_id = $1 AND deployment_id = $2 ORDER BY device_id",
        );
        let rows = self.reader().fetch_all(query.bind(org).bind(id)).await?;
        rows.iter().map(|row| Ok(DeviceId(row.get("device_id")?))).collect()
    }

    /// Cancels every open target of a deployment. `None`: no such deployment; otherwise its status before, and it has changed
    /// unless that was final.
    pub async fn cancel_deployment(
        &self,
        org: OrganizationId,
        id: DeploymentId,
        now: Timestamp,
    ) -> Result<Option<DeploymentStatus>> {
        let mut tx = self.begin().await?;
        let query = sql("SELECT status FROM deployments WHERE org_id = $1 AND id = $2").bind(org).bind(id);
        let Some(row) = tx.fetch_optional(query).await? else { return Ok(None) };
        let before: DeploymentStatus = row.parse("status")?;
        if before.is_final() {
            return Ok(Some(before));
        }
        targets::cancel_targets_of_deployment(&mut tx, org, id, now).await?;
        let change = Change::of(org, "deployment", id).before(json!({"status": before}));
        tx.note(change.after(json!({"status": DeploymentStatus::Cancelled})));
        tx.commit().await?;
        Ok(Some(before))
    }
}

async fn insert(tx: &mut Tx, org: OrganizationId, new: &NewDeployment, now: Timestamp) -> Result<bool> {
    // Holds the bundle, so that nobody deletes it before its targets are there.
    let hold = format!(
        "SELECT id FROM bundles WHERE org_id = $1 AND id = $2 AND deleted_at IS NULL{}",
        tx.dialect().for_update()
    );
    if tx.fetch_optional(built(hold).bind(org).bind(new.bundle_id)).await?.is_none() {
        return Ok(false);
    }
    let query = sql(
        "INSERT INTO deployments (id, org_id, kind, bundle_id, bundle_name, bundle_version, status, description, \
                     created_by, created_at, total, pending, in_progress, success, failed, rolled_back, cancelled) \
                     VALUES ($1, $2, $3, $4, $5, $6, 'pending', $7, $8, $9, 0, 0, 0, 0, 0, 0, 0)",
    );
    let query = query.bind(new.id).bind(org).bind(new.kind.as_str()).bind(new.bundle_id);
    let query = query.bind(new.bundle_name.as_str()).bind(new.bundle_version.as_str());
    tx.execute(query.bind(new.description.clone()).bind(new.created_by.as_str()).bind(now)).await?;
    let text = format!(
        "INSERT INTO deployment_targets (deployment_id, device_id, org_id, state, attempt, updated_at) \
         SELECT $1, v.id, v.org_id, 'pending', 1, $3 FROM devices v JOIN {} wanted ON wanted.id = v.id \
         WHERE v.org_id = $2 AND v.membership <> 'decommissioned'",
        tx.dialect().table_of_ids(4)
    );
    let ids: Vec<Uuid> = new.devices.iter().map(|id| id.0).collect();
    let targets = tx.execute(built(text).bind(new.id).bind(org).bind(now).bind(ids)).await?;
    let query = sql("UPDATE deployments SET total = $2, pending = $2 WHERE id = $1");
    tx.execute(query.bind(new.id).bind(targets)).await?;
    Ok(true)
}

fn deployment(row: &Row) -> Result<DeploymentRecord> {
    Ok(DeploymentRecord {
        id: DeploymentId(row.get("id")?),
        kind: row.parse("kind")?,
        bundle_id: BundleId(row.get("bundle_id")?),
        bundle_name: row.parse("bundle_name")?,
        bundle_version: row.parse("bundle_version")?,
        status: row.parse("status")?,
        description: row.get("description")?,
        error_message: row.get("error_message")?,
        created_by: row.get("created_by")?,
        created_at: row.time("created_at")?,
        completed_at: row.time_if_any("completed_at")?,
        total: row.count("total")?,
        pending: row.count("pending")?,
        in_progress: row.count("in_progress")?,
        success: row.count("success")?,
        failed: row.count("failed")?,
        rolled_back: row.count("rolled_back")?,
        cancelled: row.count("cancelled")?,
    })
}
