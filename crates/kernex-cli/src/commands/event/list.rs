use anyhow::Result;
use clap::Args;
use kernex_api::{
    MAX_PAGE_LIMIT,
    events::{Event, EventList},
};

use super::FilterArgs;
use crate::{
    args::LimitArg,
    context::Context,
    output::{
        table::{self, plain},
        text,
    },
};

/// List what happened, newest first
///
/// Example: kernex event list --kind device.offline --kind site.offline
#[derive(Args, Debug)]
pub(crate) struct List {
    #[command(flatten)]
    filter: FilterArgs,
    #[command(flatten)]
    limit: LimitArg,
}

impl List {
    pub(crate) async fn run(self, context: &Context) -> Result<()> {
        let client = context.client()?;
        let mut query = self.filter.query(&client).await?;
        query.limit = Some(self.limit.limit.min(MAX_PAGE_LIMIT));
        let list = client.list_events(&query).await?;
        context.show(&list, || render(&list))
    }
}

fn render(list: &EventList) -> String {
    if list.events.is_empty() {
        return "No events.".to_owned();
    }
    let mut table = table::List::new(&["TIME", "EVENT", "ABOUT", "BY", "MORE"]);
    for event in &list.events {
        table.row([
            plain(event.occurred_at),
            plain(event.kind),
            plain(about(event)),
            plain(text::or_none(event.actor.as_ref())),
            plain(more(&event.data)),
        ]);
    }
    table.render(None)
}

fn about(event: &Event) -> String {
    match (event.device_id, event.deployment_id) {
        (Some(device), _) => format!("device {device}"),
        (None, Some(deployment)) => format!("deployment {deployment}"),
        (None, None) => text::NONE.to_owned(),
    }
}

/// One line about an event.
pub(crate) fn line(event: &Event) -> String {
    let by = event.actor.as_ref().map_or_else(String::new, |actor| format!(" by {actor}"));
    let text = format!("{}  {}  {}{by}  {}", event.occurred_at, event.kind, about(event), more(&event.data));
    text::printable(text.trim_end())
}

/// Further facts in one line: `site=berlin, devices=12`.
pub(crate) fn more(data: &serde_json::Map<String, serde_json::Value>) -> String {
    let fact = |(key, value): (&String, &serde_json::Value)| match value.as_str() {
        Some(text) => format!("{key}={text}"),
        None => format!("{key}={value}"),
    };
    data.iter().map(fact).collect::<Vec<_>>().join(", ")
}
