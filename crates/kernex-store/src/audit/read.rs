//! Reading records.

use kernex_core::{
    ActorKind, AuditResult, OrganizationId, Timestamp,
    audit::{AuditActor, AuditObject, AuditRecord},
};

use super::append::sha256_hex;
use crate::{
    Result, Store,
    sql::{Query, Row, Run, Value, built},
};

const COLUMNS: &str = "org_id, sequence, recorded_at, actor_kind, actor_id, actor_name, credential, address, request_id, \
                       action, object_kind, object_id, before_json, after_json, result, status, reason, previous_hash, hash";

/// Which records.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AuditFilter {
    /// The id or the name of who did it.
    pub actor: Option<String>,
    /// The kind of who did it.
    pub actor_kind: Option<ActorKind>,
    /// The action, or a noun with `.*` for all of its actions.
    pub action: Option<String>,
    /// The kind of thing that it was done to.
    pub object_kind: Option<String>,
    /// The thing's id.
    pub object_id: Option<String>,
    /// How it ended.
    pub result: Option<AuditResult>,
    /// The request.
    pub request_id: Option<String>,
    /// The address that it came from.
    pub address: Option<String>,
    /// Not before.
    pub from: Option<Timestamp>,
    /// Before.
    pub to: Option<Timestamp>,
}

impl Store {
    /// One page of records, newest first.
    pub async fn list_audit(
        &self,
        org: OrganizationId,
        filter: &AuditFilter,
        before: Option<u64>,
        limit: u32,
    ) -> Result<Vec<AuditRecord>> {
        let mut conditions = Conditions::of(org, filter);
        if let Some(sequence) = before {
            conditions.add("sequence < ", sequence);
        }
        let rows = self.reader().fetch_all(conditions.select("DESC", limit)).await?;
        rows.iter().map(record).collect()
    }

    /// One page of records, oldest first, with the hash of what is stored of each.
    pub async fn scan_audit(
        &self,
        org: OrganizationId,
        filter: &AuditFilter,
        after: u64,
        limit: u32,
    ) -> Result<Vec<(AuditRecord, String)>> {
        let mut conditions = Conditions::of(org, filter);
        conditions.add("sequence > ", after);
        let rows = self.reader().fetch_all(conditions.select("ASC", limit)).await?;
        rows.iter()
            .map(|row| {
                let record = record(row)?;
                let (before, after) =
                    (row.get::<Option<String>>("before_json")?, row.get::<Option<String>>("after_json")?);
                let text = record.canonical_text_of(before.as_deref(), after.as_deref());
                Ok((record, sha256_hex(text.as_bytes())))
            })
            .collect()
    }
}

struct Conditions {
    text: String,
    values: Vec<Value>,
}

impl Conditions {
    fn of(org: OrganizationId, filter: &AuditFilter) -> Self {
        let mut all = Self { text: "org_id = $1".to_owned(), values: vec![org.into()] };
        if let Some(actor) = &filter.actor {
            all.values.push(actor.as_str().into());
            let number = all.values.len();
            all.text.push_str(&format!(" AND (actor_id = ${number} OR actor_name = ${number})"));
        }
        match filter.action.as_deref().map(|action| (action, action.strip_suffix(".*"))) {
            // `/` is the character after `.`.
            Some((_, Some(noun))) => {
                all.add("action >= ", format!("{noun}."));
                all.add("action < ", format!("{noun}/"));
            }
            Some((action, None)) => all.add("action = ", action),
            None => {}
        }
        let texts = [
            ("actor_kind = ", filter.actor_kind.map(ActorKind::as_str)),
            ("object_kind = ", filter.object_kind.as_deref()),
            ("object_id = ", filter.object_id.as_deref()),
            ("result = ", filter.result.map(AuditResult::as_str)),
            ("request_id = ", filter.request_id.as_deref()),
            ("address = ", filter.address.as_deref()),
        ];
        for (column, value) in texts {
            if let Some(value) = value {
                all.add(column, value);
            }
        }
        if let Some(from) = filter.from {
            all.add("recorded_at >= ", from);
        }
        if let Some(to) = filter.to {
            all.add("recorded_at < ", to);
        }
        all
    }

    fn add(&mut self, column: &'static str, value: impl Into<Value>) {
        self.values.push(value.into());
        self.text.push_str(&format!(" AND {column}${}", self.values.len()));
    }

    fn select(mut self, order: &'static str, limit: u32) -> Query {
        self.values.push(limit.into());
        let (conditions, number) = (self.text, self.values.len());
        let text = format!(
            "SELECT {COLUMNS} FROM audit_records WHERE {conditions} ORDER BY sequence {order} LIMIT ${number}"
        );
        self.values.into_iter().fold(built(text), Query::bind)
    }
}

/// A record that can be shown even when somebody has tampered with it: what cannot be read back is a difference of the hash.
fn record(row: &Row) -> Result<AuditRecord> {
    let json = |column| -> Result<Option<serde_json::Value>> {
        let text: Option<String> = row.get(column)?;
        Ok(text.map(|text| serde_json::from_str(&text).unwrap_or(serde_json::Value::String(text))))
    };
    Ok(AuditRecord {
        org_id: OrganizationId(row.get("org_id")?),
        sequence: row.count("sequence")?,
        recorded_at: row.time("recorded_at")?,
        actor: AuditActor {
            kind: row.parse("actor_kind").unwrap_or(ActorKind::Anonymous),
            id: row.get("actor_id")?,
            name: row.get("actor_name")?,
            credential: row.get("credential")?,
        },
        address: row.get("address")?,
        request_id: row.get("request_id")?,
        action: row.get("action")?,
        object: AuditObject { kind: row.get("object_kind")?, id: row.get("object_id")? },
        before: json("before_json")?,
        after: json("after_json")?,
        result: row.parse("result").unwrap_or(AuditResult::Failed),
        status: row.get::<Option<i64>>("status")?.map(|status| u16::try_from(status).unwrap_or(0)),
        reason: row.get("reason")?,
        previous_hash: row.get("previous_hash")?,
        hash: row.get("hash")?,
    })
}
