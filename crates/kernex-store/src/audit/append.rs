//! Adding to chains, as the last step of a transaction.

use std::{collections::BTreeMap, sync::Arc};

use aws_lc_rs::digest;
use kernex_core::{
    ActorKind, OrganizationId,
    audit::{AuditActor, AuditObject, AuditRecord, FIRST_PREVIOUS_HASH, canonical_json},
};

use super::{AuditScope, Change, recorded_at};
use crate::{
    Result,
    sql::{Run, Tx, sql},
};

/// Writes what the transaction noted; and, in a scope that demands it, a record of a transaction that noted nothing. Whether
/// there was anything to write.
pub(crate) async fn append_notes(tx: &mut Tx) -> Result<Option<Arc<AuditScope>>> {
    let mut notes = std::mem::take(&mut tx.notes);
    let Some(scope) = AuditScope::current() else { return Ok(None) };
    if notes.is_empty() {
        let caller = scope.caller().filter(|_| scope.request().demanded && !scope.is_recorded());
        let Some(caller) = caller else { return Ok(None) };
        let (before, after) = (None, None);
        notes.push(Change {
            org_id: caller.org_id,
            object: None,
            before,
            after,
            outcome: super::Outcome::DONE,
        });
    }
    append(tx, &scope, notes).await?;
    Ok(Some(scope))
}

/// Adds records to their chains. Nothing may follow in the transaction but its commit: the locks of the chains' heads are the
/// last that it takes, and in one order, so that no two transactions wait for one another.
pub(crate) async fn append(tx: &mut Tx, scope: &AuditScope, changes: Vec<Change>) -> Result<()> {
    let mut by_org: BTreeMap<OrganizationId, Vec<Change>> = BTreeMap::new();
    for change in changes {
        by_org.entry(change.org_id).or_default().push(change);
    }
    for (org, changes) in by_org {
        let (mut sequence, mut hash) = take_head(tx, org).await?;
        for change in changes {
            let mut record = record(scope, change);
            sequence += 1;
            record.sequence = sequence;
            record.previous_hash = hash;
            record.hash = sha256_hex(record.canonical_text().as_bytes());
            insert(tx, &record).await?;
            hash = record.hash;
        }
        let query = sql("UPDATE audit_heads SET sequence = $2, hash = $3 WHERE org_id = $1");
        tx.execute(query.bind(org).bind(sequence).bind(hash)).await?;
    }
    Ok(())
}

/// The end of a chain; it stays as it is until the transaction ends.
async fn take_head(tx: &mut Tx, org: OrganizationId) -> Result<(u64, String)> {
    let take = || {
        sql("UPDATE audit_heads SET sequence = sequence WHERE org_id = $1 RETURNING sequence, hash").bind(org)
    };
    if let Some(row) = tx.fetch_optional(take()).await? {
        return Ok((row.count("sequence")?, row.get("hash")?));
    }
    let begin = sql("INSERT INTO audit_heads (org_id, sequence, hash, archived_sequence, archived_hash) \
                     VALUES ($1, 0, $2, 0, $2) ON CONFLICT (org_id) DO NOTHING");
    tx.execute(begin.bind(org).bind(FIRST_PREVIOUS_HASH)).await?;
    let row = tx.fetch_one(take()).await?;
    Ok((row.count("sequence")?, row.get("hash")?))
}

fn record(scope: &AuditScope, change: Change) -> AuditRecord {
    let request = scope.request();
    let (object_kind, object_id) = match change.object {
        Some((kind, id)) => (kind.to_owned(), Some(id)),
        None => (request.object_kind.clone(), request.object_id.clone()),
    };
    let actor = match scope.caller() {
        Some(caller) => {
            AuditActor { kind: caller.kind, id: caller.id, name: caller.name, credential: caller.credential }
        }
        None => AuditActor { kind: ActorKind::Anonymous, id: None, name: None, credential: None },
    };
    AuditRecord {
        org_id: change.org_id,
        sequence: 0,
        recorded_at: recorded_at(scope),
        actor,
        address: request.address.clone(),
        request_id: request.request_id.clone(),
        action: request.action.clone(),
        object: AuditObject { kind: object_kind, id: object_id },
        before: change.before,
        after: change.after,
        result: change.outcome.result,
        status: change.outcome.status,
        reason: change.outcome.reason,
        previous_hash: String::new(),
        hash: String::new(),
    }
}

async fn insert(tx: &mut Tx, record: &AuditRecord) -> Result<()> {
    let query = sql(
        "INSERT INTO audit_records (org_id, sequence, recorded_at, actor_kind, actor_id, actor_name, credential, \
                     address, request_id, action, object_kind, object_id, before_json, after_json, result, status, reason, \
                     previous_hash, hash) \
                     VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19)",
    );
    let query = query.bind(record.org_id).bind(record.sequence).bind(record.recorded_at);
    let query = query.bind(record.actor.kind.as_str()).bind(record.actor.id.clone());
    let query = query.bind(record.actor.name.clone()).bind(record.actor.credential.clone());
    let query = query.bind(record.address.clone()).bind(record.request_id.clone());
    let query = query.bind(record.action.as_str()).bind(record.object.kind.as_str());
    let query = query.bind(record.object.id.clone());
    let query = query.bind(record.before.as_ref().map(canonical_json));
    let query = query.bind(record.after.as_ref().map(canonical_json));
    let query = query.bind(record.result.as_str()).bind(record.status.map(i64::from));
    let query = query.bind(record.reason.clone()).bind(record.previous_hash.as_str());
    tx.execute(query.bind(record.hash.as_str())).await?;
    Ok(())
}

/// SHA-256 as lower-case hex.
pub(crate) fn sha256_hex(bytes: &[u8]) -> String {
    digest::digest(&digest::SHA256, bytes).as_ref().iter().map(|byte| format!("{byte:02x}")).collect()
}
