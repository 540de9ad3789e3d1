//! Webhooks: addresses that are told of events, and the log of what was sent.
//!
//! Deliveries are rows. Making them moves the webhook's number in the same transaction, so that every event gets exactly one;
//! who sends one takes it for a while first, so that replicas share the work and nothing is sent twice at a time.

mod deliveries;

use kernex_core::{EventKind, OrganizationId, Timestamp, WebhookId};

use serde_json::{Value as Json, json};

use crate::{
    Result, Store,
    audit::Change,
    sql::{Row, Run, Tx, built, sql, to_json},
};

pub use deliveries::{Attempt, DeliveryRecord, DueDelivery};

/// Most webhooks of an organisation.
pub const MAX_WEBHOOKS: u32 = 100;

/// One webhook.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WebhookRecord {
    /// Its id.
    pub id: WebhookId,
    /// Where to send.
    pub url: String,
    /// What it is for.
    pub description: Option<String>,
    /// Which events; all when empty.
    pub kinds: Vec<EventKind>,
    /// From which its secret is derived.
    pub secret_nonce: String,
    /// Whether events are sent.
    pub is_enabled: bool,
    /// Why it was switched off, when that was not by somebody.
    pub disabled_reason: Option<String>,
    /// Since when nothing got through.
    pub failing_since: Option<Timestamp>,
    /// Who made it.
    pub created_by: String,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it was last changed.
    pub updated_at: Timestamp,
}

/// A change of a webhook; what is `None` stays.
#[derive(Clone, Debug, Default)]
pub struct WebhookUpdate {
    /// Another address.
    pub url: Option<String>,
    /// A description; `Some(None)` removes it.
    pub description: Option<Option<String>>,
    /// Other kinds of events.
    pub kinds: Option<Vec<EventKind>>,
    /// Switch it on or off; what happened meanwhile is not sent.
    pub is_enabled: Option<bool>,
    /// A new secret.
    pub secret_nonce: Option<String>,
}

pub(crate) const COLUMNS: &str = "id, url, description, kinds, secret_nonce, is_enabled, disabled_reason, failing_since, \
     created_by, created_at, updated_at";

impl Store {
    /// Makes a webhook, unless there are too many; it is told of what happens from now on.
    pub async fn create_webhook(&self, org: OrganizationId, new: &WebhookRecord) -> Result<bool> {
        self.number_events().await?;
        let mut tx = self.begin().await?;
        let found = sql("SELECT COUNT(*) AS found FROM webhooks WHERE org_id = $1").bind(org);
        if tx.fetch_one(found).await?.count("found")? >= u64::from(MAX_WEBHOOKS) {
            return Ok(false);
        }
        let query = sql(
            "INSERT INTO webhooks (id, org_id, url, description, kinds, secret_nonce, is_enabled, last_seq, created_by, \
             created_at, updated_at) SELECT $1, $2, $3, $4, $5, $6, $7, last_seq, $8, $9, $9 FROM event_counter WHERE id = 1",
        );
        let query = query.bind(new.id).bind(org).bind(new.url.as_str()).bind(new.description.clone());
        let query = query.bind(to_json(&new.kinds)?).bind(new.secret_nonce.as_str());
        let query = query.bind(u32::from(new.is_enabled)).bind(new.created_by.as_str());
        tx.execute(query.bind(new.created_at)).await?;
        tx.note(Change::of(org, "webhook", new.id).after(shown(new)));
        tx.commit().await?;
        Ok(true)
    }

    /// One webhook.
    pub async fn find_webhook(&self, org: OrganizationId, id: WebhookId) -> Result<Option<WebhookRecord>> {
        let text = format!("SELECT {COLUMNS} FROM webhooks WHERE org_id = $1 AND id = $2");
        let row = self.reader().fetch_optional(built(text).bind(org).bind(id)).await?;
        row.map(|row| webhook(&row)).transpose()
    }

    /// Every webhook of an organisation, newest first.
    pub async fn list_webhooks(&self, org: OrganizationId) -> Result<Vec<WebhookRecord>> {
        let text =
            format!("SELECT {COLUMNS} FROM webhooks WHERE org_id = $1 ORDER BY id DESC LIMIT {MAX_WEBHOOKS}");
        self.reader().fetch_all(built(text).bind(org)).await?.iter().map(webhook).collect()
    }

