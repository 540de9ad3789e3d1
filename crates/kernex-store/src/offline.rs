//! Missing heartbeats: who is offline, who has been for long, and which sites are gone as a whole.
//!
//! `devices.overdue_at` says when a device counts as offline; nothing is written when that time comes. So the job looks at the
//! devices whose time came since it last looked: an interval of an index, however many devices are offline. It looks a minute
//! late, so that the heartbeats of a site that lost its power are all missing when the first is missed, and one event tells it.

use std::collections::BTreeMap;

use kernex_core::{DeviceId, EventKind, OrganizationId, Timestamp};

use crate::{
    NewEvent, Result, Store,
    events::{record_detail, record_event},
    sql::{Row, Run, Tx, built, sql},
};

/// How much later than due missing heartbeats are told of.
const LATE_MILLIS: i64 = 60_000;
/// Offline for longer is lost.
pub(crate) const LOST_MILLIS: i64 = 24 * 3_600 * 1_000;
/// A site of fewer devices is not told of as a whole.
const MIN_SITE_DEVICES: u64 = 5;
/// Share of a site's devices, percent, that are offline when the site is gone, and at most when it is back.
const GONE_PCT: u64 = 80;
const BACK_PCT: u64 = 50;
/// Devices looked at in one go; when there are more, the next tick goes on from there.
const AT_ONCE: u32 = 5_000;

/// What a look at missing heartbeats found.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct OfflineFound {
    /// Devices that went offline.
    pub offline: usize,
    /// Devices that have been offline for a day.
    pub lost: usize,
    /// Sites that are gone.
    pub sites_gone: usize,
    /// Sites that are back.
    pub sites_back: usize,
}

struct Missing {
    device: DeviceId,
    org: OrganizationId,
    overdue_at: Timestamp,
    site: Option<String>,
}

/// How a site is: its devices, and how many of them are offline.
struct Site {
    devices: u64,
    offline: u64,
}

impl Store {
    /// Tells of devices whose heartbeats are missing since the last look. `site_key` is the tag that names a device's site.
    pub async fn watch_offline(&self, site_key: &str, now: Timestamp) -> Result<OfflineFound> {
        let mut found = OfflineFound::default();
        let mut tx = self.begin().await?;
        let until = now.plus_millis(-LATE_MILLIS);
        let since = lock_watermark(&mut tx, "offline", until).await?;
        let missing = missing_between(&mut tx, site_key, since, until, now).await?;
        let reached = reached(&missing, until);
        found.sites_gone = note_sites(&mut tx, site_key, &missing, now).await?;
        for device in &missing {
            note_offline(&mut tx, site_key, device).await?;
        }
        move_watermark(&mut tx, "offline", reached).await?;
        tx.commit().await?;
        found.offline = missing.len();
        found.lost = self.watch_lost(site_key, now).await?;
        found.sites_back = self.watch_returning_sites(now).await?;
        Ok(found)
    }

    async fn watch_lost(&self, site_key: &str, now: Timestamp) -> Result<usize> {
        let mut tx = self.begin().await?;
        let until = now.plus_millis(-LOST_MILLIS);
        let since = lock_watermark(&mut tx, "lost", until).await?;
        let lost = missing_between(&mut tx, site_key, since, until, now).await?;
        for device in &lost {
            let event = NewEvent::new(EventKind::DeviceLost).device(device.device);
            record_event(&mut tx, device.org, &event, device.overdue_at.plus_millis(LOST_MILLIS)).await?;
        }
        move_watermark(&mut tx, "lost", reached(&lost, until)).await?;
        tx.commit().await?;
        Ok(lost.len())
    }

    async fn watch_returning_sites(&self, now: Timestamp) -> Result<usize> {
        let mut tx = self.begin().await?;
        let open = tx
            .fetch_all(sql(
                "SELECT org_id, key, value, began_at FROM site_outages ORDER BY began_at LIMIT 200",
            ))
            .await?;
        let mut back = 0;
        for row in &open {
            let (org, key, value) =
                (OrganizationId(row.get("org_id")?), row.get::<String>("key")?, row.get::<String>("value")?);
            let site = site(&mut tx, org, &key, &value, now).await?;
            if site.offline * 100 > site.devices * BACK_PCT {
                continue;
            }
            let end = sql("DELETE FROM site_outages WHERE org_id = $1 AND key = $2 AND value = $3");
            if tx.execute(end.bind(org).bind(key.as_str()).bind(value.as_str())).await? == 0 {
                continue;
            }
            let secs = now.millis_since(row.time("began_at")?) / 1_000;
            let event = NewEvent::new(EventKind::SiteOnline).with("key", key).with("value", value);
            let event =
                event.with("devices", site.devices).with("offline", site.offline).with("lasted_secs", secs);
            record_event(&mut tx, org, &event, now).await?;
            back += 1;
        }
        tx.commit().await?;
        Ok(back)
    }
}

/// Up to when was looked; the very first look only notes where it stands. Replicas wait for one another here.
async fn lock_watermark(tx: &mut Tx, name: &str, until: Timestamp) -> Result<Timestamp> {
    let insert =
        sql("INSERT INTO offline_watermarks (name, looked_at) VALUES ($1, $2) ON CONFLICT (name) DO NOTHING");
    tx.execute(insert.bind(name).bind(until)).await?;
    let text =
        format!("SELECT looked_at FROM offline_watermarks WHERE name = $1{}", tx.dialect().for_update());
    tx.fetch_one(built(text).bind(name)).await?.time("looked_at")
}

async fn move_watermark(tx: &mut Tx, name: &str, to: Timestamp) -> Result<()> {
    let query = sql("UPDATE offline_watermarks SET looked_at = $2 WHERE name = $1 AND looked_at < $2");
    tx.execute(query.bind(name).bind(to)).await?;
    Ok(())
}

