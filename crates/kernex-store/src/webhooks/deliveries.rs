//! What is sent to webhooks: made of events, taken, settled, sent again.

use kernex_core::{EventKind, OrganizationId, Timestamp, WebhookDeliveryId, WebhookId};

use super::{WebhookRecord, webhook};
use crate::{
    EventFilter, EventRecord, NewEvent, Result, Store,
    audit::Change,
    events::record_event,
    sql::{Row, Run, Tx, built, sql},
};

/// Events that one webhook gets its deliveries for at once.
const EVENTS_AT_ONCE: u32 = 500;
/// While somebody sends a delivery, nobody else tries for so long.
const TAKEN_MILLIS: i64 = 60_000;
/// Waits after each failed attempt; after the last one the delivery has failed.
const BACKOFF_SECS: [i64; 9] = [10, 30, 120, 600, 1_800, 3_600, 3 * 3_600, 6 * 3_600, 12 * 3_600];
/// A webhook that nothing got through to for so long is switched off.
const DISABLED_AFTER_MILLIS: i64 = 3 * 24 * 3_600 * 1_000;
const MAX_ERROR_CHARS: usize = 300;

/// One delivery as the log shows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeliveryRecord {
    /// Its id.
    pub id: WebhookDeliveryId,
    /// The event's number.
    pub event_seq: u64,
    /// What happened.
    pub kind: EventKind,
    /// What is sent.
    pub body: String,
    /// `pending`, `delivered` or `failed`.
    pub state: String,
    /// How often it was tried.
    pub attempts: u32,
    /// When it is tried next.
    pub due_at: Option<Timestamp>,
    /// When it was last tried.
    pub last_attempt_at: Option<Timestamp>,
    /// The last answer's status.
    pub last_status: Option<i64>,
    /// Why the last attempt failed.
    pub last_error: Option<String>,
    /// How long the last attempt took.
    pub duration_ms: Option<i64>,
    /// When it was made.
    pub created_at: Timestamp,
}

/// A delivery to be sent now, by whoever took it.
#[derive(Clone, Debug)]
pub struct DueDelivery {
    /// The delivery.
    pub delivery: DeliveryRecord,
    /// Where to.
    pub webhook: WebhookRecord,
    /// Whose it is.
    pub org_id: OrganizationId,
}

/// What became of an attempt.
#[derive(Clone, Debug)]
pub struct Attempt {
    /// The answer's status, if there was one.
    pub status: Option<u16>,
    /// Why it failed; `None` when it got through.
    pub error: Option<String>,
    /// How long it took.
    pub duration_ms: u64,
}

const COLUMNS: &str = "d.id, d.event_seq, d.kind, d.body, d.state, d.attempts, d.due_at, d.last_attempt_at, d.last_status, \
     d.last_error, d.duration_ms, d.created_at";

impl Store {
    /// Makes deliveries of events that happened since the last time; how many. `body` writes what is sent.
    pub async fn make_deliveries(
        &self,
        now: Timestamp,
        body: impl Fn(&EventRecord) -> String,
    ) -> Result<usize> {
        self.number_events().await?;
        let last = self.last_event_seq().await?;
        let behind = sql(
            "SELECT id, org_id FROM webhooks WHERE is_enabled = 1 AND last_seq < $1 ORDER BY last_seq LIMIT 50",
        );
        let mut made = 0;
        for row in self.reader().fetch_all(behind.bind(last)).await? {
            let (id, org) = (WebhookId(row.get("id")?), OrganizationId(row.get("org_id")?));
            made += self.make_deliveries_of(org, id, now, &body).await?;
        }
        Ok(made)
    }

