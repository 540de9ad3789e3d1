//! Devices: registering, listing, letting in, leaving.

use std::collections::BTreeMap;

use kernex_core::{
    BundleName, BundleVersion, DeviceConfig, DeviceHealth, DeviceId, DeviceStatus, Membership,
    OrganizationId, Timestamp,
};
use serde_json::{Map, Value as Json};
use uuid::Uuid;

use crate::{
    HeartbeatRow, Result, Store,
    registration_tokens::take_use,
    sql::{Query, Row, Run, Tx, Value, built, sql, to_json},
};

/// How often a registration that collides with another of the same key is looked up again.
const REGISTER_TRIES: usize = 3;

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
        match (self.membership, self.health) {
            (Membership::PendingApproval, _) => DeviceStatus::PendingApproval,
            (Membership::Decommissioned, _) => DeviceStatus::Decommissioned,
            (Membership::Active, None) => DeviceStatus::Offline,
            (Membership::Active, Some(_)) if self.overdue_at <= now => DeviceStatus::Offline,
            (Membership::Active, Some(DeviceHealth::Healthy)) => DeviceStatus::Online,
            (Membership::Active, Some(DeviceHealth::Degraded)) => DeviceStatus::Degraded,
            (Membership::Active, Some(DeviceHealth::Error)) => DeviceStatus::Error,
        }
    }
}

/// The same decision as [`DeviceRecord::status`], as SQL; `$1` is the present.
pub(crate) const STATUS_SQL: &str = "CASE WHEN membership <> 'active' THEN membership \
     WHEN health IS NULL OR overdue_at <= $1 THEN 'offline' WHEN health = 'healthy' THEN 'online' ELSE health END";

/// A device that wants to register.
#[derive(Clone, Debug)]
pub struct NewDevice {
    /// The organisation that it asks to join when it brings no token.
    pub org_id: OrganizationId,
    /// Its key, SPKI DER.
    pub public_key: Vec<u8>,
    /// How it signs.
    pub signature_algorithm: &'static str,
    /// SHA-256 of the SPKI, hex.
    pub key_fingerprint: String,
    /// The kind of machine.
    pub device_type: Option<String>,
    /// Free facts about the machine.
    pub hardware_metadata: Map<String, Json>,
    /// Labels.
    pub tags: BTreeMap<String, String>,
    /// SHA-256 of the registration token's secret, hex.
    pub token_sha256: Option<String>,
    /// The timestamp that the registration was signed with.
    pub signed_at: i64,
    /// How many devices of the organisation may wait for approval.
    pub max_pending: u64,
}

/// What registering gave.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Registered {
    /// The key's device, new or not.
    Device {
        /// Its id.
        id: DeviceId,
        /// Whether it has been let in.
        membership: Membership,
    },
    /// Too many devices wait for approval.
    TooManyPending,
    /// No such organisation.
    UnknownOrganization,
}

/// Which devices to list.
#[derive(Clone, Debug, Default)]
pub struct DeviceFilter {
    /// Free text in name, type, id or fingerprint.
    pub text: Option<String>,
    /// Devices of this status.
    pub status: Option<DeviceStatus>,
    /// Devices with all of these labels.
    pub tags: Vec<(String, String)>,
    /// Devices that run this version of some bundle.
    pub bundle_version: Option<String>,
    /// Devices after this one, in the list's order.
    pub after: Option<DeviceId>,
    /// At most so many.
    pub limit: u32,
}

/// A change that an operator makes.
#[derive(Clone, Debug, Default)]
pub struct DeviceUpdate {
    /// A name; `Some(None)` removes it.
    pub display_name: Option<Option<String>>,
    /// All labels.
    pub tags: Option<BTreeMap<String, String>>,
}

const COLUMNS: &str = "id, org_id, membership, display_name, signature_algorithm, key_fingerprint, device_type, \
     hardware_metadata, tags, registered_at, last_seen_at, overdue_at, health, agent_version, reported_bundles, last_heartbeat, \
     config_version, reported_config_version";

impl Store {
    /// Gives the device that a key belongs to, and makes it if there is none. Registering twice at once gives one device, and
    /// a valid token lets a waiting one in.
    pub async fn register_device(&self, new: &NewDevice, now: Timestamp) -> Result<Registered> {
        for _ in 0..REGISTER_TRIES {
            if let Some(registered) = self.try_register(new, now).await? {
                return Ok(registered);
            }
        }
        Err(crate::Error::Exists)
    }

