use anyhow::Result;
use clap::Args;
use kernex_api::{
    MAX_PAGE_LIMIT,
    events::{Timeline as Entries, TimelineEntry},
};
use kernex_client::PageQuery;

use super::DeviceArg;
use crate::{
    args::LimitArg,
    commands::event::list::more,
    context::Context,
    output::{
        table::{self, plain},
        text,
    },
    resolve,
};

/// Show what happened to a device and who did it, newest first
///
/// Registration, approval, missing heartbeats, each state of each attempt, configuration.
///
/// Example: kernex device timeline cam-1 --limit 20
#[derive(Args, Debug)]
pub(crate) struct Timeline {
    #[command(flatten)]
    device: DeviceArg,
    #[command(flatten)]
    limit: LimitArg,
}

impl Timeline {
    pub(crate) async fn run(self, context: &Context) -> Result<()> {
        let client = context.client()?;
        let id = resolve::device(&client, &self.device.device).await?.id;
        let query = PageQuery { limit: Some(self.limit.limit.min(MAX_PAGE_LIMIT)), cursor: None };
        let timeline = client.timeline(id, &query).await?;
        context.show(&timeline, || render(&timeline))
    }
}

fn render(timeline: &Entries) -> String {
    if timeline.entries.is_empty() {
        return "Nothing is known of this device's past.".to_owned();
    }
    let mut table = table::List::new(&["TIME", "WHAT", "BUNDLE", "TRY", "BY", "MORE"]);
    for entry in &timeline.entries {
        let deployment = entry.deployment.as_ref();
        let bundle = deployment.map(|one| format!("{}@{}", one.bundle_name, one.bundle_version));
        let by = entry.actor.as_ref().or(deployment.map(|one| &one.created_by));
        table.row([
            plain(entry.at),
            plain(&entry.kind),
            plain(text::or_none(bundle)),
            plain(text::or_none(entry.attempt)),
            plain(text::or_none(by)),
            plain(reason(entry)),
        ]);
    }
    table.render(None)
}

fn reason(entry: &TimelineEntry) -> String {
    let first = entry.error_message.as_ref().and_then(|message| message.lines().next());
    match (&entry.error_code, first) {
        (Some(code), Some(message)) => format!("{code}: {message}"),
        (Some(code), None) => code.clone(),
        (None, Some(message)) => message.to_owned(),
        (None, None) => more(&entry.data),
    }
}
