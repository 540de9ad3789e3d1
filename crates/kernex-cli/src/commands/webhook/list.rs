use anyhow::Result;
use clap::Args;
use kernex_api::webhooks::{Webhook, WebhookList};
use kernex_core::Timestamp;

use crate::{
    context::Context,
    output::{
        table::{self, plain},
        text,
    },
};

/// List the webhooks, newest first
///
/// Example: kernex webhook list
#[derive(Args, Debug)]
pub(crate) struct List {}

impl List {
    pub(crate) async fn run(self, context: &Context) -> Result<()> {
        let list = context.client()?.list_webhooks().await?;
        context.show(&list, || render(&list, context.now()))
    }
}

fn render(list: &WebhookList, now: Timestamp) -> String {
    if list.webhooks.is_empty() {
        return "No webhooks.".to_owned();
    }
    let mut table = table::List::new(&["ID", "URL", "STATE", "EVENTS", "CREATED", "BY"]);
    for webhook in &list.webhooks {
        table.row([
            plain(webhook.id),
            plain(&webhook.url),
            plain(state(webhook, now)),
            plain(events(webhook)),
            plain(text::ago(webhook.created_at, now)),
            plain(&webhook.created_by),
        ]);
    }
    table.render(None)
}

fn state(webhook: &Webhook, now: Timestamp) -> String {
    match (webhook.enabled, &webhook.disabled_reason, webhook.failing_since) {
        (false, Some(reason), _) => format!("off: {reason}"),
        (false, None, _) => "off".to_owned(),
        (true, _, Some(since)) => format!("failing since {}", text::ago(since, now)),
        (true, _, None) => "on".to_owned(),
    }
}

/// The kinds of events that are sent, in words.
pub(crate) fn events(webhook: &Webhook) -> String {
    let kinds: Vec<&str> = webhook.kinds.iter().map(|kind| kind.as_str()).collect();
    if kinds.is_empty() { "all".to_owned() } else { kinds.join(", ") }
}