    async fn make_deliveries_of(
        &self,
        org: OrganizationId,
        id: WebhookId,
        now: Timestamp,
        body: &impl Fn(&EventRecord) -> String,
    ) -> Result<usize> {
        let mut tx = self.begin().await?;
        let text = format!(
            "SELECT kinds, last_seq FROM webhooks WHERE id = $1 AND is_enabled = 1{}",
            tx.dialect().for_update()
        );
        let Some(row) = tx.fetch_optional(built(text).bind(id)).await? else { return Ok(0) };
        let kinds: Vec<EventKind> = row.json("kinds")?;
        let after = row.count("last_seq")?;
        let events =
            crate::events::list_after(&mut tx, org, &EventFilter::default(), after, EVENTS_AT_ONCE).await?;
        let mut made = 0;
        for event in events.iter().filter(|event| kinds.is_empty() || kinds.contains(&event.kind)) {
            let query = sql(
                "INSERT INTO webhook_deliveries (id, webhook_id, org_id, event_seq, kind, body, state, attempts, due_at, created_at) \
                 VALUES ($1, $2, $3, $4, $5, $6, 'pending', 0, $7, $7)",
            );
            let query = query.bind(WebhookDeliveryId::generate(now)).bind(id).bind(org).bind(event.seq);
            tx.execute(query.bind(event.kind.as_str()).bind(body(event)).bind(now)).await?;
            made += 1;
        }
        // Without events of its own, the webhook is up to date with those of the others.
        let seen = match events.last() {
            Some(last) => sql("UPDATE webhooks SET last_seq = $2 WHERE id = $1").bind(id).bind(last.seq),
            None => sql("UPDATE webhooks SET last_seq = (SELECT last_seq FROM event_counter WHERE id = 1) WHERE id = $1 AND last_seq = $2").bind(id).bind(after),
        };
        tx.execute(seen).await?;
        tx.commit().await?;
        Ok(made)
    }

    /// Takes deliveries that are due, for a minute, the oldest first.
    pub async fn take_deliveries(&self, limit: u32, now: Timestamp) -> Result<Vec<DueDelivery>> {
        let mut tx = self.begin().await?;
        let text = format!(
            "SELECT {COLUMNS}, d.webhook_id, d.org_id FROM webhook_deliveries d JOIN webhooks w ON w.id = d.webhook_id \
             WHERE d.due_at <= $1 AND w.is_enabled = 1 ORDER BY d.due_at LIMIT $2{}",
            tx.dialect().for_update_of_free("d")
        );
        let rows = tx.fetch_all(built(text).bind(now).bind(limit)).await?;
        let mut taken = Vec::with_capacity(rows.len());
        for row in &rows {
            let delivery = delivery(row)?;
            let take = sql("UPDATE webhook_deliveries SET due_at = $2 WHERE id = $1").bind(delivery.id);
            tx.execute(take.bind(now.plus_millis(TAKEN_MILLIS))).await?;
            let text = format!("SELECT {} FROM webhooks WHERE id = $1", super::COLUMNS);
            let found = tx.fetch_one(built(text).bind(row.get::<uuid::Uuid>("webhook_id")?)).await?;
            let org_id = OrganizationId(row.get("org_id")?);
            taken.push(DueDelivery { delivery, webhook: webhook(&found)?, org_id });
        }
        tx.commit().await?;
        Ok(taken)
    }

    /// Notes what became of an attempt: done, to be tried again, or given up; and switches the webhook off when nothing has got
    /// through for too long. Gives whether it did.
    pub async fn settle_delivery(
        &self,
        due: &DueDelivery,
        attempt: &Attempt,
        now: Timestamp,
    ) -> Result<bool> {
        let mut tx = self.begin().await?;
        let tries = usize::try_from(due.delivery.attempts).unwrap_or(usize::MAX);
        let (state, due_at) = match (&attempt.error, BACKOFF_SECS.get(tries)) {
            (None, _) => ("delivered", None),
            (Some(_), Some(secs)) => ("pending", Some(now.plus_secs(*secs))),
            (Some(_), None) => ("failed", None),
        };
        let error = attempt.error.as_ref().map(|text| text.chars().take(MAX_ERROR_CHARS).collect::<String>());
        let query = sql(
            "UPDATE webhook_deliveries SET state = $2, due_at = $3, attempts = attempts + 1, last_attempt_at = $4, \
             last_status = $5, last_error = $6, duration_ms = $7 WHERE id = $1",
        );
        let query = query.bind(due.delivery.id).bind(state).bind(due_at).bind(now);
        let query = query.bind(attempt.status.map(i64::from)).bind(error).bind(attempt.duration_ms);
        tx.execute(query).await?;
        let disabled = note_health(&mut tx, due, attempt, now).await?;
        tx.commit().await?;
        Ok(disabled)
    }

