//! First answers to requests that carried an `Idempotency-Key`. They are stored in the transaction that did the work, so that a
//! repeated request either finds the first answer or does the work itself, whatever happened in between.

use kernex_core::{OrganizationId, Timestamp};

use crate::{
    Error, Result, Store,
    sql::{Run, Tx, sql},
};

/// How long a first answer is kept.
const KEPT_MILLIS: i64 = 24 * 60 * 60 * 1_000;
/// How many old answers one sweep removes.
const SWEEP: u32 = 1_000;

/// A request that may come again.
#[derive(Clone, Debug)]
pub struct Idempotency {
    /// Who sends it.
    pub actor: String,
    /// The key that it carries.
    pub key: String,
    /// SHA-256 over method, path and body, hex.
    pub request_sha256: String,
}

/// What a call that may be repeated gives.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Once<T> {
    /// The work was done now.
    Done(T),
    /// It was done before, with this status and body.
    Before {
        /// The HTTP status of the first answer.
        status: u16,
        /// Its body.
        body: String,
    },
}

/// The first answer to this request, if there was one. Requests with one key wait for one another.
pub(crate) async fn first_answer<T>(
    tx: &mut Tx,
    org: OrganizationId,
    idempotency: Option<&Idempotency>,
) -> Result<Option<Once<T>>> {
    let Some(request) = idempotency else { return Ok(None) };
    // Takes the key, or waits for the transaction that has it; a row that was there before keeps its digest.
    let take =
        sql("INSERT INTO idempotency_keys (org_id, actor, key, request_sha256, status, body, created_at) \
                    VALUES ($1, $2, $3, $4, 0, '', 0) ON CONFLICT (org_id, actor, key) DO NOTHING");
    let take = take.bind(org).bind(request.actor.as_str()).bind(request.key.as_str());
    if tx.execute(take.bind(request.request_sha256.as_str())).await? > 0 {
        return Ok(None);
    }
    let Some((status, body)) = find(tx, org, request).await? else { return Ok(None) };
    Ok(Some(Once::Before { status, body }))
}

async fn find(
    run: &mut impl Run,
    org: OrganizationId,
    request: &Idempotency,
) -> Result<Option<(u16, String)>> {
    let query = sql(
        "SELECT request_sha256, status, body FROM idempotency_keys WHERE org_id = $1 AND actor = $2 AND key = $3",
    );
    let query = query.bind(org).bind(request.actor.as_str()).bind(request.key.as_str());
    let Some(row) = run.fetch_optional(query).await? else { return Ok(None) };
    if row.get::<String>("request_sha256")? != request.request_sha256 {
        return Err(Error::IdempotencyMismatch);
    }
    Ok(Some((u16::try_from(row.count("status")?).unwrap_or(500), row.get("body")?)))
}

/// Stores the answer beside the work.
pub(crate) async fn store_answer(
    tx: &mut Tx,
    org: OrganizationId,
    idempotency: Option<&Idempotency>,
    now: Timestamp,
    answer: impl FnOnce() -> (u16, String),
) -> Result<()> {
    let Some(request) = idempotency else { return Ok(()) };
    let (status, body) = answer();
    let query = sql("UPDATE idempotency_keys SET status = $4, body = $5, created_at = $6 \
                     WHERE org_id = $1 AND actor = $2 AND key = $3");
    let query = query.bind(org).bind(request.actor.as_str()).bind(request.key.as_str());
    tx.execute(query.bind(u32::from(status)).bind(body).bind(now)).await?;
    Ok(())
}

impl Store {
    /// Status and body of the first answer to this request, if there was one.
    pub async fn find_first_answer(
        &self,
        org: OrganizationId,
        request: &Idempotency,
    ) -> Result<Option<(u16, String)>> {
        find(&mut self.reader(), org, request).await
    }

    /// Forgets answers that are older than a day, a bounded number at a time; how many.
    pub async fn prune_idempotency_keys(&self, now: Timestamp) -> Result<u64> {
        let mut tx = self.begin().await?;
        let query = sql("DELETE FROM idempotency_keys WHERE (org_id, actor, key) IN \
                         (SELECT org_id, actor, key FROM idempotency_keys WHERE created_at < $1 ORDER BY created_at LIMIT $2)");
        let pruned = tx.execute(query.bind(now.plus_millis(-KEPT_MILLIS)).bind(SWEEP)).await?;
        tx.commit_unrecorded().await?;
        Ok(pruned)
    }
}
