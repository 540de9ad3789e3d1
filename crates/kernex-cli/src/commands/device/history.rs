use anyhow::Result;
use clap::Args;
use kernex_api::devices::HistoryEntry;
use kernex_core::Timestamp;

use super::DeviceArg;
use crate::{
    args::LimitArg,
    context::Context,
    output::{
        table::{self, plain},
        text,
        tone::Tone,
    },
    resolve,
};

/// Show what a device was told to run, and how it went, newest first
///
/// Example: kernex device history cam-1
#[derive(Args, Debug)]
pub(crate) struct History {
    #[command(flatten)]
    device: DeviceArg,
    #[command(flatten)]
    limit: LimitArg,
}

impl History {
    pub(crate) async fn run(self, context: &Context) -> Result<()> {
        let client = context.client()?;
        let id = resolve::device(&client, &self.device.device).await?.id;
        let limit = self.limit.limit.min(kernex_api::MAX_PAGE_LIMIT);
        let entries = client.bundle_history(id, Some(limit)).await?;
        context.show(&entries, || render(&entries, context.now(), None))
    }
}

fn render(entries: &[HistoryEntry], now: Timestamp, width: Option<u16>) -> String {
    if entries.is_empty() {
        return "Nothing was deployed to this device yet.".to_owned();
    }
    let mut table = table::List::new(&["BUNDLE", "KIND", "RESULT", "ENDED", "DURATION", "BY", "REASON"]);
    for entry in entries {
        let reason = match (entry.error_code, &entry.error_message) {
            (Some(code), Some(message)) => format!("{code}: {}", message.lines().next().unwrap_or_default()),
            (Some(code), None) => code.to_string(),
            (None, message) => message.clone().unwrap_or_default(),
        };
        table.row([
            plain(format!("{}@{}", entry.bundle_name, entry.bundle_version)),
            plain(entry.kind),
            Tone::from(entry.status).cell(entry.status),
            plain(text::ago(entry.completed_at, now)),
            plain(entry.duration_secs.map_or_else(|| text::NONE.to_owned(), text::duration)),
            plain(&entry.created_by),
            plain(reason),
        ]);
    }
    table.render(width)
}
