//! Records as CSV (RFC 4180), harmless in a spreadsheet.

use kernex_core::audit::{AuditRecord, canonical_json};

const COLUMNS: [&str; 19] = [
    "sequence",
    "recorded_at",
    "actor_kind",
    "actor_id",
    "actor_name",
    "credential",
    "address",
    "request_id",
    "action",
    "object_kind",
    "object_id",
    "before",
    "after",
    "result",
    "status",
    "reason",
    "org_id",
    "previous_hash",
    "hash",
];

/// The first line.
pub(super) fn header() -> String {
    format!("{}\r\n", COLUMNS.join(","))
}

/// One record.
pub(super) fn line(record: &AuditRecord) -> String {
    let text = |value: &Option<String>| value.clone().unwrap_or_default();
    let json = |value: &Option<serde_json::Value>| value.as_ref().map(canonical_json).unwrap_or_default();
    let fields: [String; 19] = [
        record.sequence.to_string(),
        record.recorded_at.to_string(),
        record.actor.kind.to_string(),
        text(&record.actor.id),
        text(&record.actor.name),
        text(&record.actor.credential),
        text(&record.address),
        text(&record.request_id),
        record.action.clone(),
        record.object.kind.clone(),
        text(&record.object.id),
        json(&record.before),
        json(&record.after),
        record.result.to_string(),
        record.status.map(|status| status.to_string()).unwrap_or_default(),
        text(&record.reason),
        record.org_id.to_string(),
        record.previous_hash.clone(),
        record.hash.clone(),
    ];
    format!("{}\r\n", fields.map(|field| cell(&field)).join(","))
}

fn cell(field: &str) -> String {
    let harmless = match field.chars().next() {
        Some('=' | '+' | '-' | '@' | '\t' | '\r' | '\n') => format!("'{field}"),
        _ => field.to_owned(),
    };
    if harmless.contains([',', '"', '\r', '\n']) {
        return format!("\"{}\"", harmless.replace('"', "\"\""));
    }
    harmless
}

#[cfg(test)]
mod tests {
    use super::cell;

    #[test]
    fn nothing_in_a_cell_is_run_and_nothing_leaves_it() {
        for (field, expected) in [
            ("plain", "plain"),
            ("", ""),
            ("=HYPERLINK(\"http://x\")", "\"'=HYPERLINK(\"\"http://x\"\")\""),
            ("+1", "'+1"),
            ("-2+3", "'-2+3"),
            ("@SUM(A1)", "'@SUM(A1)"),
            ("\t=1", "'\t=1"),
            ("a,b", "\"a,b\""),
            ("a\r\n=1", "\"a\r\n=1\""),
            ("\r=1", "\"'\r=1\""),
        ] {
            assert_eq!(cell(field), expected, "{field:?}");
        }
    }
}
