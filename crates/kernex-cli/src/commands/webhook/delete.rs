use anyhow::Result;
use clap::Args;

use super::WebhookArg;
use crate::{confirm::confirm, context::Context, output::say};

/// Remove a webhook and the log of its deliveries
///
/// Example: kernex webhook delete 0199c2f4-8a51-7c3e-9d21-4f6f1f0f3a55 --yes
#[derive(Args, Debug)]
pub(crate) struct Delete {
    #[command(flatten)]
    webhook: WebhookArg,
}

impl Delete {
    pub(crate) async fn run(self, context: &Context) -> Result<()> {
        let (client, id) = (context.client()?, self.webhook.id);
        confirm(context, &format!("Remove the webhook {id}?"))?;
        client.delete_webhook(id).await?;
        say(&format!("The webhook {id} is removed."));
        Ok(())
    }
}
