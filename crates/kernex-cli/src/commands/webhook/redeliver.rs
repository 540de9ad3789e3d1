use anyhow::Result;
use clap::Args;
use kernex_core::WebhookDeliveryId;

use super::WebhookArg;
use crate::{context::Context, output::say};

/// Send a delivery once more, whatever became of it
///
/// Example: kernex webhook redeliver 0199c2f4-8a51-7c3e-9d21-4f6f1f0f3a55 0199c2f4-9b00-7000-8000-4f6f1f0f3a55
#[derive(Args, Debug)]
pub(crate) struct Redeliver {
    #[command(flatten)]
    webhook: WebhookArg,
    /// The delivery's id, as `kernex webhook deliveries` shows it
    #[arg(value_name = "DELIVERY")]
    delivery: WebhookDeliveryId,
}

impl Redeliver {
    pub(crate) async fn run(self, context: &Context) -> Result<()> {
        context.client()?.redeliver(self.webhook.id, self.delivery).await?;
        say("It is sent again within seconds.");
        Ok(())
    }
}
