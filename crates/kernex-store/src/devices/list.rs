//! Finding devices: filters, pages.

use kernex_core::{DeviceId, DeviceStatus, OrganizationId, Selector, Timestamp};

use super::{COLUMNS, DeviceRecord, device};
use crate::{
    Result, Store,
    selector::Conditions,
    sql::{Query, Run, built},
};

/// Which devices to list.
#[derive(Clone, Debug, Default)]
pub struct DeviceFilter {
    /// Devices that it means; its groups have been put in by [`Store::resolve_selector`].
    pub selector: Option<Selector>,
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

impl Store {
    /// One page of devices, newest first, and how many match in all.
    pub async fn list_devices(
        &self,
        org: OrganizationId,
        filter: &DeviceFilter,
        now: Timestamp,
    ) -> Result<(Vec<DeviceRecord>, u64)> {
        let (mut conditions, text) = self.device_conditions(org, filter, now);
        let count = built(format!("SELECT COUNT(*) AS total FROM devices WHERE {text}"));
        let values = conditions.values().iter().cloned();
        let total = self.reader().fetch_one(values.fold(count, Query::bind)).await?.count("total")?;
        let after = match filter.after {
            Some(id) => format!(" AND id < ${}", conditions.bind(id)),
            None => String::new(),
        };
        let limit = conditions.bind(filter.limit);
        let page = built(format!(
            "SELECT {COLUMNS} FROM devices WHERE {text}{after} ORDER BY id DESC LIMIT ${limit}"
        ));
        let page = conditions.into_values().into_iter().fold(page, Query::bind);
        let rows = self.reader().fetch_all(page).await?;
        Ok((rows.iter().map(device).collect::<Result<_>>()?, total))
    }

    fn device_conditions(
        &self,
        org: OrganizationId,
        filter: &DeviceFilter,
        now: Timestamp,
    ) -> (Conditions, String) {
        let (mut conditions, mut text) = Conditions::of_org(self.dialect(), org, now);
        let mut selectors: Vec<Selector> = filter.selector.iter().cloned().collect();
        selectors.extend(filter.status.map(Selector::status));
        selectors.extend(filter.tags.iter().map(|(key, value)| Selector::tag(key, value)));
        for selector in selectors {
            text += &format!(" AND {}", conditions.selector(&selector));
        }
        if let Some(version) = &filter.bundle_version {
            let version = conditions.bind(version.as_str());
            text += &format!(
                " AND id IN (SELECT device_id FROM device_bundles WHERE org_id = $1 AND version = ${version})"
            );
        }
        (conditions, text)
    }
}
