//! Devices: what is known of them, letting in, leaving.

mod list;
mod register;

use std::collections::BTreeMap;

use kernex_core::{
    BundleName, BundleVersion, DeviceHealth, DeviceId, DeviceStatus, EventKind, Membership, OrganizationId,
    Timestamp,
};
use serde_json::{Map, Value as Json, json};
use uuid::Uuid;

use crate::{
    HeartbeatRow, NewEvent, Result, Store,
    audit::Change,
    events::record_event,
    sql::{Row, Run, Tx, built, sql, to_json},
    version_keys::key_of,
};

pub use list::DeviceFilter;
pub use register::{NewDevice, Registered};

/// What is needed to check a device's signature.
#[derive(Clone, Debug)]
pub struct Identity {
    /// The device.
    pub device_id: DeviceId,
    /// The organisation that it belongs to.
    pub org_id: OrganizationId,
    /// Whether it has been let in.
    pub membership: Membership,
    /// Its key, SPKI DER.
    pub public_key: Vec<u8>,
    /// How it signs.
    pub signature_algorithm: String,
}

/// One device.
#[derive(Clone, Debug)]
pub struct DeviceRecord {
    /// The device's id.
    pub id: DeviceId,
    /// Its organisation.
    pub org_id: OrganizationId,
    /// Whether it has been let in.
    pub membership: Membership,
    /// A name that an operator gave.
    pub display_name: Option<String>,
    /// How it signs.
    pub signature_algorithm: String,
    /// SHA-256 of its key's SPKI, hex.
    pub key_fingerprint: String,
    /// The kind of machine.
    pub device_type: Option<String>,
    /// Free facts about the machine.
    pub hardware_metadata: Map<String, Json>,
    /// Labels.
    pub tags: BTreeMap<String, String>,
    /// When it registered.
    pub registered_at: Timestamp,
    /// When its last heartbeat came.
    pub last_seen_at: Option<Timestamp>,
    /// From then on it counts as offline.
    pub overdue_at: Timestamp,
    /// What it last said of itself.
    pub health: Option<DeviceHealth>,
    /// The agent's version.
    pub agent_version: Option<String>,
    /// What it reported to have installed.
    pub bundles: Vec<(BundleName, BundleVersion)>,
    /// Its last heartbeat.
    pub last_heartbeat: Option<HeartbeatRow>,
    /// The version of its configuration that is wanted.
    pub config_version: u64,
    /// The version that it reported.
    pub reported_config_version: u64,
}

impl DeviceRecord {
    /// How an operator sees the device at a point in time.
    pub fn status(&self, now: Timestamp) -> DeviceStatus {
        DeviceStatus::at(self.membership, self.health, self.overdue_at, now)
    }
}

/// The same decision as [`DeviceStatus::at`], as SQL; `$1` is the present.
pub(crate) const STATUS_SQL: &str = "CASE WHEN membership <> 'active' THEN membership \
     WHEN health IS NULL OR overdue_at <= $1 THEN 'offline' WHEN health = 'healthy' THEN 'online' ELSE health END";

/// A change that an operator makes.
#[derive(Clone, Debug, Default)]
pub struct DeviceUpdate {
    /// A name; `Some(None)` removes it.
    pub display_name: Option<Option<String>>,
    /// All labels.
    pub tags: Option<BTreeMap<String, String>>,
}

pub(crate) const COLUMNS: &str = "id, org_id, membership, display_name, signature_algorithm, key_fingerprint, device_type, \
     hardware_metadata, tags, registered_at, last_seen_at, overdue_at, health, agent_version, reported_bundles, last_heartbeat, \
     config_version, reported_config_version";

impl Store {
    /// What is needed to check a device's signature.
    pub async fn find_identity(&self, id: DeviceId) -> Result<Option<Identity>> {
        let query =
            sql("SELECT id, org_id, membership, public_key, signature_algorithm FROM devices WHERE id = $1");
        let row = self.reader().fetch_optional(query.bind(id)).await?;
        row.map(|row| {
            Ok(Identity {
                device_id: DeviceId(row.get("id")?),
                org_id: OrganizationId(row.get("org_id")?),
                membership: row.parse("membership")?,
                public_key: row.get("public_key")?,
                signature_algorithm: row.get("signature_algorithm")?,
            })
        })
        .transpose()
    }

    /// One device of an organisation.
    pub async fn find_device(&self, org: OrganizationId, id: DeviceId) -> Result<Option<DeviceRecord>> {
        let text = format!("SELECT {COLUMNS} FROM devices WHERE org_id = $1 AND id = $2");
        let row = self.reader().fetch_optional(built(text).bind(org).bind(id)).await?;
        row.map(|row| device(&row)).transpose()
    }

