//! A device's timeline: its events and every step of every attempt, newest first.

use std::{fmt, str::FromStr};

use kernex_core::{
    BundleName, BundleVersion, DeploymentId, DeploymentKind, DeviceId, OrganizationId, TargetState, Timestamp,
};
use serde_json::{Map, Value as Json};

use crate::{
    Result, Store,
    sql::{Row, Run, sql},
};

/// One line.
#[derive(Clone, Debug, PartialEq)]
pub enum TimelineRecord {
    /// An event about the device.
    Event {
        /// When.
        at: Timestamp,
        /// What.
        kind: String,
        /// In which deployment.
        deployment_id: Option<DeploymentId>,
        /// Who did it.
        actor: Option<String>,
        /// More about it.
        data: Map<String, Json>,
    },
    /// A step of an attempt.
    Step {
        /// When.
        at: Timestamp,
        /// The state that the target took.
        state: TargetState,
        /// The attempt.
        attempt: u32,
        /// The deployment.
        deployment_id: DeploymentId,
        /// Deploy or rollback.
        kind: DeploymentKind,
        /// The bundle's name.
        bundle_name: BundleName,
        /// The bundle's version.
        bundle_version: BundleVersion,
        /// Who made the deployment.
        created_by: String,
        /// Why it failed, for a program.
        error_code: Option<String>,
        /// Why it failed, for a person.
        error_message: Option<String>,
    },
}

impl TimelineRecord {
    fn at(&self) -> Timestamp {
        match self {
            Self::Event { at, .. } | Self::Step { at, .. } => *at,
        }
    }
}

/// Where a page begins: the last event and the last step of the page before it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TimelineCursor {
    event: (i64, i64),
    step: (i64, i64),
}

impl TimelineCursor {
    const BEGIN: Self = Self { event: (i64::MAX, i64::MAX), step: (i64::MAX, i64::MAX) };
}

impl fmt::Display for TimelineCursor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}.{}.{}", self.event.0, self.event.1, self.step.0, self.step.1)
    }
}

impl FromStr for TimelineCursor {
    type Err = std::num::ParseIntError;
    fn from_str(text: &str) -> std::result::Result<Self, Self::Err> {
        let mut parts = text.splitn(4, '.');
        let mut next = || parts.next().unwrap_or("").parse::<i64>();
        Ok(Self { event: (next()?, next()?), step: (next()?, next()?) })
    }
}

/// Outcomes are steps already.
const NOT_TWICE: &str = "'target.succeeded', 'target.failed', 'target.rolled_back', 'target.timed_out'";

impl Store {
    /// One page of a device's timeline, and where the next one begins if there is one.
    pub async fn timeline(
        &self,
        org: OrganizationId,
        device: DeviceId,
        from: Option<TimelineCursor>,
        limit: u32,
    ) -> Result<(Vec<TimelineRecord>, Option<TimelineCursor>)> {
        let mut cursor = from.unwrap_or(TimelineCursor::BEGIN);
        let events = self.timeline_events(org, device, cursor.event, limit).await?;
        let steps = self.timeline_steps(org, device, cursor.step, limit).await?;
        let (mut events, mut steps) = (events.into_iter().peekable(), steps.into_iter().peekable());
        let mut page = Vec::new();
        while page.len() < limit as usize {
            let event_is_newer = match (events.peek(), steps.peek()) {
                (Some((_, event)), Some((_, step))) => event.at() >= step.at(),
                (Some(_), None) => true,
                (None, Some(_)) => false,
                (None, None) => break,
            };
            let (source, place) = if event_is_newer {
                (&mut events, &mut cursor.event)
            } else {
                (&mut steps, &mut cursor.step)
            };
            if let Some((id, record)) = source.next() {
                *place = (record.at().as_millis(), id);
                page.push(record);
            }
        }
        let more = events.peek().is_some() || steps.peek().is_some() || page.len() == limit as usize;
        Ok((page, more.then_some(cursor)))
    }

    async fn timeline_events(
        &self,
        org: OrganizationId,
        device: DeviceId,
        before: (i64, i64),
        limit: u32,
    ) -> Result<Vec<(i64, TimelineRecord)>> {
        let text = format!(
            "SELECT id, occurred_at, kind, deployment_id, actor, data FROM events WHERE device_id = $2 AND org_id = $1 \
             AND (occurred_at, id) < ($3, $4) AND kind NOT IN ({NOT_TWICE}) ORDER BY occurred_at DESC, id DESC LIMIT $5"
        );
        let query = crate::sql::built(text).bind(org).bind(device).bind(before.0).bind(before.1).bind(limit);
        self.reader().fetch_all(query).await?.iter().map(event).collect()
    }

    async fn timeline_steps(
        &self,
        org: OrganizationId,
        device: DeviceId,
        before: (i64, i64),
        limit: u32,
    ) -> Result<Vec<(i64, TimelineRecord)>> {
        let query = sql(
            "SELECT s.id, s.happened_at, s.state, s.attempt, s.deployment_id, s.error_code, s.error_message, d.kind, \
             d.bundle_name, d.bundle_version, d.created_by FROM target_steps s JOIN deployments d ON d.id = s.deployment_id \
             WHERE s.device_id = $2 AND s.org_id = $1 AND (s.happened_at, s.id) < ($3, $4) \
             ORDER BY s.happened_at DESC, s.id DESC LIMIT $5",
        );
        let query = query.bind(org).bind(device).bind(before.0).bind(before.1).bind(limit);
        self.reader().fetch_all(query).await?.iter().map(step).collect()
    }

    /// Removes the oldest steps that are older than a point in time, a bounded number at a time; how many.
    pub async fn prune_target_steps(&self, before: Timestamp, limit: u32) -> Result<u64> {
        let mut tx = self.begin().await?;
        let query =
            sql("DELETE FROM target_steps WHERE id IN (SELECT id FROM target_steps ORDER BY id LIMIT $2) \
                         AND happened_at < $1");
        let pruned = tx.execute(query.bind(before).bind(limit)).await?;
        tx.commit().await?;
        Ok(pruned)
    }
}

fn event(row: &Row) -> Result<(i64, TimelineRecord)> {
    let record = TimelineRecord::Event {
        at: row.time("occurred_at")?,
        kind: row.get("kind")?,
        deployment_id: row.get::<Option<uuid::Uuid>>("deployment_id")?.map(DeploymentId),
        actor: row.get("actor")?,
        data: row.json("data")?,
    };
    Ok((row.get("id")?, record))
}

fn step(row: &Row) -> Result<(i64, TimelineRecord)> {
    let record = TimelineRecord::Step {
        at: row.time("happened_at")?,
        state: row.parse("state")?,
        attempt: u32::try_from(row.count("attempt")?).unwrap_or(u32::MAX),
        deployment_id: DeploymentId(row.get("deployment_id")?),
        kind: row.parse("kind")?,
        bundle_name: row.parse("bundle_name")?,
        bundle_version: row.parse("bundle_version")?,
        created_by: row.get("created_by")?,
        error_code: row.get("error_code")?,
        error_message: row.get("error_message")?,
    };
    Ok((row.get("id")?, record))
}
