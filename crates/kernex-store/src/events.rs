//! Events: what happened, for people and programs that watch. Written in the transaction that makes it happen.
//!
//! An event has a number, `seq`, that is given after its transaction has ended, under one lock: whoever has read up to a number
//! has read everything below it, on any replica. (Numbers given inside the transactions would become visible out of order.)

use kernex_core::{BundleId, DeploymentId, DeviceId, EventKind, OrganizationId, Timestamp};
use serde_json::{Map, Value as Json};

use crate::{
    Result, Store,
    sql::{Query, Row, Run, Tx, Value, built, sql, to_json},
};

/// Something that happened.
#[derive(Clone, Debug)]
pub struct NewEvent {
    /// What.
    pub kind: EventKind,
    /// To which device.
    pub device_id: Option<DeviceId>,
    /// In which deployment.
    pub deployment_id: Option<DeploymentId>,
    /// Who did it; `None` for a device and for the control plane itself.
    pub actor: Option<String>,
    /// More about it; small, and without secrets.
    pub data: Map<String, Json>,
}

impl NewEvent {
    /// An event about nothing in particular yet.
    pub fn new(kind: EventKind) -> Self {
        Self { kind, device_id: None, deployment_id: None, actor: None, data: Map::new() }
    }

    /// About a device.
    #[must_use]
    pub fn device(self, id: DeviceId) -> Self {
        Self { device_id: Some(id), ..self }
    }

    /// About a deployment.
    #[must_use]
    pub fn deployment(self, id: DeploymentId) -> Self {
        Self { deployment_id: Some(id), ..self }
    }

    /// About a bundle.
    #[must_use]
    pub fn bundle(self, id: BundleId) -> Self {
        self.with("bundle_id", id.to_string())
    }

    /// Done by somebody.
    #[must_use]
    pub fn by(self, actor: &str) -> Self {
        Self { actor: Some(actor.to_owned()), ..self }
    }

    /// With a fact more.
    #[must_use]
    pub fn with(mut self, key: &str, value: impl Into<Json>) -> Self {
        self.data.insert(key.to_owned(), value.into());
        self
    }
}

/// An event as it is read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EventRecord {
    /// Its number, which grows in the order in which events became visible.
    pub seq: u64,
    /// Whose it is.
    pub org_id: OrganizationId,
    /// What happened.
    pub kind: EventKind,
    /// When.
    pub occurred_at: Timestamp,
    /// To which device.
    pub device_id: Option<DeviceId>,
    /// In which deployment.
    pub deployment_id: Option<DeploymentId>,
    /// Who did it.
    pub actor: Option<String>,
    /// More about it.
    pub data: Map<String, Json>,
}

/// Which events to read.
#[derive(Clone, Debug, Default)]
pub struct EventFilter {
    /// Only about this device.
    pub device_id: Option<DeviceId>,
    /// Only about this deployment.
    pub deployment_id: Option<DeploymentId>,
    /// Only of these kinds; all when empty.
    pub kinds: Vec<EventKind>,
}

const COLUMNS: &str = "seq, org_id, kind, occurred_at, device_id, deployment_id, actor, data";
/// Events that get their numbers at once.
const NUMBERED_AT_ONCE: u32 = 1_000;

/// Notes what happens in this transaction.
pub(crate) async fn record_event(
    tx: &mut Tx,
    org: OrganizationId,
    event: &NewEvent,
    now: Timestamp,
) -> Result<()> {
    insert(tx, org, event, false, now).await
}

/// Notes what another event tells for many devices at once: it stands in the device's timeline only.
pub(crate) async fn record_detail(
    tx: &mut Tx,
    org: OrganizationId,
    event: &NewEvent,
    now: Timestamp,
) -> Result<()> {
    insert(tx, org, event, true, now).await
}

async fn insert(
    tx: &mut Tx,
    org: OrganizationId,
    event: &NewEvent,
    is_detail: bool,
    now: Timestamp,
) -> Result<()> {
    let query = sql(
        "INSERT INTO events (org_id, kind, occurred_at, device_id, deployment_id, actor, data, is_detail) \
                     VALUES ($1, $2, $3, $4, $5, $6, $7, $8)",
    );
    let query = query.bind(org).bind(event.kind.as_str()).bind(now);
    let query = query.bind(event.device_id.map(|id| id.0)).bind(event.deployment_id.map(|id| id.0));
    let query = query.bind(event.actor.clone()).bind(to_json(&event.data)?);
    tx.execute(query.bind(u32::from(is_detail))).await?;
    Ok(())
}

impl Store {
    /// Notes something that no other change goes with.
    pub async fn record_event(&self, org: OrganizationId, event: &NewEvent, now: Timestamp) -> Result<()> {
        let mut tx = self.begin().await?;
        record_event(&mut tx, org, event, now).await?;
        tx.commit().await
    }

