use anyhow::Result;
use clap::Args;
use kernex_api::webhooks::UpdateWebhookRequest;
use kernex_core::EventKind;

use super::{WebhookArg, list::events};
use crate::{context::Context, output::text};

/// Change a webhook, or switch it on or off; what is not given stays
///
/// What happens while it is off is not sent later.
///
/// Example: kernex webhook edit 0199c2f4-8a51-7c3e-9d21-4f6f1f0f3a55 --enable
#[derive(Args, Debug)]
#[command(group = clap::ArgGroup::new("change").required(true).multiple(true))]
pub(crate) struct Edit {
    #[command(flatten)]
    webhook: WebhookArg,
    /// Another address
    #[arg(long = "to", value_name = "URL", group = "change")]
    address: Option<String>,
    /// The kinds of events to send, in place of those before; may be repeated
    #[arg(long = "event", value_name = "KIND", group = "change")]
    kinds: Vec<EventKind>,
    /// Send every kind of event
    #[arg(long, group = "change", conflicts_with = "kinds")]
    all_events: bool,
    /// What it is for; empty removes it
    #[arg(long, value_name = "TEXT", group = "change")]
    description: Option<String>,
    /// Switch it on
    #[arg(long, group = "change", conflicts_with = "disable")]
    enable: bool,
    /// Switch it off
    #[arg(long, group = "change")]
    disable: bool,
}

impl Edit {
    pub(crate) async fn run(self, context: &Context) -> Result<()> {
        let request = UpdateWebhookRequest {
            url: self.address,
            kinds: (self.all_events || !self.kinds.is_empty()).then_some(self.kinds),
            description: self.description,
            enabled: (self.enable || self.disable).then_some(self.enable),
        };
        let webhook = context.client()?.update_webhook(self.webhook.id, &request).await?;
        context.show(&webhook, || {
            let state = if webhook.enabled { "on" } else { "off" };
            format!("{} is {state}; events: {}", text::printable(&webhook.url), events(&webhook))
        })
    }
}
