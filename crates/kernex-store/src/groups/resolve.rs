//! From a selector that names groups to one that stands alone, and from there to devices.

use std::collections::{BTreeMap, BTreeSet};

use kernex_core::{DeviceFacts, DeviceId, OrganizationId, Selector, Timestamp};
use uuid::Uuid;

use crate::{
    DeviceRecord, Result, Store,
    devices::{COLUMNS, device},
    selector::Conditions,
    sql::{Query, Run, built, sql},
};

/// Groups that a selector names and that do not exist.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("no such group: {}", .0.join(", "))]
pub struct UnknownGroups(pub Vec<String>);

impl Store {
    /// Puts the selectors of named groups in their places; lists stay, and are asked for by name. A group's own selector names
    /// no groups, so this ends.
    pub async fn resolve_selector(
        &self,
        org: OrganizationId,
        selector: &Selector,
    ) -> Result<std::result::Result<Selector, UnknownGroups>> {
        let names = selector.group_names();
        if names.is_empty() {
            return Ok(Ok(selector.clone()));
        }
        let mut known = BTreeMap::new();
        let mut unknown = Vec::new();
        for name in names {
            match self.find_group_by_name(org, name).await? {
                Some(group) => {
                    known.insert(group.name, group.selector);
                }
                None => unknown.push(name.to_owned()),
            }
        }
        if !unknown.is_empty() {
            return Ok(Err(UnknownGroups(unknown)));
        }
        Ok(Ok(selector.with_groups(|name| known.get(name).cloned().flatten())))
    }

    /// How many devices a resolved selector means.
    pub async fn count_matching(
        &self,
        org: OrganizationId,
        selector: &Selector,
        now: Timestamp,
    ) -> Result<u64> {
        let (mut conditions, mut text) = Conditions::of_org(self.dialect(), org, now);
        text += &format!(" AND {}", conditions.selector(selector));
        let query = built(format!("SELECT COUNT(*) AS total FROM devices WHERE {text}"));
        let query = conditions.into_values().into_iter().fold(query, Query::bind);
        self.reader().fetch_one(query).await?.count("total")
    }

    /// Devices that a resolved selector means, in order of id: one page after a device.
    pub async fn list_matching_ids(
        &self,
        org: OrganizationId,
        selector: &Selector,
        after: Option<DeviceId>,
        limit: u32,
        now: Timestamp,
    ) -> Result<Vec<DeviceId>> {
        let query = self.matching("id", org, selector, after, limit, now);
        let rows = self.reader().fetch_all(query).await?;
        rows.iter().map(|row| Ok(DeviceId(row.get("id")?))).collect()
    }

    /// The same with what selectors can ask about each device, for who goes on asking in memory.
    pub async fn list_matching_facts(
        &self,
        org: OrganizationId,
        selector: &Selector,
        after: Option<DeviceId>,
        limit: u32,
        now: Timestamp,
    ) -> Result<Vec<DeviceFacts>> {
        let columns = format!("{COLUMNS}, arch");
        let rows = self.reader().fetch_all(self.matching(&columns, org, selector, after, limit, now)).await?;
        let mut facts = Vec::with_capacity(rows.len());
        for row in &rows {
            facts.push(facts_of(device(row)?, row.get("arch")?));
        }
        let ids = facts.iter().map(|device| device.id.0).collect();
        let mut lists = self.lists_of(org, ids).await?;
        for device in &mut facts {
            device.groups = lists.remove(&device.id).unwrap_or_default();
        }
        Ok(facts)
    }

    /// Whether a resolved selector means a device.
    pub async fn selects(
        &self,
        org: OrganizationId,
        selector: &Selector,
        device: DeviceId,
        now: Timestamp,
    ) -> Result<bool> {
        let (mut conditions, mut text) = Conditions::of_org(self.dialect(), org, now);
        let id = conditions.bind(device);
        text += &format!(" AND id = ${id} AND {}", conditions.selector(selector));
        let query = built(format!("SELECT id FROM devices WHERE {text}"));
        let query = conditions.into_values().into_iter().fold(query, Query::bind);
        Ok(self.reader().fetch_optional(query).await?.is_some())
    }

    /// The database's plan for finding the devices of a resolved selector, line by line; on PostgreSQL without reading whole
    /// tables if that can be avoided.
    pub async fn explain_matching(
        &self,
        org: OrganizationId,
        selector: &Selector,
        now: Timestamp,
    ) -> Result<Vec<String>> {
        let (mut conditions, mut text) = Conditions::of_org(self.dialect(), org, now);
        text += &format!(" AND {}", conditions.selector(selector));
        let mut tx = self.begin().await?;
        for setting in tx.dialect().avoid_scans() {
            tx.execute(sql(setting)).await?;
        }
        let query = built(format!("{} SELECT id FROM devices WHERE {text}", tx.dialect().explain()));
        let rows = tx.fetch_all(conditions.into_values().into_iter().fold(query, Query::bind)).await?;
        rows.iter().map(|row| row.get(tx.dialect().explained())).collect()
    }

    fn matching(
        &self,
        columns: &str,
        org: OrganizationId,
        selector: &Selector,
        after: Option<DeviceId>,
        limit: u32,
        now: Timestamp,
    ) -> Query {
        let (mut conditions, mut text) = Conditions::of_org(self.dialect(), org, now);
        let after = conditions.bind(after.map_or(Uuid::nil(), |id| id.0));
        text += &format!(" AND id > ${after} AND {}", conditions.selector(selector));
        let limit = conditions.bind(limit);
        let query = built(format!("SELECT {columns} FROM devices WHERE {text} ORDER BY id LIMIT ${limit}"));
        conditions.into_values().into_iter().fold(query, Query::bind)
    }

    async fn lists_of(
        &self,
        org: OrganizationId,
        ids: Vec<Uuid>,
    ) -> Result<BTreeMap<DeviceId, BTreeSet<String>>> {
        let text = format!(
            "SELECT m.device_id, g.name FROM group_members m JOIN device_groups g ON g.id = m.group_id \
             WHERE g.org_id = $1 AND {}",
            self.dialect().in_ids("m.device_id", 2)
        );
        let mut lists: BTreeMap<DeviceId, BTreeSet<String>> = BTreeMap::new();
        for row in self.reader().fetch_all(built(text).bind(org).bind(ids)).await? {
            lists.entry(DeviceId(row.get("device_id")?)).or_default().insert(row.get("name")?);
        }
        Ok(lists)
    }
}

pub(crate) fn facts_of(record: DeviceRecord, arch: Option<String>) -> DeviceFacts {
    DeviceFacts {
        id: record.id,
        display_name: record.display_name,
        device_type: record.device_type,
        arch,
        key_fingerprint: record.key_fingerprint,
        membership: record.membership,
        health: record.health,
        overdue_at: record.overdue_at,
        registered_at: record.registered_at,
        last_seen_at: record.last_seen_at,
        agent_version: record.agent_version,
        bundles: record.bundles,
        tags: record.tags,
        groups: BTreeSet::new(),
    }
}
