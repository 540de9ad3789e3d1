use anyhow::Result;
use clap::Args;
use kernex_api::{MAX_PAGE_LIMIT, logs::LogList};
use kernex_client::LogQuery;
use kernex_core::LogLevel;

use super::DeviceArg;
use crate::{
    args::LimitArg,
    context::Context,
    output::{say, text, tone::Tone},
    resolve,
};

/// Show what a device logged; the newest line stands last
///
/// Example: kernex device logs cam-1 --level WARN
#[derive(Args, Debug)]
pub(crate) struct Logs {
    #[command(flatten)]
    device: DeviceArg,
    #[command(flatten)]
    limit: LimitArg,
    /// Only lines of this level or a more serious one: TRACE, DEBUG, INFO, WARN or ERROR
    #[arg(long, value_name = "LEVEL")]
    level: Option<LogLevel>,
}

impl Logs {
    pub(crate) async fn run(self, context: &Context) -> Result<()> {
        let client = context.client()?;
        let id = resolve::device(&client, &self.device.device).await?.id;
        let limit = self.limit.limit;
        let mut query =
            LogQuery { level: self.level.map(|level| level.as_str().to_owned()), ..LogQuery::default() };
        let mut all = LogList { logs: Vec::new(), next_cursor: None };
        while (all.logs.len() as u32) < limit {
            query.limit = Some((limit - all.logs.len() as u32).min(MAX_PAGE_LIMIT));
            query.cursor = all.next_cursor.take();
            let page = client.list_device_logs(id, &query).await?;
            let is_empty = page.logs.is_empty();
            all.logs.extend(page.logs);
            all.next_cursor = page.next_cursor;
            if is_empty || all.next_cursor.is_none() {
                break;
            }
        }
        if all.logs.is_empty() && !context.is_json() {
            say("No log lines.");
            return Ok(());
        }
        context.show(&all, || render(&all))
    }
}

fn render(list: &LogList) -> String {
    let mut lines = String::new();
    for entry in list.logs.iter().rev() {
        let level = Tone::from(entry.level).paint(format!("{:5}", entry.level.as_str()));
        lines.push_str(&format!("{}  {level}  {}", entry.timestamp, text::printable(&entry.message)));
        for (name, value) in entry.fields.iter().flatten() {
            lines.push_str(&Tone::Quiet.paint(format!(" {name}={value}")));
        }
        lines.push('\n');
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_newest_line_stands_last_and_is_harmless() {
        let line = |time: &str, message: &str| {
            serde_json::json!({"device_id": "0199aaaa-0000-7000-8000-000000000001", "level": "WARN",
                "message": message, "timestamp": time, "received_at": time, "fields": {"try": 2}})
        };
        let json = serde_json::json!({"logs": [line("2026-01-01T00:00:02Z", "second\u{1b}[2J"),
            line("2026-01-01T00:00:01Z", "first")], "next_cursor": null});
        let text = render(&serde_json::from_value(json).unwrap());
        assert_eq!(
            anstream::adapter::strip_str(&text).to_string(),
            "2026-01-01T00:00:01.000Z  WARN   first try=2\n\
             2026-01-01T00:00:02.000Z  WARN   second\\u{1b}[2J try=2\n"
        );
    }
}
