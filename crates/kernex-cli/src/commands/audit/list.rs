use anyhow::Result;
use clap::Args;
use kernex_api::{MAX_PAGE_LIMIT, audit::AuditList};
use kernex_core::{AuditResult, audit::AuditRecord};

use super::filter::AuditFilterArgs;
use crate::{
    args::LimitArg,
    context::Context,
    output::{
        say,
        table::{self, plain},
        tone::Tone,
    },
};

/// List what was done and attempted, newest first
///
/// Example: kernex audit list --result denied --from 2026-01-31T00:00:00Z
#[derive(Args, Debug)]
pub(crate) struct List {
    #[command(flatten)]
    filter: AuditFilterArgs,
    #[command(flatten)]
    limit: LimitArg,
}

impl List {
    pub(crate) async fn run(self, context: &Context) -> Result<()> {
        let client = context.client()?;
        let limit = self.limit.limit;
        let mut query = self.filter.query();
        let mut all = AuditList { records: Vec::new(), next_cursor: None };
        while (all.records.len() as u32) < limit {
            query.limit = Some((limit - all.records.len() as u32).min(MAX_PAGE_LIMIT));
            query.cursor = all.next_cursor.take();
            let page = client.list_audit(&query).await?;
            let is_empty = page.records.is_empty();
            all.records.extend(page.records);
            all.next_cursor = page.next_cursor;
            if is_empty || all.next_cursor.is_none() {
                break;
            }
        }
        context.show(&all, || render(&all, None))?;
        if all.next_cursor.is_some() {
            say("There are older records; --limit shows more");
        }
        Ok(())
    }
}

fn render(list: &AuditList, width: Option<u16>) -> String {
    if list.records.is_empty() {
        return "No records.".to_owned();
    }
    let mut table = table::List::new(&["NO", "TIME", "WHO", "ACTION", "OBJECT", "RESULT", "FROM"]);
    for record in &list.records {
        let tone = if record.result == AuditResult::Success { Tone::Good } else { Tone::Bad };
        table.row([
            plain(record.sequence),
            plain(record.recorded_at),
            plain(who(record)),
            plain(&record.action),
            plain(record.object.id.as_deref().unwrap_or("")),
            tone.cell(result(record)),
            plain(record.address.as_deref().unwrap_or("")),
        ]);
    }
    table.render(width)
}

fn who(record: &AuditRecord) -> String {
    let actor = &record.actor;
    let name = actor.name.as_deref().or(actor.id.as_deref()).unwrap_or("");
    match actor.kind {
        kernex_core::ActorKind::User => name.to_owned(),
        kind => format!("{kind} {name}").trim_end().to_owned(),
    }
}

fn result(record: &AuditRecord) -> String {
    match &record.reason {
        Some(reason) => format!("{}: {reason}", record.result),
        None => record.result.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_says_who_did_what_and_how_it_ended() {
        let record = |sequence, actor: serde_json::Value, result: &str, reason: Option<&str>| {
            serde_json::json!({"org_id": "00000000-0000-7000-8000-000000000001", "sequence": sequence,
                "recorded_at": "2026-01-01T00:00:02.000Z", "actor": actor, "address": "192.0.2.7", "request_id": null,
                "action": "device.approve", "object": {"kind": "device", "id": "0199aaaa"}, "before": null, "after": null,
                "result": result, "status": null, "reason": reason, "previous_hash": "", "hash": ""})
        };
        let user = serde_json::json!({"kind": "user", "id": "1", "name": "ada", "credential": "session:1"});
        let nobody = serde_json::json!({"kind": "anonymous", "id": null, "name": null, "credential": null});
        let list = serde_json::json!({"records": [record(2, user, "success", None),
            record(1, nobody, "denied", Some("unauthenticated"))], "next_cursor": null});
        let text = render(&serde_json::from_value(list).unwrap(), Some(120));
        let text = anstream::adapter::strip_str(&text).to_string();
        let words =
            |line: usize| text.lines().nth(line).unwrap().split_whitespace().collect::<Vec<_>>().join(" ");
        assert_eq!(words(1), "2 2026-01-01T00:00:02.000Z ada device.approve 0199aaaa success 192.0.2.7");
        assert_eq!(
            words(2),
            "1 2026-01-01T00:00:02.000Z anonymous device.approve 0199aaaa denied: unauthenticated 192.0.2.7"
        );
    }
}
