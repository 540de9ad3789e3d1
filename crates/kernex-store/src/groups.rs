//! Groups: named selectors, and named lists of devices.

mod members;
mod resolve;

use kernex_core::{DeviceId, EventKind, GroupId, OrganizationId, Selector, Timestamp};

use serde_json::{Value as Json, json};

use crate::{
    NewEvent, Result, Store,
    audit::Change,
    events::record_event,
    idempotency::{self, Idempotency, Once},
    sql::{Row, Run, Tx, built, sql},
};

pub use resolve::UnknownGroups;

/// One group.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GroupRecord {
    /// Its id.
    pub id: GroupId,
    /// Its name, once in an organisation.
    pub name: String,
    /// What it is for.
    pub description: Option<String>,
    /// Which devices are in it; `None` for a list.
    pub selector: Option<Selector>,
    /// The release channel that it follows.
    pub channel: Option<String>,
    /// Who made it.
    pub created_by: String,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it was last changed.
    pub updated_at: Timestamp,
}

/// A change of a group; what is `None` stays.
#[derive(Clone, Debug, Default)]
pub struct GroupUpdate {
    /// A new name.
    pub name: Option<String>,
    /// A description; `Some(None)` removes it.
    pub description: Option<Option<String>>,
    /// Another selector, for a group that has one.
    pub selector: Option<Selector>,
    /// A channel; `Some(None)` takes it off.
    pub channel: Option<Option<String>>,
}

/// Why a group was not changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum GroupRefusal {
    /// No such group.
    Unknown,
    /// Another group has the name.
    NameTaken,
    /// A list of devices has no selector.
    IsList,
    /// A group with a selector has no list of devices.
    IsSelector,
    /// No such channel.
    UnknownChannel,
}

/// Most groups of an organisation.
pub const MAX_GROUPS: u32 = 1_000;

const COLUMNS: &str = "id, name, description, selector, channel, created_by, created_at, updated_at";

impl Store {
    /// Makes a group, with these devices if it is a list. `Err`: the name is taken, or the channel is unknown.
    pub async fn create_group(
        &self,
        org: OrganizationId,
        new: &GroupRecord,
        devices: &[DeviceId],
        idempotency: Option<&Idempotency>,
        answer: impl FnOnce() -> (u16, String),
    ) -> Result<Once<std::result::Result<(), GroupRefusal>>> {
        let mut tx = self.begin().await?;
        if let Some(first) = idempotency::first_answer(&mut tx, org, idempotency).await? {
            return Ok(first);
        }
        if !channel_exists(&mut tx, org, new.channel.as_deref()).await? {
            return Ok(Once::Done(Err(GroupRefusal::UnknownChannel)));
        }
        let query = sql(
            "INSERT INTO device_groups (id, org_id, name, description, selector, channel, created_by, created_at, updated_at) \
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $8) ON CONFLICT (org_id, name) DO NOTHING",
        );
        let query = query.bind(new.id).bind(org).bind(new.name.as_str()).bind(new.description.clone());
        let query = query.bind(new.selector.as_ref().map(ToString::to_string)).bind(new.channel.clone());
        if tx.execute(query.bind(new.created_by.as_str()).bind(new.created_at)).await? == 0 {
            return Ok(Once::Done(Err(GroupRefusal::NameTaken)));
        }
        members::add_members(&mut tx, org, new.id, devices).await?;
        tx.note(Change::of(org, "group", new.id).after(shown(new)));
        note(&mut tx, org, EventKind::GroupCreated, &new.name, &new.created_by, new.created_at).await?;
        idempotency::store_answer(&mut tx, org, idempotency, new.created_at, answer).await?;
        tx.commit().await?;
        Ok(Once::Done(Ok(())))
    }

    /// A group by its id.
    pub async fn find_group(&self, org: OrganizationId, id: GroupId) -> Result<Option<GroupRecord>> {
        let text = format!("SELECT {COLUMNS} FROM device_groups WHERE org_id = $1 AND id = $2");
        let row = self.reader().fetch_optional(built(text).bind(org).bind(id)).await?;
        row.map(|row| group(&row)).transpose()
    }

    /// A group by its name.
    pub async fn find_group_by_name(&self, org: OrganizationId, name: &str) -> Result<Option<GroupRecord>> {
        let text = format!("SELECT {COLUMNS} FROM device_groups WHERE org_id = $1 AND name = $2");
        let row = self.reader().fetch_optional(built(text).bind(org).bind(name)).await?;
        row.map(|row| group(&row)).transpose()
    }

    /// Every group of an organisation, by name; those of one channel when it is given.
    pub async fn list_groups(&self, org: OrganizationId, channel: Option<&str>) -> Result<Vec<GroupRecord>> {
        let text = format!(
            "SELECT {COLUMNS} FROM device_groups WHERE org_id = $1 AND ($2 = '' OR channel = $2) ORDER BY name LIMIT $3"
        );
        let query = built(text).bind(org).bind(channel.unwrap_or("")).bind(MAX_GROUPS);
        self.reader().fetch_all(query).await?.iter().map(group).collect()
    }