    async fn try_register(&self, new: &NewDevice, now: Timestamp) -> Result<Option<Registered>> {
        let mut tx = self.begin().await?;
        if let Some(row) = tx.fetch_optional(known_key(&tx, &new.key_fingerprint)).await? {
            let registered = register_again(&mut tx, &row, new, now).await?;
            tx.commit().await?;
            return Ok(Some(registered));
        }
        let token = match &new.token_sha256 {
            Some(digest) => take_use(&mut tx, digest, None, now).await?,
            None => None,
        };
        let (org_id, membership, mut tags) = match token {
            Some(token) => (token.org_id, Membership::Active, token.tags),
            None => (new.org_id, Membership::PendingApproval, BTreeMap::new()),
        };
        for (key, value) in &new.tags {
            tags.entry(key.clone()).or_insert_with(|| value.clone());
        }
        if membership == Membership::PendingApproval
            && let Some(refusal) = refuse_waiting(&mut tx, org_id, new.max_pending).await?
        {
            return Ok(Some(refusal));
        }
        let id = DeviceId::generate(now);
        if tx.execute(insert(id, org_id, membership, &tags, new, now)?).await? == 0 {
            return Ok(None); // the same key registers at the same time: look again
        }
        write_tags(&mut tx, org_id, id, &tags).await?;
        tx.commit().await?;
        Ok(Some(Registered::Device { id, membership }))
    }

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

    /// One page of devices, newest first, and how many match in all.
    pub async fn list_devices(
        &self,
        org: OrganizationId,
        filter: &DeviceFilter,
        now: Timestamp,
    ) -> Result<(Vec<DeviceRecord>, u64)> {
        let (conditions, values) = self.device_conditions(org, filter, now);
        let mut count = built(format!("SELECT COUNT(*) AS total FROM devices WHERE {conditions}"));
        let mut values_with_page = values.clone();
        let after = match filter.after {
            Some(id) => {
                values_with_page.push(id.into());
                format!(" AND id < ${}", values_with_page.len())
            }
            None => String::new(),
        };
        values_with_page.push(filter.limit.into());
        let limit = values_with_page.len();
        let text = format!(
            "SELECT {COLUMNS} FROM devices WHERE {conditions}{after} ORDER BY id DESC LIMIT ${limit}"
        );
        for value in values {
            count = count.bind(value);
        }
        let page = values_with_page.into_iter().fold(built(text), Query::bind);
        let total = self.reader().fetch_one(count).await?.count("total")?;
        let rows = self.reader().fetch_all(page).await?;
        Ok((rows.iter().map(device).collect::<Result<_>>()?, total))
    }

    fn device_conditions(
        &self,
        org: OrganizationId,
        filter: &DeviceFilter,
        now: Timestamp,
    ) -> (String, Vec<Value>) {
        let dialect = self.dialect();
        // Every text uses `$1`, the present: PostgreSQL refuses a parameter that no part of the statement names.
        let mut text = "org_id = $2 AND $1 > 0".to_owned();
        let mut values: Vec<Value> = vec![now.as_millis().max(1).into(), org.into()];
        if let Some(status) = filter.status {
            values.push(status.as_str().into());
            text += &format!(" AND ({STATUS_SQL}) = ${}", values.len());
        }
        if let Some(search) = &filter.text {
            values.push(format!("%{}%", escape_like(search)).into());
            let (name, kind) = (
                dialect.contains("display_name", values.len()),
                dialect.contains("device_type", values.len()),
            );
            values.push(format!("{}%", escape_like(&search.replace('-', "").to_ascii_lowercase())).into());
            let parameter = values.len();
            let id = dialect.contains(&dialect.id_as_hex("id"), parameter);
            let fingerprint = dialect.contains("key_fingerprint", parameter);
            text += &format!(" AND ({name} OR {kind} OR {id} OR {fingerprint})");
        }
        for (key, value) in &filter.tags {
            values.push(key.as_str().into());
            values.push(value.as_str().into());
            let (key, value) = (values.len() - 1, values.len());
            text += &format!(
                " AND id IN (SELECT device_id FROM device_tags WHERE org_id = $2 AND key = ${key} AND value = ${value})"
            );
        }
        if let Some(version) = &filter.bundle_version {
            values.push(version.as_str().into());
            text += &format!(
                " AND id IN (SELECT device_id FROM device_bundles WHERE org_id = $2 AND version = ${})",
                values.len()
            );
        }
        (text, values)
    }

