//! Changing the labels of many devices: those of a selector, or each its own.

use std::collections::BTreeMap;

use kernex_core::{DeviceId, EventKind, OrganizationId, Selector, Timestamp};
use serde_json::json;
use uuid::Uuid;

use crate::{
    NewEvent, Result, Store,
    audit::Change,
    events::record_event,
    selector::Conditions,
    sql::{Query, Row, Run, Tx, built, to_json},
    version_keys::key_of,
};

/// Devices that are read and written at once.
const CHUNK: usize = 500;
/// Most labels of a device.
pub const MAX_TAGS: usize = 64;

type Tags = BTreeMap<String, String>;

/// A change of labels; others stay.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TagChange {
    /// Labels to set.
    pub set: Tags,
    /// Keys to remove.
    pub remove: Vec<String>,
}

/// What a change of many devices' labels came to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TagsChanged {
    /// Devices that were meant.
    pub matched: u64,
    /// Devices whose labels are others than before.
    pub changed: u64,
    /// A device that would have more labels than are allowed; then nothing was changed.
    pub too_many: Option<DeviceId>,
}

impl TagChange {
    fn applied_to(&self, before: &Tags) -> Tags {
        let mut after = before.clone();
        for key in &self.remove {
            after.remove(key);
        }
        after.extend(self.set.clone());
        after
    }
}

impl Store {
    /// Changes the labels of every device that a resolved selector means, all or none of them.
    pub async fn change_tags_of(
        &self,
        org: OrganizationId,
        selector: &Selector,
        change: &TagChange,
        is_dry_run: bool,
        by: &str,
        now: Timestamp,
    ) -> Result<TagsChanged> {
        let mut tx = self.begin().await?;
        let (mut total, mut after) = (TagsChanged::default(), Uuid::nil());
        loop {
            let rows = lock_chunk(&mut tx, org, selector, after, now).await?;
            let Some((last, _)) = rows.last() else { break };
            after = last.0;
            let changes =
                rows.into_iter().map(|(id, before)| (id, change.applied_to(&before), before)).collect();
            apply(&mut tx, org, changes, &mut total).await?;
        }
        finish(tx, org, total, is_dry_run, by, now).await
    }

    /// Changes the labels of devices, each its own, all or none of them. Devices that do not exist are left out.
    pub async fn change_tags_each(
        &self,
        org: OrganizationId,
        changes: &BTreeMap<DeviceId, TagChange>,
        is_dry_run: bool,
        by: &str,
        now: Timestamp,
    ) -> Result<TagsChanged> {
        let mut tx = self.begin().await?;
        let mut total = TagsChanged::default();
        let ids: Vec<Uuid> = changes.keys().map(|id| id.0).collect();
        for chunk in ids.chunks(CHUNK) {
            let text = format!(
                "SELECT id, tags FROM devices WHERE org_id = $1 AND {} ORDER BY id{}",
                tx.dialect().in_ids("id", 2),
                tx.dialect().for_update()
            );
            let rows = tx.fetch_all(built(text).bind(org).bind(chunk.to_vec())).await?;
            let mut chunk = Vec::with_capacity(rows.len());
            for row in &rows {
                let (id, before) = device_tags(row)?;
                let after =
                    changes.get(&id).map_or_else(|| before.clone(), |change| change.applied_to(&before));
                chunk.push((id, after, before));
            }
            apply(&mut tx, org, chunk, &mut total).await?;
        }
        finish(tx, org, total, is_dry_run, by, now).await
    }

    /// Devices by their display names: those that exist, each with all that are called so.
    pub async fn devices_called(
        &self,
        org: OrganizationId,
        names: &[String],
    ) -> Result<BTreeMap<String, Vec<DeviceId>>> {
        let mut found: BTreeMap<String, Vec<DeviceId>> = BTreeMap::new();
        for chunk in names.chunks(CHUNK) {
            let text = format!(
                "SELECT id, display_name FROM devices WHERE org_id = $1 AND {}",
                self.dialect().in_texts("display_name", 2)
            );
            for row in self.reader().fetch_all(built(text).bind(org).bind(chunk.to_vec())).await? {
                found.entry(row.get("display_name")?).or_default().push(DeviceId(row.get("id")?));
            }
        }
        Ok(found)
    }
}