/// Up to when everything has been seen: less than asked for when there were too many. All of the last moment's are seen.
fn reached(missing: &[Missing], until: Timestamp) -> Timestamp {
    match missing.last() {
        Some(last) if missing.len() >= AT_ONCE as usize => last.overdue_at,
        _ => until,
    }
}

async fn missing_between(
    tx: &mut Tx,
    site_key: &str,
    since: Timestamp,
    until: Timestamp,
    now: Timestamp,
) -> Result<Vec<Missing>> {
    if since >= until {
        return Ok(Vec::new());
    }
    let mut missing = Vec::new();
    for row in tx.fetch_all(sql("SELECT id FROM organizations ORDER BY id")).await? {
        let org = OrganizationId(row.get("id")?);
        let query = sql("SELECT v.id, v.overdue_at, t.value AS site FROM devices v \
             LEFT JOIN device_tags t ON t.device_id = v.id AND t.key = $5 \
             WHERE v.org_id = $1 AND v.membership = 'active' AND v.overdue_at > $2 AND v.overdue_at <= $3 \
             AND v.overdue_at <= $4 AND v.health IS NOT NULL ORDER BY v.overdue_at, v.id LIMIT $6");
        let query = query.bind(org).bind(since).bind(until).bind(now).bind(site_key).bind(AT_ONCE);
        for row in tx.fetch_all(query).await? {
            missing.push(missing_device(org, &row)?);
        }
    }
    missing.sort_by_key(|device| device.overdue_at);
    cut(&mut missing);
    Ok(missing)
}

/// Keeps the first ones, but never half of those of one moment: the next look begins after it.
fn cut(missing: &mut Vec<Missing>) {
    let most = AT_ONCE as usize;
    if missing.len() <= most {
        return;
    }
    let last = missing[most].overdue_at;
    let whole = missing.iter().position(|device| device.overdue_at == last).unwrap_or(most);
    if whole > 0 {
        missing.truncate(whole);
    }
}

fn missing_device(org: OrganizationId, row: &Row) -> Result<Missing> {
    Ok(Missing {
        device: DeviceId(row.get("id")?),
        org,
        overdue_at: row.time("overdue_at")?,
        site: row.get("site")?,
    })
}

/// Tells of the sites that are gone as a whole; how many.
async fn note_sites(tx: &mut Tx, key: &str, missing: &[Missing], now: Timestamp) -> Result<usize> {
    let mut began: BTreeMap<(OrganizationId, &str), Timestamp> = BTreeMap::new();
    for device in missing {
        if let Some(value) = &device.site {
            began.entry((device.org, value)).or_insert(device.overdue_at);
        }
    }
    let mut gone = 0;
    for ((org, value), began_at) in began {
        let site = site(tx, org, key, value, now).await?;
        if site.devices < MIN_SITE_DEVICES || site.offline * 100 < site.devices * GONE_PCT {
            continue;
        }
        let query = sql(
            "INSERT INTO site_outages (org_id, key, value, began_at, devices) VALUES ($1, $2, $3, $4, $5) \
                         ON CONFLICT (org_id, key, value) DO NOTHING",
        );
        let query = query.bind(org).bind(key).bind(value).bind(began_at).bind(site.offline);
        if tx.execute(query).await? == 0 {
            continue;
        }
        let event = NewEvent::new(EventKind::SiteOffline).with("key", key).with("value", value);
        let event = event.with("devices", site.devices).with("offline", site.offline);
        record_event(tx, org, &event, began_at).await?;
        gone += 1;
    }
    Ok(gone)
}

async fn site(tx: &mut Tx, org: OrganizationId, key: &str, value: &str, now: Timestamp) -> Result<Site> {
    let query = sql(
        "SELECT COUNT(*) AS devices, COALESCE(SUM(CASE WHEN v.overdue_at <= $4 THEN 1 ELSE 0 END), 0) AS offline \
         FROM device_tags t JOIN devices v ON v.id = t.device_id WHERE t.org_id = $1 AND t.key = $2 AND t.value = $3 \
         AND v.membership = 'active' AND v.health IS NOT NULL",
    );
    let row = tx.fetch_one(query.bind(org).bind(key).bind(value).bind(now)).await?;
    Ok(Site { devices: row.count("devices")?, offline: row.count("offline")? })
}

async fn note_offline(tx: &mut Tx, key: &str, missing: &Missing) -> Result<()> {
    let event = NewEvent::new(EventKind::DeviceOffline).device(missing.device);
    match &missing.site {
        Some(value) if is_gone(tx, missing.org, key, value).await? => {
            let event = event.with("site", value.as_str());
            record_detail(tx, missing.org, &event, missing.overdue_at).await
        }
        _ => record_event(tx, missing.org, &event, missing.overdue_at).await,
    }
}

async fn is_gone(tx: &mut Tx, org: OrganizationId, key: &str, value: &str) -> Result<bool> {
    let query = sql("SELECT began_at FROM site_outages WHERE org_id = $1 AND key = $2 AND value = $3");
    Ok(tx.fetch_optional(query.bind(org).bind(key).bind(value)).await?.is_some())
}

/// Whether a device's site is gone as a whole, so that its return is part of the site's.
pub(crate) async fn site_is_gone(tx: &mut Tx, org: OrganizationId, device: DeviceId) -> Result<bool> {
    let query = sql(
        "SELECT o.began_at FROM site_outages o JOIN device_tags t ON t.org_id = o.org_id AND t.key = o.key AND t.value = o.value \
         WHERE t.device_id = $2 AND o.org_id = $1 LIMIT 1",
    );
    Ok(tx.fetch_optional(query.bind(org).bind(device)).await?.is_some())
}