    /// Changes what operators say about a device; gives it as it is then, if it exists.
    pub async fn update_device(
        &self,
        org: OrganizationId,
        id: DeviceId,
        update: &DeviceUpdate,
        by: &str,
        now: Timestamp,
    ) -> Result<Option<DeviceRecord>> {
        let mut tx = self.begin().await?;
        let text = format!(
            "SELECT {COLUMNS} FROM devices WHERE org_id = $1 AND id = $2{}",
            tx.dialect().for_update()
        );
        let Some(row) = tx.fetch_optional(built(text).bind(org).bind(id)).await? else { return Ok(None) };
        let mut record = device(&row)?;
        let before = json!({"display_name": record.display_name, "tags": record.tags});
        if let Some(name) = &update.display_name {
            record.display_name.clone_from(name);
        }
        if let Some(tags) = &update.tags {
            record.tags.clone_from(tags);
            tx.execute(sql("DELETE FROM device_tags WHERE device_id = $1").bind(id)).await?;
            write_tags(&mut tx, org, id, tags).await?;
        }
        let query = sql("UPDATE devices SET display_name = $3, tags = $4 WHERE org_id = $1 AND id = $2")
            .bind(org)
            .bind(id);
        tx.execute(query.bind(record.display_name.clone()).bind(to_json(&record.tags)?)).await?;
        let after = json!({"display_name": record.display_name, "tags": record.tags});
        tx.note(Change::of(org, "device", id).before(before).after(after));
        let event = NewEvent::new(EventKind::DeviceUpdated).device(id).by(by);
        record_event(&mut tx, org, &event, now).await?;
        tx.commit().await?;
        Ok(Some(record))
    }

    /// Moves a device from one membership to another. `None`: no such device; otherwise what its membership was before, and it
    /// has changed only if that was one of `from`. A device that leaves takes its open targets with it.
    pub async fn change_membership(
        &self,
        org: OrganizationId,
        id: DeviceId,
        from: &[Membership],
        to: Membership,
        by: &str,
        now: Timestamp,
    ) -> Result<Option<Membership>> {
        let mut tx = self.begin().await?;
        let text = format!(
            "SELECT membership FROM devices WHERE org_id = $1 AND id = $2{}",
            tx.dialect().for_update()
        );
        let Some(row) = tx.fetch_optional(built(text).bind(org).bind(id)).await? else { return Ok(None) };
        let before: Membership = row.parse("membership")?;
        if from.contains(&before) {
            let query =
                sql("UPDATE devices SET membership = $3 WHERE org_id = $1 AND id = $2").bind(org).bind(id);
            tx.execute(query.bind(to.as_str())).await?;
            if before != to {
                let event = NewEvent::new(kind_of_change(before, to)).device(id).by(by);
                record_event(&mut tx, org, &event, now).await?;
            }
            if to == Membership::Decommissioned {
                crate::targets::cancel_targets_of_device(&mut tx, org, id, now).await?;
            }
            let change = Change::of(org, "device", id).before(json!({"membership": before}));
            tx.note(change.after(json!({"membership": to})));
            tx.commit().await?;
        }
        Ok(Some(before))
    }

    /// Which of these devices exist in the organisation, and whether they have been let in.
    pub async fn memberships(
        &self,
        org: OrganizationId,
        ids: &[DeviceId],
    ) -> Result<BTreeMap<DeviceId, Membership>> {
        let ids: Vec<Uuid> = ids.iter().map(|id| id.0).collect();
        let text = format!(
            "SELECT id, membership FROM devices WHERE org_id = $1 AND {}",
            self.dialect().in_ids("id", 2)
        );
        let rows = self.reader().fetch_all(built(text).bind(org).bind(ids)).await?;
        rows.iter().map(|row| Ok((DeviceId(row.get("id")?), row.parse("membership")?))).collect()
    }
}

fn kind_of_change(before: Membership, to: Membership) -> EventKind {
    match (before, to) {
        (_, Membership::Active) => EventKind::DeviceApproved,
        (Membership::PendingApproval, Membership::Decommissioned) => EventKind::DeviceRejected,
        _ => EventKind::DeviceDecommissioned,
    }
}

async fn write_tags(
    tx: &mut Tx,
    org: OrganizationId,
    id: DeviceId,
    tags: &BTreeMap<String, String>,
) -> Result<()> {
    for (key, value) in tags {
        let query = sql(
            "INSERT INTO device_tags (device_id, org_id, key, value, value_key) VALUES ($1, $2, $3, $4, $5)",
        );
        let query = query.bind(id).bind(org).bind(key.as_str()).bind(value.as_str());
        tx.execute(query.bind(key_of(value))).await?;
    }
    Ok(())
}

pub(crate) fn device(row: &Row) -> Result<DeviceRecord> {
    let last_heartbeat: Option<String> = row.get("last_heartbeat")?;
    Ok(DeviceRecord {
        id: DeviceId(row.get("id")?),
        org_id: OrganizationId(row.get("org_id")?),
        membership: row.parse("membership")?,
        display_name: row.get("display_name")?,
        signature_algorithm: row.get("signature_algorithm")?,
        key_fingerprint: row.get("key_fingerprint")?,
        device_type: row.get("device_type")?,
        hardware_metadata: row.json("hardware_metadata")?,
        tags: row.json("tags")?,
        registered_at: row.time("registered_at")?,
        last_seen_at: row.time_if_any("last_seen_at")?,
        overdue_at: row.time("overdue_at")?,
        health: row.parse_if_any("health")?,
        agent_version: row.get("agent_version")?,
        bundles: row.json("reported_bundles")?,
        last_heartbeat: if last_heartbeat.is_some() { Some(row.json("last_heartbeat")?) } else { None },
        config_version: row.count("config_version")?,
        reported_config_version: row.count("reported_config_version")?,
    })
}