    /// Changes what operators say about a device; gives it as it is then, if it exists.
    pub async fn update_device(
        &self,
        org: OrganizationId,
        id: DeviceId,
        update: &DeviceUpdate,
    ) -> Result<Option<DeviceRecord>> {
        let mut tx = self.begin().await?;
        let text = format!(
            "SELECT {COLUMNS} FROM devices WHERE org_id = $1 AND id = $2{}",
            tx.dialect().for_update()
        );
        let Some(row) = tx.fetch_optional(built(text).bind(org).bind(id)).await? else { return Ok(None) };
        let mut record = device(&row)?;
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
            if to == Membership::Decommissioned {
                crate::targets::cancel_targets_of_device(&mut tx, org, id, now).await?;
            }
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

fn known_key(tx: &Tx, fingerprint: &str) -> Query {
    let lock = tx.dialect().for_update();
    built(format!("SELECT id, org_id, membership, tags FROM devices WHERE key_fingerprint = $1{lock}"))
        .bind(fingerprint)
}

/// Registering is repeatable, so it does not ask for a greater timestamp; what follows must be greater than it, though.
async fn register_again(tx: &mut Tx, row: &Row, new: &NewDevice, now: Timestamp) -> Result<Registered> {
    let id = DeviceId(row.get("id")?);
    let mut membership: Membership = row.parse("membership")?;
    let raise = sql("UPDATE devices SET last_request_at = $2 WHERE id = $1 AND last_request_at < $2")
        .bind(id)
        .bind(new.signed_at);
    tx.execute(raise).await?;
    if let (Membership::PendingApproval, Some(digest)) = (membership, &new.token_sha256) {
        let org = OrganizationId(row.get("org_id")?);
        if take_use(tx, digest, Some(org), now).await?.is_some() {
            membership = Membership::Active;
            let let_in = sql("UPDATE devices SET membership = 'active' WHERE id = $1").bind(id);
            tx.execute(let_in).await?;
        }
    }
    Ok(Registered::Device { id, membership })
}

async fn refuse_waiting(tx: &mut Tx, org: OrganizationId, max_pending: u64) -> Result<Option<Registered>> {
    let known = tx.fetch_optional(sql("SELECT id FROM organizations WHERE id = $1").bind(org)).await?;
    if known.is_none() {
        return Ok(Some(Registered::UnknownOrganization));
    }
    let waiting =
        sql("SELECT COUNT(*) AS waiting FROM devices WHERE org_id = $1 AND membership = 'pending_approval'");
    let waiting = tx.fetch_one(waiting.bind(org)).await?.count("waiting")?;
    Ok((waiting >= max_pending).then_some(Registered::TooManyPending))
}

fn insert(
    id: DeviceId,
    org: OrganizationId,
    membership: Membership,
    tags: &BTreeMap<String, String>,
    new: &NewDevice,
    now: Timestamp,
) -> Result<Query> {
    Ok(sql("INSERT INTO devices (id, org_id, membership, public_key, signature_algorithm, key_fingerprint, device_type, \
            hardware_metadata, tags, registered_at, last_request_at, overdue_at, reported_bundles, config_version, \
            reported_config_version, polling_interval) \
            VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $10, '[]', 1, 1, $12) \
            ON CONFLICT (key_fingerprint) DO NOTHING")
    .bind(id)
    .bind(org)
    .bind(membership.as_str())
    .bind(new.public_key.as_slice())
    .bind(new.signature_algorithm)
    .bind(new.key_fingerprint.as_str())
    .bind(new.device_type.clone())
    .bind(to_json(&new.hardware_metadata)?)
    .bind(to_json(tags)?)
    .bind(now)
    .bind(new.signed_at)
    .bind(DeviceConfig::default().polling_interval))
}

async fn write_tags(
    tx: &mut Tx,
    org: OrganizationId,
    id: DeviceId,
    tags: &BTreeMap<String, String>,
) -> Result<()> {
    for (key, value) in tags {
        let query = sql("INSERT INTO device_tags (device_id, org_id, key, value) VALUES ($1, $2, $3, $4)");
        tx.execute(query.bind(id).bind(org).bind(key.as_str()).bind(value.as_str())).await?;
    }
    Ok(())
}

fn escape_like(text: &str) -> String {
    text.replace('\\', "\\\\").replace('%', "\\%").replace('_', "\\_")
}

fn device(row: &Row) -> Result<DeviceRecord> {
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