    /// One page of a webhook's deliveries, newest first.
    pub async fn list_deliveries(
        &self,
        org: OrganizationId,
        webhook: WebhookId,
        before: Option<WebhookDeliveryId>,
        limit: u32,
    ) -> Result<Vec<DeliveryRecord>> {
        let text = format!(
            "SELECT {COLUMNS} FROM webhook_deliveries d WHERE d.org_id = $1 AND d.webhook_id = $2 AND d.id < $3 \
             ORDER BY d.id DESC LIMIT $4"
        );
        let before = before.unwrap_or(WebhookDeliveryId(uuid::Uuid::max()));
        let query = built(text).bind(org).bind(webhook).bind(before).bind(limit);
        self.reader().fetch_all(query).await?.iter().map(delivery).collect()
    }

    /// Sends a delivery once more, whatever became of it; whether it exists.
    pub async fn redeliver(
        &self,
        org: OrganizationId,
        webhook: WebhookId,
        id: WebhookDeliveryId,
        now: Timestamp,
    ) -> Result<bool> {
        let mut tx = self.begin().await?;
        let query = sql("UPDATE webhook_deliveries SET state = 'pending', attempts = 0, due_at = $4 \
             WHERE org_id = $1 AND webhook_id = $2 AND id = $3");
        if tx.execute(query.bind(org).bind(webhook).bind(id).bind(now)).await? == 0 {
            return Ok(false);
        }
        tx.note(Change::of(org, "webhook", webhook));
        tx.commit().await?;
        Ok(true)
    }

    /// Removes the oldest deliveries that were made before a point in time, a bounded number at a time; how many.
    pub async fn prune_deliveries(&self, before: Timestamp, limit: u32) -> Result<u64> {
        let mut tx = self.begin().await?;
        let query = sql("DELETE FROM webhook_deliveries WHERE id IN \
                         (SELECT id FROM webhook_deliveries WHERE created_at < $1 ORDER BY created_at LIMIT $2)");
        let pruned = tx.execute(query.bind(before).bind(limit)).await?;
        tx.commit().await?;
        Ok(pruned)
    }
}

async fn note_health(tx: &mut Tx, due: &DueDelivery, attempt: &Attempt, now: Timestamp) -> Result<bool> {
    let id = due.webhook.id;
    if attempt.error.is_none() {
        tx.execute(
            sql("UPDATE webhooks SET failing_since = NULL WHERE id = $1 AND failing_since IS NOT NULL")
                .bind(id),
        )
        .await?;
        return Ok(false);
    }
    let since = sql(
        "UPDATE webhooks SET failing_since = COALESCE(failing_since, $2) WHERE id = $1 RETURNING failing_since",
    );
    let Some(row) = tx.fetch_optional(since.bind(id).bind(now)).await? else { return Ok(false) };
    if now.millis_since(row.time("failing_since")?) < DISABLED_AFTER_MILLIS {
        return Ok(false);
    }
    let disable =
        sql("UPDATE webhooks SET is_enabled = 0, disabled_reason = $2 WHERE id = $1 AND is_enabled = 1");
    let reason = "nothing got through for three days";
    if tx.execute(disable.bind(id).bind(reason)).await? == 0 {
        return Ok(false);
    }
    let event =
        NewEvent::new(EventKind::WebhookDisabled).with("webhook_id", id.to_string()).with("reason", reason);
    record_event(tx, due.org_id, &event, now).await?;
    Ok(true)
}

fn delivery(row: &Row) -> Result<DeliveryRecord> {
    Ok(DeliveryRecord {
        id: WebhookDeliveryId(row.get("id")?),
        event_seq: row.count("event_seq")?,
        kind: row.parse("kind")?,
        body: row.get("body")?,
        state: row.get("state")?,
        attempts: u32::try_from(row.count("attempts")?).unwrap_or(u32::MAX),
        due_at: row.time_if_any("due_at")?,
        last_attempt_at: row.time_if_any("last_attempt_at")?,
        last_status: row.get("last_status")?,
        last_error: row.get("last_error")?,
        duration_ms: row.get("duration_ms")?,
        created_at: row.time("created_at")?,
    })
}