async fn finish(
    mut tx: Tx,
    org: OrganizationId,
    total: TagsChanged,
    is_dry_run: bool,
    by: &str,
    now: Timestamp,
) -> Result<TagsChanged> {
    if is_dry_run || total.too_many.is_some() || total.changed == 0 {
        return Ok(total); // dropping the transaction undoes it
    }
    let event = NewEvent::new(EventKind::DevicesUpdated).by(by).with("devices", total.changed);
    record_event(&mut tx, org, &event, now).await?;
    tx.note(Change::of(org, "organization", org.0).after(json!({"devices_labelled": total.changed})));
    tx.commit().await?;
    Ok(total)
}

async fn lock_chunk(
    tx: &mut Tx,
    org: OrganizationId,
    selector: &Selector,
    after: Uuid,
    now: Timestamp,
) -> Result<Vec<(DeviceId, Tags)>> {
    let (mut conditions, mut text) = Conditions::of_org(tx.dialect(), org, now);
    let after = conditions.bind(after);
    text += &format!(" AND id > ${after} AND {}", conditions.selector(selector));
    let lock = tx.dialect().for_update();
    let query = built(format!("SELECT id, tags FROM devices WHERE {text} ORDER BY id LIMIT {CHUNK}{lock}"));
    let rows = tx.fetch_all(conditions.into_values().into_iter().fold(query, Query::bind)).await?;
    rows.iter().map(device_tags).collect()
}

fn device_tags(row: &Row) -> Result<(DeviceId, Tags)> {
    Ok((DeviceId(row.get("id")?), row.json("tags")?))
}

/// Writes what differs, in as few statements as there are different results.
async fn apply(
    tx: &mut Tx,
    org: OrganizationId,
    changes: Vec<(DeviceId, Tags, Tags)>,
    total: &mut TagsChanged,
) -> Result<()> {
    let mut by_result: BTreeMap<String, Vec<Uuid>> = BTreeMap::new();
    let mut removed: BTreeMap<String, Vec<Uuid>> = BTreeMap::new();
    let mut set: BTreeMap<(String, String), Vec<Uuid>> = BTreeMap::new();
    for (id, after, before) in changes {
        total.matched += 1;
        if after == before {
            continue;
        }
        if after.len() > MAX_TAGS && total.too_many.is_none() {
            total.too_many = Some(id);
        }
        total.changed += 1;
        by_result.entry(to_json(&after)?).or_default().push(id.0);
        for (key, value) in &before {
            if after.get(key) != Some(value) {
                removed.entry(key.clone()).or_default().push(id.0);
            }
        }
        for (key, value) in after {
            if before.get(&key) != Some(&value) {
                set.entry((key, value)).or_default().push(id.0);
            }
        }
    }
    for (tags, ids) in by_result {
        let text = format!("UPDATE devices SET tags = $1 WHERE {}", tx.dialect().in_ids("id", 2));
        tx.execute(built(text).bind(tags).bind(ids)).await?;
    }
    for (key, ids) in removed {
        let text =
            format!("DELETE FROM device_tags WHERE key = $1 AND {}", tx.dialect().in_ids("device_id", 2));
        tx.execute(built(text).bind(key).bind(ids)).await?;
    }
    for ((key, value), ids) in set {
        let text = format!(
            "INSERT INTO device_tags (device_id, org_id, key, value, value_key) SELECT wanted.id, $1, $2, $3, $4 FROM {} wanted",
            tx.dialect().table_of_ids(5)
        );
        let version_key = key_of(&value);
        tx.execute(built(text).bind(org).bind(key).bind(value).bind(version_key).bind(ids)).await?;
    }
    Ok(())
}
