use anyhow::Result;
use clap::Args;
use kernex_api::{MAX_PAGE_LIMIT, webhooks::WebhookDeliveryList};
use kernex_client::PageQuery;
use kernex_core::Timestamp;

use super::WebhookArg;
use crate::{
    args::LimitArg,
    context::Context,
    output::{
        table::{self, plain},
        text,
    },
};

/// Show what was sent to a webhook and what came of it, newest first
///
/// Example: kernex webhook deliveries 0199c2f4-8a51-7c3e-9d21-4f6f1f0f3a55 --limit 20
#[derive(Args, Debug)]
pub(crate) struct Deliveries {
    #[command(flatten)]
    webhook: WebhookArg,
    #[command(flatten)]
    limit: LimitArg,
}

impl Deliveries {
    pub(crate) async fn run(self, context: &Context) -> Result<()> {
        let query = PageQuery { limit: Some(self.limit.limit.min(MAX_PAGE_LIMIT)), cursor: None };
        let list = context.client()?.list_webhook_deliveries(self.webhook.id, &query).await?;
        context.show(&list, || render(&list, context.now()))
    }
}

fn render(list: &WebhookDeliveryList, now: Timestamp) -> String {
    if list.deliveries.is_empty() {
        return "Nothing was sent yet.".to_owned();
    }
    let mut table = table::List::new(&["ID", "EVENT", "STATE", "TRIES", "STATUS", "LAST TRY", "ERROR"]);
    for delivery in &list.deliveries {
        table.row([
            plain(delivery.id),
            plain(delivery.kind),
            plain(&delivery.state),
            plain(delivery.attempts),
            plain(text::or_none(delivery.last_status)),
            plain(text::ago_or_never(delivery.last_attempt_at, now)),
            plain(text::or_none(delivery.last_error.as_ref())),
        ]);
    }
    table.render(None)
}
