//! Lists of devices.

use kernex_core::{DeviceId, EventKind, GroupId, OrganizationId, Timestamp};
use serde_json::json;
use uuid::Uuid;

use super::{GroupRefusal, lock_group};
use crate::{
    NewEvent, Result, Store,
    audit::Change,
    events::record_event,
    sql::{Run, Tx, built, sql},
};

impl Store {
    /// Puts devices into a group's list and takes others out; how many of each were changed. Devices that the organisation does
    /// not have are left out.
    pub async fn change_members(
        &self,
        org: OrganizationId,
        id: GroupId,
        add: &[DeviceId],
        remove: &[DeviceId],
        by: &str,
        now: Timestamp,
    ) -> Result<std::result::Result<(u64, u64), GroupRefusal>> {
        let mut tx = self.begin().await?;
        let name = match lock_group(&mut tx, org, id).await? {
            None => return Ok(Err(GroupRefusal::Unknown)),
            Some(group) if group.selector.is_some() => return Ok(Err(GroupRefusal::IsSelector)),
            Some(group) => group.name,
        };
        let removed = remove_members(&mut tx, id, remove).await?;
        let added = add_members(&mut tx, org, id, add).await?;
        let event = NewEvent::new(EventKind::GroupUpdated).by(by).with("group", name);
        tx.note(Change::of(org, "group", id).after(json!({"added": added, "removed": removed})));
        record_event(&mut tx, org, &event.with("added", added).with("removed", removed), now).await?;
        tx.commit().await?;
        Ok(Ok((added, removed)))
    }

    /// The lists that a device is in, by name.
    pub async fn groups_of_device(&self, org: OrganizationId, device: DeviceId) -> Result<Vec<String>> {
        let query = sql("SELECT g.name FROM group_members m JOIN device_groups g ON g.id = m.group_id \
             WHERE m.device_id = $2 AND g.org_id = $1 ORDER BY g.name");
        let rows = self.reader().fetch_all(query.bind(org).bind(device)).await?;
        rows.iter().map(|row| row.get("name")).collect()
    }
}

pub(super) async fn add_members(
    tx: &mut Tx,
    org: OrganizationId,
    id: GroupId,
    devices: &[DeviceId],
) -> Result<u64> {
    let text = format!(
        "INSERT INTO group_members (group_id, device_id, org_id) SELECT $1, v.id, v.org_id FROM devices v \
         JOIN {} wanted ON wanted.id = v.id WHERE v.org_id = $3 ON CONFLICT (group_id, device_id) DO NOTHING",
        tx.dialect().table_of_ids(2)
    );
    tx.execute(built(text).bind(id).bind(uuids(devices)).bind(org)).await
}

async fn remove_members(tx: &mut Tx, id: GroupId, devices: &[DeviceId]) -> Result<u64> {
    let text =
        format!("DELETE FROM group_members WHERE group_id = $1 AND {}", tx.dialect().in_ids("device_id", 2));
    tx.execute(built(text).bind(id).bind(uuids(devices))).await
}

fn uuids(devices: &[DeviceId]) -> Vec<Uuid> {
    devices.iter().map(|id| id.0).collect()
}
