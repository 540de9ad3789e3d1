//! Finding devices: filters, pages.

use kernex_core::{DeviceId, DeviceStatus, OrganizationId, Timestamp};

use super::{COLUMNS, DeviceRecord, STATUS_SQL, device};
use crate::{
    Result, Store,
    sql::{Query, Run, Value, built},
};

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

impl Store {
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
}

fn escape_like(text: &str) -> String {
    text.replace('\\', "\\\\").replace('%', "\\%").replace('_', "\\_")
}