    /// Gives numbers to events that have none yet; how many. Readers call it before they read.
    pub async fn number_events(&self) -> Result<u64> {
        let waiting = sql("SELECT id FROM events WHERE seq IS NULL LIMIT 1");
        if self.reader().fetch_optional(waiting).await?.is_none() {
            return Ok(0);
        }
        let mut tx = self.begin().await?;
        let lock = format!("SELECT last_seq FROM event_counter WHERE id = 1{}", tx.dialect().for_update());
        let last: i64 = tx.fetch_one(built(lock)).await?.get("last_seq")?;
        let numbered = number_batch(&mut tx, last).await?;
        let raise = sql("UPDATE event_counter SET last_seq = last_seq + $1 WHERE id = 1").bind(numbered);
        tx.execute(raise).await?;
        tx.commit_unrecorded().await?;
        Ok(numbered)
    }

    /// The number of the latest event.
    pub async fn last_event_seq(&self) -> Result<u64> {
        self.reader()
            .fetch_one(sql("SELECT last_seq FROM event_counter WHERE id = 1"))
            .await?
            .count("last_seq")
    }

    /// The number of the oldest event that is still there.
    pub async fn oldest_event_seq(&self) -> Result<Option<u64>> {
        let query = sql("SELECT seq FROM events WHERE seq IS NOT NULL ORDER BY id LIMIT 1");
        self.reader().fetch_optional(query).await?.map(|row| row.count("seq")).transpose()
    }

    /// Events of an organisation after a number, oldest first.
    pub async fn list_events_after(
        &self,
        org: OrganizationId,
        filter: &EventFilter,
        after: u64,
        limit: u32,
    ) -> Result<Vec<EventRecord>> {
        list_after(&mut self.reader(), org, filter, after, limit).await
    }

    /// Events of an organisation before a number, newest first.
    pub async fn list_events_before(
        &self,
        org: OrganizationId,
        filter: &EventFilter,
        before: Option<u64>,
        limit: u32,
    ) -> Result<Vec<EventRecord>> {
        let before = before.unwrap_or(u64::MAX);
        list_where(&mut self.reader(), org, filter, ("seq < $2", before, "seq DESC"), limit).await
    }

    /// Removes the oldest events that are older than a point in time, a bounded number at a time; how many.
    pub async fn prune_events(&self, before: Timestamp, limit: u32) -> Result<u64> {
        let mut tx = self.begin().await?;
        let query = sql("DELETE FROM events WHERE id IN (SELECT id FROM events ORDER BY id LIMIT $2) \
                         AND occurred_at < $1 AND seq IS NOT NULL");
        let pruned = tx.execute(query.bind(before).bind(limit)).await?;
        tx.commit().await?;
        Ok(pruned)
    }
}

/// Events of an organisation after a number, oldest first, inside or outside a transaction.
pub(crate) async fn list_after(
    run: &mut impl Run,
    org: OrganizationId,
    filter: &EventFilter,
    after: u64,
    limit: u32,
) -> Result<Vec<EventRecord>> {
    list_where(run, org, filter, ("seq > $2", after, "seq"), limit).await
}

/// Details are read only by who asks for one device.
async fn list_where(
    run: &mut impl Run,
    org: OrganizationId,
    filter: &EventFilter,
    (condition, bound, order): (&str, u64, &str),
    limit: u32,
) -> Result<Vec<EventRecord>> {
    let mut text = format!("SELECT {COLUMNS} FROM events WHERE org_id = $1 AND {condition}");
    let mut values: Vec<Value> = vec![org.into(), bound.into(), limit.into()];
    if filter.device_id.is_none() {
        text += " AND is_detail = 0";
    }
    let ids = [
        ("device_id", filter.device_id.map(|id| id.0)),
        ("deployment_id", filter.deployment_id.map(|id| id.0)),
    ];
    for (column, id) in ids.into_iter().filter_map(|(column, id)| Some((column, id?))) {
        values.push(id.into());
        text += &format!(" AND {column} = ${}", values.len());
    }
    if !filter.kinds.is_empty() {
        let first = values.len() + 1;
        values.extend(filter.kinds.iter().map(|kind| Value::from(kind.as_str())));
        let places: Vec<String> = (first..=values.len()).map(|place| format!("${place}")).collect();
        text += &format!(" AND kind IN ({})", places.join(", "));
    }
    text += &format!(" ORDER BY {order} LIMIT $3");
    run.fetch_all(values.into_iter().fold(built(text), Query::bind)).await?.iter().map(event).collect()
}

/// The waiting events in the order in which they were written.
async fn number_batch(tx: &mut Tx, last: i64) -> Result<u64> {
    let number = sql(
        "UPDATE events SET seq = $1 + waiting.place FROM (SELECT id, ROW_NUMBER() OVER (ORDER BY id) AS place \
         FROM events WHERE seq IS NULL ORDER BY id LIMIT $2) waiting WHERE waiting.id = events.id",
    );
    tx.execute(number.bind(last).bind(NUMBERED_AT_ONCE)).await
}

fn event(row: &Row) -> Result<EventRecord> {
    Ok(EventRecord {
        seq: row.count("seq")?,
        org_id: OrganizationId(row.get("org_id")?),
        kind: row.parse("kind")?,
        occurred_at: row.time("occurred_at")?,
        device_id: row.get::<Option<uuid::Uuid>>("device_id")?.map(DeviceId),
        deployment_id: row.get::<Option<uuid::Uuid>>("deployment_id")?.map(DeploymentId),
        actor: row.get("actor")?,
        data: row.json("data")?,
    })
}
