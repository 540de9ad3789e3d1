use std::time::Duration;

use anyhow::Result;
use clap::Args;
use kernex_api::registration_tokens::CreateRegistrationTokenRequest;

use crate::{
    args::{parse_duration, parse_pair},
    context::Context,
    exit_code::ExitCode,
    failure::Failure,
    output::{say, text},
};

/// Make a registration token and print it; it is shown only now
///
/// A device that registers with the token is let in at once and gets the token's tags.
///
/// Example: kernex registration-token create --uses 20 --ttl 2h --tag site=berlin
#[derive(Args, Debug)]
pub(crate) struct Create {
    /// How many devices may register with it
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=100_000))]
    uses: u32,
    /// How long it lasts, for example 90s, 10m, 2h or 7d
    #[arg(long, value_name = "DURATION", default_value = "1h", value_parser = parse_duration)]
    ttl: Duration,
    /// A label that the devices get; may be repeated
    #[arg(long = "tag", value_name = "KEY=VALUE", value_parser = parse_pair)]
    tags: Vec<(String, String)>,
}

impl Create {
    pub(crate) async fn run(self, context: &Context) -> Result<()> {
        let ttl_secs = u32::try_from(self.ttl.as_secs()).map_err(|_| {
            Failure::new(ExitCode::Usage, "a token lasts at most a year").hint("give a smaller --ttl")
        })?;
        let request = CreateRegistrationTokenRequest {
            ttl_secs: Some(ttl_secs),
            uses: Some(self.uses),
            tags: self.tags.into_iter().collect(),
        };
        let created = context.client()?.create_registration_token(&request).await?;
        context.show(&created, || created.token.clone())?;
        let uses = text::count(self.uses.into(), "device");
        say(&format!("For {uses}, until {}; it is not shown again.", created.expires_at));
        Ok(())
    }
}
