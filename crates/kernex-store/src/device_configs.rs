//! Versions of a device's configuration. Version 1 is the default and has no row.

use kernex_core::{DeviceConfig, DeviceId, EventKind, OrganizationId, Timestamp};
use serde_json::json;

use crate::{
    NewEvent, Result, Store,
    audit::Change,
    events::record_event,
    sql::{Row, Run, Tx, sql, to_json},
};

/// Most versions that a list gives; older ones can still be asked for by number.
const MAX_LISTED: u32 = 200;

/// One version.
#[derive(Clone, Debug, PartialEq)]
pub struct ConfigVersionRecord {
    /// Which version, from 1.
    pub version: u64,
    /// The values.
    pub config: DeviceConfig,
    /// Who made it; the default has nobody.
    pub created_by: Option<String>,
    /// When it was made; the default has no time.
    pub created_at: Option<Timestamp>,
}

impl ConfigVersionRecord {
    fn default_config() -> Self {
        Self { version: 1, config: DeviceConfig::default(), created_by: None, created_at: None }
    }
}

impl Store {
    /// The wanted configuration of a device, if the device exists.
    pub async fn find_config(
        &self,
        org: OrganizationId,
        id: DeviceId,
    ) -> Result<Option<ConfigVersionRecord>> {
        let query = sql("SELECT config_version FROM devices WHERE org_id = $1 AND id = $2");
        let Some(row) = self.reader().fetch_optional(query.bind(org).bind(id)).await? else {
            return Ok(None);
        };
        self.find_config_version(org, id, row.count("config_version")?).await
    }

    /// One version of a device's configuration.
    pub async fn find_config_version(
        &self,
        org: OrganizationId,
        id: DeviceId,
        version: u64,
    ) -> Result<Option<ConfigVersionRecord>> {
        read_version(&mut self.reader(), org, id, version).await
    }

    /// Every version of a device's configuration, newest first.
    pub async fn list_config_versions(
        &self,
        org: OrganizationId,
        id: DeviceId,
    ) -> Result<Vec<ConfigVersionRecord>> {
        let query = sql("SELECT version, config, created_by, created_at FROM device_configs \
                         WHERE org_id = $1 AND device_id = $2 ORDER BY version DESC LIMIT $3");
        let rows = self.reader().fetch_all(query.bind(org).bind(id).bind(MAX_LISTED)).await?;
        let mut versions: Vec<_> = rows.iter().map(version_record).collect::<Result<_>>()?;
        if versions.len() < MAX_LISTED as usize {
            versions.push(ConfigVersionRecord::default_config());
        }
        Ok(versions)
    }

    /// Makes the next version from the present one, in one transaction: changes made at the same time get a version each, and
    /// the later one builds on the earlier. `change` may refuse; then nothing is stored.
    pub async fn change_config<E>(
        &self,
        org: OrganizationId,
        id: DeviceId,
        by: &str,
        now: Timestamp,
        change: impl FnOnce(&DeviceConfig) -> std::result::Result<DeviceConfig, E>,
    ) -> Result<Option<std::result::Result<ConfigVersionRecord, E>>> {
        let mut tx = self.begin().await?;
        let raise =
            sql("UPDATE devices SET config_version = config_version + 1 WHERE org_id = $1 AND id = $2 \
                         RETURNING config_version");
        let Some(row) = tx.fetch_optional(raise.bind(org).bind(id)).await? else { return Ok(None) };
        let version = row.count("config_version")?;
        let Some(before) = read_version(&mut tx, org, id, version - 1).await? else { return Ok(None) };
        let config = match change(&before.config) {
            Ok(config) => config,
            Err(refusal) => return Ok(Some(Err(refusal))),
        };
        insert_version(&mut tx, org, id, version, &config, by, now).await?;
        let change = Change::of(org, "device", id);
        let change = change.before(json!({"config_version": before.version, "config": before.config}));
        tx.note(change.after(json!({"config_version": version, "config": config})));
        let event = NewEvent::new(EventKind::ConfigChanged).device(id).by(by).with("version", version);
        record_event(&mut tx, org, &event, now).await?;
        tx.commit().await?;
        Ok(Some(Ok(ConfigVersionRecord {
            version,
            config,
            created_by: Some(by.to_owned()),
            created_at: Some(now),
        })))
    }
}

pub(crate) async fn read_version(
    run: &mut impl Run,
    org: OrganizationId,
    id: DeviceId,
    version: u64,
) -> Result<Option<ConfigVersionRecord>> {
    if version == 1 {
        return Ok(Some(ConfigVersionRecord::default_config()));
    }
    let query = sql("SELECT version, config, created_by, created_at FROM device_configs \
                     WHERE org_id = $1 AND device_id = $2 AND version = $3");
    let row = run.fetch_optional(query.bind(org).bind(id).bind(version)).await?;
    row.map(|row| version_record(&row)).transpose()
}

async fn insert_version(
    tx: &mut Tx,
    org: OrganizationId,
    id: DeviceId,
    version: u64,
    config: &DeviceConfig,
    by: &str,
    now: Timestamp,
) -> Result<()> {
    let interval =
        sql("UPDATE devices SET polling_interval = $3 WHERE org_id = $1 AND id = $2").bind(org).bind(id);
    tx.execute(interval.bind(config.polling_interval)).await?;
    let query =
        sql("INSERT INTO device_configs (device_id, version, org_id, config, created_by, created_at) \
                     VALUES ($1, $2, $3, $4, $5, $6)");
    tx.execute(query.bind(id).bind(version).bind(org).bind(to_json(config)?).bind(by).bind(now)).await?;
    Ok(())
}

fn version_record(row: &Row) -> Result<ConfigVersionRecord> {
    Ok(ConfigVersionRecord {
        version: row.count("version")?,
        config: row.json("config")?,
        created_by: Some(row.get("created_by")?),
        created_at: Some(row.time("created_at")?),
    })
}
