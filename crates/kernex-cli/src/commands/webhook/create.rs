use anyhow::Result;
use clap::Args;
use kernex_api::webhooks::CreateWebhookRequest;
use kernex_core::EventKind;

use crate::{context::Context, output::say};

/// Make a webhook and print its secret; it is shown only now
///
/// With the secret the receiver checks the signature of each request: docs/webhooks.md says how.
///
/// Example: kernex webhook create https://example.org/kernex --event device.offline --event deployment.ended
#[derive(Args, Debug)]
pub(crate) struct Create {
    /// Where to send events
    #[arg(value_name = "URL")]
    url: String,
    /// A kind of event to send, such as device.offline; may be repeated. All kinds when none is given
    #[arg(long = "event", value_name = "KIND")]
    kinds: Vec<EventKind>,
    /// What it is for
    #[arg(long, value_name = "TEXT")]
    description: Option<String>,
}

impl Create {
    pub(crate) async fn run(self, context: &Context) -> Result<()> {
        let request =
            CreateWebhookRequest { url: self.url, kinds: self.kinds, description: self.description };
        let created = context.client()?.create_webhook(&request).await?;
        context.show(&created, || created.secret.clone())?;
        say(&format!("The secret of the webhook {}; it is not shown again.", created.webhook.id));
        Ok(())
    }
}
