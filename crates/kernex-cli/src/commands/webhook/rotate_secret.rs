use anyhow::Result;
use clap::Args;

use super::WebhookArg;
use crate::{confirm::confirm, context::Context, output::say};

/// Give a webhook a new secret and print it; the old one does not count any more
///
/// Example: kernex webhook rotate-secret 0199c2f4-8a51-7c3e-9d21-4f6f1f0f3a55 --yes
#[derive(Args, Debug)]
pub(crate) struct RotateSecret {
    #[command(flatten)]
    webhook: WebhookArg,
}

impl RotateSecret {
    pub(crate) async fn run(self, context: &Context) -> Result<()> {
        let (client, id) = (context.client()?, self.webhook.id);
        confirm(context, &format!("Give the webhook {id} a new secret? Its receiver must learn it."))?;
        let rotated = client.rotate_webhook_secret(id).await?;
        context.show(&rotated, || rotated.secret.clone())?;
        say("The new secret; it is not shown again.");
        Ok(())
    }
}
