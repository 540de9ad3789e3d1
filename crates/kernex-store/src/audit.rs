//! Who did what. The record of a change is written by the transaction that makes the change, as its last step.
//!
//! The scope of a request ([`AuditScope`]) stands around everything that the request does, so that no method of the store needs
//! a parameter for it and none can forget it: a transaction that commits within the scope of an operator's request leaves a
//! record, with what it noted by [`Tx::note`] or without. Refusals are recorded when the answer is known
//! ([`Store::record_outcome`]). Why it is built like this: `docs/decisions/0010-audit-within-the-transaction.md`.

mod append;
mod checkpoints;
mod read;
mod scope;

pub(crate) use append::append_notes;
pub use checkpoints::ChainHead;
pub use read::AuditFilter;
pub use scope::{AuditCaller, AuditRequest, AuditScope};

use kernex_core::{AuditResult, OrganizationId, Timestamp};
use serde_json::{Map, Value};

use crate::{Result, Store, sql::Tx};

/// What a record may hold of an object, in bytes of JSON; more is left out, and said so.
const MAX_OBJECT_BYTES: usize = 16 * 1024;

/// A change, as its record will say it.
#[derive(Clone, Debug)]
pub(crate) struct Change {
    org_id: OrganizationId,
    object: Option<(&'static str, String)>,
    before: Option<Value>,
    after: Option<Value>,
    outcome: Outcome,
}

/// How an attempt ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outcome {
    /// Done, not allowed, not done.
    pub result: AuditResult,
    /// The status of the answer.
    pub status: Option<u16>,
    /// The error code of a refusal.
    pub reason: Option<String>,
}

impl Outcome {
    const DONE: Self = Self { result: AuditResult::Success, status: None, reason: None };
}

impl Change {
    /// A change to an object of an organisation.
    pub(crate) fn of(org_id: OrganizationId, kind: &'static str, id: impl ToString) -> Self {
        Self {
            org_id,
            object: Some((kind, id.to_string())),
            before: None,
            after: None,
            outcome: Outcome::DONE,
        }
    }

    /// What of the object was so before.
    pub(crate) fn before(mut self, before: Value) -> Self {
        self.before = Some(presentable(before));
        self
    }

    /// What of the object is so after.
    pub(crate) fn after(mut self, after: Value) -> Self {
        self.after = Some(presentable(after));
        self
    }
}

impl Tx {
    /// Says what this transaction changes; the record is written when it commits. Outside of any scope nothing is recorded.
    pub(crate) fn note(&mut self, change: Change) {
        self.notes.push(change);
    }
}

impl Store {
    /// Records how a request ended that left no record by itself: a refusal, or something done without a change to the database.
    pub async fn record_outcome(
        &self,
        scope: &AuditScope,
        outcome: Outcome,
        after: Option<Value>,
    ) -> Result<()> {
        let org_id = scope.caller().map_or(OrganizationId::DEFAULT, |caller| caller.org_id);
        let change = Change { org_id, object: None, before: None, after, outcome };
        let mut tx = self.begin().await?;
        append::append(&mut tx, scope, vec![change]).await?;
        tx.commit_unrecorded().await
    }
}

/// Takes out what must not be kept: the values of names that secrets have, and objects that are too large.
fn presentable(value: Value) -> Value {
    let value = without_secrets(value);
    let size = value.to_string().len();
    if size <= MAX_OBJECT_BYTES {
        return value;
    }
    Value::Object(Map::from_iter([("left_out_bytes".to_owned(), size.into())]))
}

/// Nobody notes a secret on purpose; this is for a field that is added to an object later, and for free metadata.
fn without_secrets(value: Value) -> Value {
    const NAMES: [&str; 8] =
        ["password", "passwd", "secret", "token", "api_key", "apikey", "private_key", "credential"];
    match value {
        Value::Object(members) => Value::Object(
            members
                .into_iter()
                .map(|(name, value)| {
                    let lower = name.to_ascii_lowercase();
                    let is_secret = value.is_string() && NAMES.iter().any(|word| lower.contains(word));
                    let value = if is_secret { "(left out)".into() } else { without_secrets(value) };
                    (name, value)
                })
                .collect(),
        ),
        Value::Array(values) => Value::Array(values.into_iter().map(without_secrets).collect()),
        plain => plain,
    }
}

/// A point in time that a record of the control plane's own doing carries.
pub(crate) fn recorded_at(scope: &AuditScope) -> Timestamp {
    scope.request().at
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_is_called_like_a_secret_is_left_out_at_any_depth() {
        let value = json!({"metadata": [{"wifi_password": "hunter2", "ssid": "attic"}], "API_KEY": "kx_1", "token_ttl": 5});
        let shown = json!({"metadata": [{"wifi_password": "(left out)", "ssid": "attic"}], "API_KEY": "(left out)", "token_ttl": 5});
        assert_eq!(presentable(value), shown);
    }

    #[test]
    fn an_object_that_is_too_large_is_named_by_its_size() {
        let shown = presentable(json!({"text": "x".repeat(MAX_OBJECT_BYTES)}));
        assert_eq!(shown, json!({"left_out_bytes": MAX_OBJECT_BYTES + 11}));
    }
}
