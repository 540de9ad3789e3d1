//! Audit records, and the text that the chain of their hashes is made of.
//!
//! Each organisation has a chain of its own: sequence numbers from 1 without a gap, and each record holds the hash of the one
//! before. Hashing is the caller's: this crate knows only what is hashed. `docs/audit.md` describes the text for whoever wants
//! to verify a chain without Kernex.

mod chain;

pub use chain::{ChainFault, ChainVerifier, Sha256, Verified};

use std::fmt::Write as _;

use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::ToSchema;

use crate::{ActorKind, AuditResult, OrganizationId, Timestamp};

/// What stands in `previous_hash` of an organisation's first record.
pub const FIRST_PREVIOUS_HASH: &str = "0000000000000000000000000000000000000000000000000000000000000000";

/// Who did it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct AuditActor {
    /// A person, a device, the control plane itself, or nobody known.
    pub kind: ActorKind,
    /// The id of the user or device.
    pub id: Option<String>,
    /// The name of the user, or of what acted within the control plane.
    pub name: Option<String>,
    /// What the caller identified itself by: `session:ID`, `api_key:ID`, `device_key:FINGERPRINT`; never the secret.
    pub credential: Option<String>,
}

/// What it was done to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct AuditObject {
    /// The kind of thing, such as `device`.
    pub kind: String,
    /// Its id, where one is known.
    pub id: Option<String>,
}

/// One action, or one attempt.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct AuditRecord {
    /// The organisation whose chain this is.
    pub org_id: OrganizationId,
    /// From 1, without a gap.
    pub sequence: u64,
    /// When the request arrived, or the control plane acted.
    pub recorded_at: Timestamp,
    /// Who.
    pub actor: AuditActor,
    /// The address that the request came from.
    pub address: Option<String>,
    /// The request, as logs and error bodies name it.
    pub request_id: Option<String>,
    /// What, such as `device.approve`.
    pub action: String,
    /// On what.
    pub object: AuditObject,
    /// The object before, as far as the action changes it; secrets are left out.
    pub before: Option<Value>,
    /// The object after.
    pub after: Option<Value>,
    /// How it ended.
    pub result: AuditResult,
    /// The HTTP status of the answer; absent where the record was written together with the change, before the answer.
    pub status: Option<u16>,
    /// The error code of a refusal.
    pub reason: Option<String>,
    /// The hash of the record before.
    pub previous_hash: String,
    /// SHA-256 over the canonical text, lower-case hex.
    pub hash: String,
}

impl AuditRecord {
    /// The text whose SHA-256 is `hash`: a first line, and a line for each field in a fixed order, each with the length of its
    /// value in bytes, so that no two records have one text.
    pub fn canonical_text(&self) -> String {
        let (before, after) =
            (self.before.as_ref().map(canonical_json), self.after.as_ref().map(canonical_json));
        self.canonical_text_of(before.as_deref(), after.as_deref())
    }

    /// The same, with `before` and `after` as they are stored.
    pub fn canonical_text_of(&self, before: Option<&str>, after: Option<&str>) -> String {
        let mut text = String::from("KERNEX-AUDIT-V1\n");
        let (org_id, sequence) = (self.org_id.to_string(), self.sequence.to_string());
        let recorded_at = self.recorded_at.as_millis().to_string();
        let status = self.status.map(|status| status.to_string());
        let fields = [
            ("org_id", Some(org_id.as_str())),
            ("sequence", Some(sequence.as_str())),
            ("recorded_at", Some(recorded_at.as_str())),
            ("actor_kind", Some(self.actor.kind.as_str())),
            ("actor_id", self.actor.id.as_deref()),
            ("actor_name", self.actor.name.as_deref()),
            ("credential", self.actor.credential.as_deref()),
            ("address", self.address.as_deref()),
            ("request_id", self.request_id.as_deref()),
            ("action", Some(self.action.as_str())),
            ("object_kind", Some(self.object.kind.as_str())),
            ("object_id", self.object.id.as_deref()),
            ("before", before),
            ("after", after),
            ("result", Some(self.result.as_str())),
            ("status", status.as_deref()),
            ("reason", self.reason.as_deref()),
            ("previous_hash", Some(self.previous_hash.as_str())),
        ];
        for (name, value) in fields {
            // Writing to a string cannot fail.
            let _ = match value {
                Some(value) => writeln!(text, "{name} {}:{value}", value.len()),
                None => writeln!(text, "{name} -"),
            };
        }
        text
    }
}

