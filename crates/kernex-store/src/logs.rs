//! Lines that devices ship.

use kernex_core::{DeviceId, LogLevel, OrganizationId, Timestamp};
use serde_json::{Map, Value as Json};

use crate::{
    RequestCounter, Result, Store,
    heartbeats::accept_request,
    sql::{Row, Run, built, sql, to_json},
};

/// A line to be stored.
#[derive(Clone, Debug)]
pub struct NewLogEntry {
    /// How serious.
    pub level: LogLevel,
    /// The line.
    pub message: String,
    /// More about it.
    pub fields: Option<Map<String, Json>>,
    /// When, by the device's clock.
    pub logged_at: Timestamp,
}

/// One stored line.
#[derive(Clone, Debug)]
pub struct LogRecord {
    /// Its number; later lines have greater ones.
    pub id: i64,
    /// The device.
    pub device_id: DeviceId,
    /// How serious.
    pub level: LogLevel,
    /// The line.
    pub message: String,
    /// More about it.
    pub fields: Option<Map<String, Json>>,
    /// When, by the device's clock.
    pub logged_at: Timestamp,
    /// When it was stored.
    pub received_at: Timestamp,
}

const LEVELS: [LogLevel; 5] =
    [LogLevel::Trace, LogLevel::Debug, LogLevel::Info, LogLevel::Warn, LogLevel::Error];

impl Store {
    /// Stores a batch of lines of the device that signed the request.
    pub async fn add_logs(
        &self,
        counter: &RequestCounter,
        entries: &[NewLogEntry],
        now: Timestamp,
    ) -> Result<()> {
        let mut tx = self.begin().await?;
        accept_request(&mut tx, counter).await?;
        for entry in entries {
            let query = sql(
                "INSERT INTO log_entries (org_id, device_id, level, message, fields, logged_at, received_at) \
                             VALUES ($1, $2, $3, $4, $5, $6, $7)",
            );
            let query = query.bind(counter.org_id).bind(counter.device_id).bind(rank(entry.level));
            let fields = entry.fields.as_ref().map(to_json).transpose()?;
            let query = query.bind(entry.message.as_str()).bind(fields).bind(entry.logged_at).bind(now);
            tx.execute(query).await?;
        }
        tx.commit().await
    }

    /// One page of lines, newest first: of one device or of all, of a level or more serious ones.
    pub async fn list_logs(
        &self,
        org: OrganizationId,
        device: Option<DeviceId>,
        level: Option<LogLevel>,
        before: Option<i64>,
        limit: u32,
    ) -> Result<Vec<LogRecord>> {
        let of_device = if device.is_some() { " AND device_id = $5" } else { "" };
        let text = format!(
            "SELECT id, device_id, level, message, fields, logged_at, received_at FROM log_entries \
             WHERE org_id = $1 AND level >= $2 AND id < $3{of_device} ORDER BY id DESC LIMIT $4"
        );
        let query =
            built(text).bind(org).bind(level.map_or(0, rank)).bind(before.unwrap_or(i64::MAX)).bind(limit);
        let query = match device {
            Some(device) => query.bind(device),
            None => query,
        };
        self.reader().fetch_all(query).await?.iter().map(record).collect()
    }

    /// Removes the oldest lines that are older than a point in time, a bounded number at a time; how many.
    pub async fn prune_logs(&self, before: Timestamp, limit: u32) -> Result<u64> {
        let mut tx = self.begin().await?;
        let query =
            sql("DELETE FROM log_entries WHERE id IN (SELECT id FROM log_entries ORDER BY id LIMIT $2) \
                         AND received_at < $1");
        let pruned = tx.execute(query.bind(before).bind(limit)).await?;
        tx.commit().await?;
        Ok(pruned)
    }
}

fn rank(level: LogLevel) -> i64 {
    LEVELS.iter().position(|known| *known == level).map_or(0, |rank| rank as i64)
}

fn record(row: &Row) -> Result<LogRecord> {
    let fields: Option<String> = row.get("fields")?;
    let level = usize::try_from(row.get::<i64>("level")?).unwrap_or(0).min(LEVELS.len() - 1);
    Ok(LogRecord {
        id: row.get("id")?,
        device_id: DeviceId(row.get("device_id")?),
        level: LEVELS[level],
        message: row.get("message")?,
        fields: if fields.is_some() { row.json("fields")? } else { None },
        logged_at: row.time("logged_at")?,
        received_at: row.time("received_at")?,
    })
}
