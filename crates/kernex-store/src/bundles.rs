//! Bundles. Deleting one keeps its row, because history names it, and frees its name and version.

use kernex_core::{BundleId, BundleName, BundleVersion, EventKind, OrganizationId, Timestamp};
use serde_json::json;

use crate::{
    NewEvent, Result, Store,
    audit::Change,
    events::record_event,
    idempotency::{self, Idempotency, Once},
    sql::{Row, Run, built, sql},
};

/// A bundle whose bytes have been stored.
#[derive(Clone, Debug)]
pub struct NewBundle {
    /// Its id, which also names its bytes.
    pub id: BundleId,
    /// Its name.
    pub name: BundleName,
    /// Its version.
    pub version: BundleVersion,
    /// SHA-256 of the bytes, hex.
    pub checksum_sha256: String,
    /// How many bytes.
    pub size_bytes: u64,
    /// `gz` or `zst`.
    pub format: String,
    /// The manifest, JSON.
    pub manifest: String,
    /// The manifest's description.
    pub description: Option<String>,
    /// Who uploads it.
    pub uploaded_by: String,
}

/// One bundle.
#[derive(Clone, Debug)]
pub struct BundleRecord {
    /// Its id, which also names its bytes.
    pub id: BundleId,
    /// Its name.
    pub name: BundleName,
    /// Its version.
    pub version: BundleVersion,
    /// SHA-256 of the bytes, hex.
    pub checksum_sha256: String,
    /// How many bytes.
    pub size_bytes: u64,
    /// `gz` or `zst`.
    pub format: String,
    /// The manifest, JSON.
    pub manifest: String,
    /// The manifest's description.
    pub description: Option<String>,
    /// Who uploaded it.
    pub uploaded_by: String,
    /// When.
    pub created_at: Timestamp,
}

/// What deleting gave.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DeleteBundle {
    /// It is gone.
    Deleted,
    /// There was none.
    NotFound,
    /// So many targets of open deployments need it.
    NeededByTargets(u64),
    /// So many devices run it.
    RunByDevices(u64),
}

const COLUMNS: &str =
    "id, name, version, checksum_sha256, size_bytes, format, manifest, description, uploaded_by, created_at";

impl Store {
    /// Stores a bundle. The same name and version twice, however close together, is [`crate::Error::Exists`] for one of them.
    pub async fn create_bundle(
        &self,
        org: OrganizationId,
        new: &NewBundle,
        now: Timestamp,
        idempotency: Option<&Idempotency>,
        answer: impl FnOnce() -> (u16, String),
    ) -> Result<Once<()>> {
        let mut tx = self.begin().await?;
        if let Some(first) = idempotency::first_answer(&mut tx, org, idempotency).await? {
            return Ok(first);
        }
        let query = sql(
            "INSERT INTO bundles (id, org_id, name, version, checksum_sha256, size_bytes, format, manifest, \
                         description, uploaded_by, created_at) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)",
        );
        let query = query.bind(new.id).bind(org).bind(new.name.as_str()).bind(new.version.as_str());
        let query = query.bind(new.checksum_sha256.as_str()).bind(new.size_bytes).bind(new.format.as_str());
        let query = query.bind(new.manifest.as_str()).bind(new.description.clone());
        tx.execute(query.bind(new.uploaded_by.as_str()).bind(now)).await?;
        let event = NewEvent::new(EventKind::BundleUploaded).bundle(new.id).by(&new.uploaded_by);
        let event = event.with("name", new.name.as_str()).with("version", new.version.as_str());
        record_event(&mut tx, org, &event, now).await?;
        idempotency::store_answer(&mut tx, org, idempotency, now, answer).await?;
        let after = json!({"name": new.name.as_str(), "version": new.version.as_str(),
            "checksum_sha256": new.checksum_sha256, "size_bytes": new.size_bytes});
        tx.note(Change::of(org, "bundle", new.id).after(after));
        tx.commit().await?;
        Ok(Once::Done(()))
    }

    /// One bundle of an organisation that has not been deleted.
    pub async fn find_bundle(&self, org: OrganizationId, id: BundleId) -> Result<Option<BundleRecord>> {
        let text =
            format!("SELECT {COLUMNS} FROM bundles WHERE org_id = $1 AND id = $2 AND deleted_at IS NULL");
        let row = self.reader().fetch_optional(built(text).bind(org).bind(id)).await?;
        row.map(|row| bundle(&row)).transpose()
    }

    /// The bundle of a name and version, if it has not been deleted.
    pub async fn find_bundle_by_version(
        &self,
        org: OrganizationId,
        name: &BundleName,
        version: &BundleVersion,
    ) -> Result<Option<BundleRecord>> {
        let text = format!(
            "SELECT {COLUMNS} FROM bundles WHERE org_id = $1 AND name = $2 AND version = $3 AND deleted_at IS NULL"
        );
        let query = built(text).bind(org).bind(name.as_str()).bind(version.as_str());
        let row = self.reader().fetch_optional(query).await?;
        row.map(|row| bundle(&row)).transpose()
    }