/// The end of a chain at a time, as it was signed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct AuditCheckpoint {
    /// The organisation whose chain this is.
    pub org_id: OrganizationId,
    /// The newest record at that time.
    pub sequence: u64,
    /// Its hash.
    pub hash: String,
    /// When it was signed.
    pub signed_at: Timestamp,
    /// SHA-256 of the public key's SPKI, lower-case hex.
    pub key_id: String,
    /// Ed25519 over the checkpoint's text, lower-case hex.
    pub signature: String,
}

impl AuditCheckpoint {
    /// What is signed.
    pub fn signed_text(&self) -> String {
        format!(
            "KERNEX-AUDIT-CHECKPOINT-V1\n{}\n{}\n{}\n{}\n",
            self.org_id,
            self.sequence,
            self.hash,
            self.signed_at.as_millis()
        )
    }
}

/// JSON in one form: no spaces, the names of each object in the order of their bytes.
pub fn canonical_json(value: &Value) -> String {
    let mut text = String::new();
    write_canonical(&mut text, value);
    text
}

fn write_canonical(text: &mut String, value: &Value) {
    match value {
        Value::Array(values) => {
            text.push('[');
            for (index, value) in values.iter().enumerate() {
                if index > 0 {
                    text.push(',');
                }
                write_canonical(text, value);
            }
            text.push(']');
        }
        Value::Object(members) => {
            let mut members: Vec<_> = members.iter().collect();
            members.sort_by_key(|(name, _)| name.as_bytes());
            text.push('{');
            for (index, (name, value)) in members.into_iter().enumerate() {
                if index > 0 {
                    text.push(',');
                }
                text.push_str(&Value::from(name.as_str()).to_string());
                text.push(':');
                write_canonical(text, value);
            }
            text.push('}');
        }
        plain => text.push_str(&plain.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    pub(super) fn record() -> AuditRecord {
        AuditRecord {
            org_id: OrganizationId::DEFAULT,
            sequence: 1,
            recorded_at: Timestamp::from_millis(1_767_225_600_123),
            actor: AuditActor {
                kind: ActorKind::User,
                id: Some("0199c2f4-8a51-7c3e-9d21-4f6f1f0f3a55".to_owned()),
                name: Some("ada".to_owned()),
                credential: Some("session:0199c2f4-8a51-7c3e-9d21-4f6f1f0f3a56".to_owned()),
            },
            address: Some("192.0.2.7".to_owned()),
            request_id: Some("0199c2f4-8a51-7c3e-9d21-4f6f1f0f3a57".to_owned()),
            action: "device.update".to_owned(),
            object: AuditObject {
                kind: "device".to_owned(),
                id: Some("0199c2f4-8a51-7c3e-9d21-4f6f1f0f3a58".to_owned()),
            },
            before: Some(json!({"tags": {"site": "berlin"}, "display_name": null})),
            after: Some(json!({"tags": {"site": "köln"}, "display_name": "kiosk \"7\""})),
            result: AuditResult::Success,
            status: None,
            reason: None,
            previous_hash: FIRST_PREVIOUS_HASH.to_owned(),
            hash: String::new(),
        }
    }

    #[test]
    fn the_canonical_text_has_a_line_for_each_field_with_its_length() {
        let text = record().canonical_text();
        assert_eq!(
            text,
            "KERNEX-AUDIT-V1\n\
             org_id 36:00000000-0000-7000-8000-000000000001\n\
             sequence 1:1\n\
             recorded_at 13:1767225600123\n\
             actor_kind 4:user\n\
             actor_id 36:0199c2f4-8a51-7c3e-9d21-4f6f1f0f3a55\n\
             actor_name 3:ada\n\
             credential 44:session:0199c2f4-8a51-7c3e-9d21-4f6f1f0f3a56\n\
             address 9:192.0.2.7\n\
             request_id 36:0199c2f4-8a51-7c3e-9d21-4f6f1f0f3a57\n\
             action 13:device.update\n\
             object_kind 6:device\n\
             object_id 36:0199c2f4-8a51-7c3e-9d21-4f6f1f0f3a58\n\
             before 46:{\"display_name\":null,\"tags\":{\"site\":\"berlin\"}}\n\
             after 54:{\"display_name\":\"kiosk \\\"7\\\"\",\"tags\":{\"site\":\"köln\"}}\n\
             result 7:success\n\
             status -\n\
             reason -\n\
             previous_hash 64:0000000000000000000000000000000000000000000000000000000000000000\n"
        );
    }

    #[test]
    fn a_line_break_in_a_value_does_not_make_two_records_alike() {
        let mut one = record();
        one.action = "a\nobject_kind 1:b".to_owned();
        assert!(one.canonical_text().contains("action 17:a\nobject_kind 1:b\n"));
        let back: AuditRecord = serde_json::from_str(&serde_json::to_string(&one).unwrap()).unwrap();
        assert_eq!(back.canonical_text(), one.canonical_text());
    }
}
