//! Registering: one device per key, however often and however close together it asks.

use std::collections::BTreeMap;

use kernex_core::{ActorKind, DeviceConfig, DeviceId, EventKind, Membership, OrganizationId, Timestamp};
use serde_json::{Map, Value as Json, json};

use super::write_tags;
use crate::{
    AuditCaller, AuditScope, NewEvent, Result, Store,
    audit::Change,
    events::record_event,
    registration_tokens::take_use,
    sql::{Query, Row, Run, Tx, built, sql, to_json},
};

/// How often a registration that collides with another of the same key is looked up again.
const REGISTER_TRIES: usize = 3;

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
            identify(OrganizationId(row.get("org_id")?), DeviceId(row.get("id")?), new);
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
        identify(org_id, id, new);
        let after = json!({"membership": membership, "device_type": new.device_type, "tags": tags,
            "key_fingerprint": new.key_fingerprint});
        tx.note(Change::of(org_id, "device", id).after(after));
        let event = NewEvent::new(EventKind::DeviceRegistered).device(id);
        record_event(&mut tx, org_id, &event.with("membership", membership.as_str()), now).await?;
        tx.commit().await?;
        Ok(Some(Registered::Device { id, membership }))
    }
}

fn identify(org_id: OrganizationId, id: DeviceId, new: &NewDevice) {
    AuditScope::identify(AuditCaller {
        org_id,
        kind: ActorKind::Device,
        id: Some(id.to_string()),
        name: None,
        credential: Some(format!("device_key:{}", new.key_fingerprint)),
    });
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
            let change =
                Change::of(org, "device", id).before(json!({"membership": Membership::PendingApproval}));
            tx.note(change.after(json!({"membership": membership})));
            let event = NewEvent::new(EventKind::DeviceApproved).device(id).with("by", "registration token");
            record_event(tx, org, &event, now).await?;
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
            reported_config_version, polling_interval, arch) \
            VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $10, '[]', 1, 1, $12, $13) \
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
    .bind(DeviceConfig::default().polling_interval)
    .bind(new.hardware_metadata.get("arch").and_then(Json::as_str)))
}