    /// How many groups an organisation has.
    pub async fn count_groups(&self, org: OrganizationId) -> Result<u64> {
        let query = sql("SELECT COUNT(*) AS found FROM device_groups WHERE org_id = $1").bind(org);
        self.reader().fetch_one(query).await?.count("found")
    }

    /// Changes a group; gives it as it is then.
    pub async fn update_group(
        &self,
        org: OrganizationId,
        id: GroupId,
        update: &GroupUpdate,
        by: &str,
        now: Timestamp,
    ) -> Result<std::result::Result<GroupRecord, GroupRefusal>> {
        let mut tx = self.begin().await?;
        let Some(mut record) = lock_group(&mut tx, org, id).await? else {
            return Ok(Err(GroupRefusal::Unknown));
        };
        let before = shown(&record);
        if update.selector.is_some() && record.selector.is_none() {
            return Ok(Err(GroupRefusal::IsList));
        }
        if let Some(name) = &update.name {
            record.name.clone_from(name);
        }
        if let Some(description) = &update.description {
            record.description.clone_from(description);
        }
        if update.selector.is_some() {
            record.selector.clone_from(&update.selector);
        }
        if let Some(channel) = &update.channel {
            record.channel.clone_from(channel);
        }
        if !channel_exists(&mut tx, org, record.channel.as_deref()).await? {
            return Ok(Err(GroupRefusal::UnknownChannel));
        }
        record.updated_at = now;
        let query = sql(
            "UPDATE device_groups SET name = $3, description = $4, selector = $5, channel = $6, updated_at = $7 \
             WHERE org_id = $1 AND id = $2",
        );
        let query = query.bind(org).bind(id).bind(record.name.as_str()).bind(record.description.clone());
        let query =
            query.bind(record.selector.as_ref().map(ToString::to_string)).bind(record.channel.clone());
        match tx.execute(query.bind(now)).await {
            Err(crate::Error::Exists) => return Ok(Err(GroupRefusal::NameTaken)),
            changed => changed?,
        };
        tx.note(Change::of(org, "group", id).before(before).after(shown(&record)));
        note(&mut tx, org, EventKind::GroupUpdated, &record.name, by, now).await?;
        tx.commit().await?;
        Ok(Ok(record))
    }

    /// Removes a group, not its devices; whether it was there.
    pub async fn delete_group(
        &self,
        org: OrganizationId,
        id: GroupId,
        by: &str,
        now: Timestamp,
    ) -> Result<bool> {
        let mut tx = self.begin().await?;
        let query = sql("DELETE FROM device_groups WHERE org_id = $1 AND id = $2 RETURNING name");
        let Some(row) = tx.fetch_optional(query.bind(org).bind(id)).await? else { return Ok(false) };
        let name: String = row.get("name")?;
        tx.note(Change::of(org, "group", id).before(json!({"name": name})));
        note(&mut tx, org, EventKind::GroupDeleted, &name, by, now).await?;
        tx.commit().await?;
        Ok(true)
    }
}

/// A group as the audit log holds it.
fn shown(group: &GroupRecord) -> Json {
    json!({"name": group.name, "description": group.description, "selector": group.selector, "channel": group.channel})
}

async fn note(
    tx: &mut Tx,
    org: OrganizationId,
    kind: EventKind,
    name: &str,
    by: &str,
    now: Timestamp,
) -> Result<()> {
    record_event(tx, org, &NewEvent::new(kind).by(by).with("group", name), now).await
}

async fn lock_group(tx: &mut Tx, org: OrganizationId, id: GroupId) -> Result<Option<GroupRecord>> {
    let text = format!(
        "SELECT {COLUMNS} FROM device_groups WHERE org_id = $1 AND id = $2{}",
        tx.dialect().for_update()
    );
    tx.fetch_optional(built(text).bind(org).bind(id)).await?.map(|row| group(&row)).transpose()
}

async fn channel_exists(tx: &mut Tx, org: OrganizationId, channel: Option<&str>) -> Result<bool> {
    let Some(channel) = channel else { return Ok(true) };
    let query = sql("SELECT name FROM channels WHERE org_id = $1 AND name = $2").bind(org).bind(channel);
    Ok(tx.fetch_optional(query).await?.is_some())
}

fn group(row: &Row) -> Result<GroupRecord> {
    Ok(GroupRecord {
        id: GroupId(row.get("id")?),
        name: row.get("name")?,
        description: row.get("description")?,
        selector: row.parse_if_any("selector")?,
        channel: row.get("channel")?,
        created_by: row.get("created_by")?,
        created_at: row.time("created_at")?,
        updated_at: row.time("updated_at")?,
    })
}