    /// One page of bundles, newest first, and how many there are in all.
    pub async fn list_bundles(
        &self,
        org: OrganizationId,
        name: Option<&BundleName>,
        after: Option<BundleId>,
        limit: u32,
    ) -> Result<(Vec<BundleRecord>, u64)> {
        let conditions = "org_id = $1 AND deleted_at IS NULL AND ($2 = '' OR name = $2)";
        let name = name.map_or("", BundleName::as_str);
        let count =
            built(format!("SELECT COUNT(*) AS total FROM bundles WHERE {conditions}")).bind(org).bind(name);
        let total = self.reader().fetch_one(count).await?.count("total")?;
        let after = after.unwrap_or(BundleId(uuid::Uuid::max()));
        let text =
            format!("SELECT {COLUMNS} FROM bundles WHERE {conditions} AND id < $3 ORDER BY id DESC LIMIT $4");
        let rows = self.reader().fetch_all(built(text).bind(org).bind(name).bind(after).bind(limit)).await?;
        Ok((rows.iter().map(bundle).collect::<Result<_>>()?, total))
    }

    /// Whether the device has a target with this bundle, ended or not.
    pub async fn device_has_bundle(
        &self,
        org: OrganizationId,
        device: kernex_core::DeviceId,
        id: BundleId,
    ) -> Result<bool> {
        let query =
            sql("SELECT 1 AS found FROM deployment_targets t JOIN deployments d ON d.id = t.deployment_id \
                         WHERE t.org_id = $1 AND t.device_id = $2 AND d.bundle_id = $3 LIMIT 1");
        Ok(self.reader().fetch_optional(query.bind(org).bind(device).bind(id)).await?.is_some())
    }

    /// Deletes a bundle that no open deployment needs and no device runs. The caller removes the bytes afterwards.
    pub async fn delete_bundle(
        &self,
        org: OrganizationId,
        id: BundleId,
        by: &str,
        now: Timestamp,
    ) -> Result<DeleteBundle> {
        let mut tx = self.begin().await?;
        let text = format!(
            "SELECT name, version FROM bundles WHERE org_id = $1 AND id = $2 AND deleted_at IS NULL{}",
            tx.dialect().for_update()
        );
        let Some(row) = tx.fetch_optional(built(text).bind(org).bind(id)).await? else {
            return Ok(DeleteBundle::NotFound);
        };
        let before = json!({"name": row.get::<String>("name")?, "version": row.get::<String>("version")?});
        let open = sql(
            "SELECT COUNT(*) AS found FROM deployments d JOIN deployment_targets t ON t.deployment_id = d.id \
                        WHERE d.org_id = $1 AND d.bundle_id = $2 AND t.completed_at IS NULL",
        );
        let open = tx.fetch_one(open.bind(org).bind(id)).await?.count("found")?;
        if open > 0 {
            return Ok(DeleteBundle::NeededByTargets(open));
        }
        let run = sql("SELECT COUNT(*) AS found FROM device_bundles b JOIN devices d ON d.id = b.device_id \
                       WHERE b.org_id = $1 AND b.name = $2 AND b.version = $3 AND d.membership = 'active'");
        let run = run.bind(org).bind(row.get::<String>("name")?).bind(row.get::<String>("version")?);
        let run = tx.fetch_one(run).await?.count("found")?;
        if run > 0 {
            return Ok(DeleteBundle::RunByDevices(run));
        }
        let query = sql("UPDATE bundles SET deleted_at = $3 WHERE org_id = $1 AND id = $2");
        tx.execute(query.bind(org).bind(id).bind(now)).await?;
        tx.note(Change::of(org, "bundle", id).before(before));
        let event = NewEvent::new(EventKind::BundleWithdrawn).bundle(id).by(by);
        let event =
            event.with("name", row.get::<String>("name")?).with("version", row.get::<String>("version")?);
        record_event(&mut tx, org, &event, now).await?;
        tx.commit().await?;
        Ok(DeleteBundle::Deleted)
    }

    /// Which of these ids are bundles that were deleted, in any organisation: their bytes can go.
    pub async fn deleted_bundles(&self, ids: &[BundleId]) -> Result<Vec<BundleId>> {
        let text = format!(
            "SELECT id FROM bundles WHERE deleted_at IS NOT NULL AND {}",
            self.dialect().in_ids("id", 1)
        );
        let ids: Vec<uuid::Uuid> = ids.iter().map(|id| id.0).collect();
        let rows = self.reader().fetch_all(built(text).bind(ids)).await?;
        rows.iter().map(|row| Ok(BundleId(row.get("id")?))).collect()
    }
}

fn bundle(row: &Row) -> Result<BundleRecord> {
    Ok(BundleRecord {
        id: BundleId(row.get("id")?),
        name: row.parse("name")?,
        version: row.parse("version")?,
        checksum_sha256: row.get("checksum_sha256")?,
        size_bytes: row.count("size_bytes")?,
        format: row.get("format")?,
        manifest: row.get("manifest")?,
        description: row.get("description")?,
        uploaded_by: row.get("uploaded_by")?,
        created_at: row.time("created_at")?,
    })
}
