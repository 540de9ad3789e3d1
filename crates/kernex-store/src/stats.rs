//! Counts over the fleet.

use std::collections::BTreeMap;

use kernex_core::{OrganizationId, Timestamp};

use crate::{
    Result, Store,
    devices::STATUS_SQL,
    offline::LOST_MILLIS,
    sql::{Run, built, sql},
};

/// Counts over one organisation.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FleetStats {
    /// Devices by status.
    pub devices_by_status: BTreeMap<String, u64>,
    /// Devices that have been offline for more than a day.
    pub lost_devices: u64,
    /// Sites that are gone as a whole.
    pub sites_offline: u64,
    /// Bundles that have not been deleted.
    pub bundles: u64,
    /// Deployments by status.
    pub deployments_by_status: BTreeMap<String, u64>,
}

impl Store {
    /// Counts the devices of all organisations by status.
    pub async fn count_devices(&self, now: Timestamp) -> Result<BTreeMap<String, u64>> {
        let text = format!("SELECT ({STATUS_SQL}) AS status, COUNT(*) AS found FROM devices GROUP BY 1");
        let rows = self.reader().fetch_all(built(text).bind(now)).await?;
        rows.iter().map(|row| Ok((row.get("status")?, row.count("found")?))).collect()
    }

    /// Counts an organisation's devices, bundles and deployments.
    pub async fn fleet_stats(&self, org: OrganizationId, now: Timestamp) -> Result<FleetStats> {
        let mut reader = self.reader();
        let text = format!(
            "SELECT ({STATUS_SQL}) AS status, COUNT(*) AS found FROM devices WHERE org_id = $2 GROUP BY 1"
        );
        let mut stats = FleetStats::default();
        for row in reader.fetch_all(built(text).bind(now).bind(org)).await? {
            stats.devices_by_status.insert(row.get("status")?, row.count("found")?);
        }
        let lost = sql(
            "SELECT COUNT(*) AS found FROM devices WHERE org_id = $1 AND membership = 'active' AND overdue_at <= $2",
        );
        let lost = lost.bind(org).bind(now.plus_millis(-LOST_MILLIS));
        stats.lost_devices = reader.fetch_one(lost).await?.count("found")?;
        let sites = sql("SELECT COUNT(*) AS found FROM site_outages WHERE org_id = $1").bind(org);
        stats.sites_offline = reader.fetch_one(sites).await?.count("found")?;
        let bundles = sql("SELECT COUNT(*) AS found FROM bundles WHERE org_id = $1 AND deleted_at IS NULL");
        stats.bundles = reader.fetch_one(bundles.bind(org)).await?.count("found")?;
        let deployments =
            sql("SELECT status, COUNT(*) AS found FROM deployments WHERE org_id = $1 GROUP BY status");
        for row in reader.fetch_all(deployments.bind(org)).await? {
            stats.deployments_by_status.insert(row.get("status")?, row.count("found")?);
        }
        Ok(stats)
    }
}
