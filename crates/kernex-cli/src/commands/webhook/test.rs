use anyhow::Result;
use clap::Args;

use super::WebhookArg;
use crate::{context::Context, exit_code::ExitCode, failure::Failure, output::text};

/// Send a test to a webhook now, and say what came of it
///
/// Example: kernex webhook test 0199c2f4-8a51-7c3e-9d21-4f6f1f0f3a55
#[derive(Args, Debug)]
pub(crate) struct Test {
    #[command(flatten)]
    webhook: WebhookArg,
}

impl Test {
    pub(crate) async fn run(self, context: &Context) -> Result<()> {
        let sent = context.client()?.test_webhook(self.webhook.id).await?;
        let took = sent.duration_ms.map_or_else(String::new, |millis| format!(" after {millis} ms"));
        context.show(&sent, || match sent.last_status {
            Some(status) => format!("{}: the receiver answered {status}{took}", sent.state),
            None => format!("{}{took}", sent.state),
        })?;
        match sent.last_error {
            None => Ok(()),
            Some(error) => Err(Failure::new(ExitCode::Failure, text::printable(&error)).into()),
        }
    }
}