    /// Changes a webhook; gives it as it is then, if it exists.
    pub async fn update_webhook(
        &self,
        org: OrganizationId,
        id: WebhookId,
        update: &WebhookUpdate,
        now: Timestamp,
    ) -> Result<Option<WebhookRecord>> {
        let mut tx = self.begin().await?;
        let text = format!(
            "SELECT {COLUMNS} FROM webhooks WHERE org_id = $1 AND id = $2{}",
            tx.dialect().for_update()
        );
        let Some(row) = tx.fetch_optional(built(text).bind(org).bind(id)).await? else { return Ok(None) };
        let mut record = webhook(&row)?;
        let (was_enabled, before) = (record.is_enabled, shown(&record));
        if let Some(url) = &update.url {
            record.url.clone_from(url);
        }
        if let Some(description) = &update.description {
            record.description.clone_from(description);
        }
        if let Some(kinds) = &update.kinds {
            record.kinds.clone_from(kinds);
        }
        if let Some(nonce) = &update.secret_nonce {
            record.secret_nonce.clone_from(nonce);
        }
        if let Some(is_enabled) = update.is_enabled {
            record.is_enabled = is_enabled;
        }
        if record.is_enabled && !was_enabled {
            (record.disabled_reason, record.failing_since) = (None, None);
            let skip = sql(
                "UPDATE webhooks SET last_seq = (SELECT last_seq FROM event_counter WHERE id = 1) WHERE id = $1",
            );
            tx.execute(skip.bind(id)).await?;
        }
        record.updated_at = now;
        write(&mut tx, org, &record).await?;
        tx.note(Change::of(org, "webhook", id).before(before).after(shown(&record)));
        tx.commit().await?;
        Ok(Some(record))
    }

    /// Removes a webhook and its log; whether it was there.
    pub async fn delete_webhook(&self, org: OrganizationId, id: WebhookId) -> Result<bool> {
        let mut tx = self.begin().await?;
        let query = sql("DELETE FROM webhooks WHERE org_id = $1 AND id = $2").bind(org).bind(id);
        if tx.execute(query).await? == 0 {
            return Ok(false);
        }
        tx.note(Change::of(org, "webhook", id));
        tx.commit().await?;
        Ok(true)
    }
}

/// A webhook as the audit log holds it; its address may hold a secret, so only the host is kept.
fn shown(webhook: &WebhookRecord) -> Json {
    let host = webhook.url.split('/').nth(2).unwrap_or_default();
    json!({"host": host, "kinds": webhook.kinds, "enabled": webhook.is_enabled, "description": webhook.description})
}

async fn write(tx: &mut Tx, org: OrganizationId, record: &WebhookRecord) -> Result<()> {
    let query = sql(
        "UPDATE webhooks SET url = $3, description = $4, kinds = $5, secret_nonce = $6, is_enabled = $7, \
         disabled_reason = $8, failing_since = $9, updated_at = $10 WHERE org_id = $1 AND id = $2",
    );
    let query = query.bind(org).bind(record.id).bind(record.url.as_str()).bind(record.description.clone());
    let query = query.bind(to_json(&record.kinds)?).bind(record.secret_nonce.as_str());
    let query = query.bind(u32::from(record.is_enabled)).bind(record.disabled_reason.clone());
    tx.execute(query.bind(record.failing_since).bind(record.updated_at)).await?;
    Ok(())
}

pub(crate) fn webhook(row: &Row) -> Result<WebhookRecord> {
    Ok(WebhookRecord {
        id: WebhookId(row.get("id")?),
        url: row.get("url")?,
        description: row.get("description")?,
        kinds: row.json("kinds")?,
        secret_nonce: row.get("secret_nonce")?,
        is_enabled: row.count("is_enabled")? != 0,
        disabled_reason: row.get("disabled_reason")?,
        failing_since: row.time_if_any("failing_since")?,
        created_by: row.get("created_by")?,
        created_at: row.time("created_at")?,
        updated_at: row.time("updated_at")?,
    })
}
