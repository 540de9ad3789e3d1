use anyhow::Result;
use clap::Args;
use kernex_core::RegistrationTokenId;

use crate::{confirm::confirm, context::Context, output::say};

/// End a registration token; devices that used it stay
///
/// Example: kernex registration-token revoke 0199c2f4-8a51-7c3e-9d21-4f6f1f0f3a55 --yes
#[derive(Args, Debug)]
pub(crate) struct Revoke {
    /// The token's id
    #[arg(value_name = "TOKEN_ID")]
    id: RegistrationTokenId,
}

impl Revoke {
    pub(crate) async fn run(self, context: &Context) -> Result<()> {
        let client = context.client()?;
        confirm(context, &format!("End the registration token {}?", self.id))?;
        client.revoke_registration_token(self.id).await?;
        say(&format!("The registration token {} has ended.", self.id));
        Ok(())
    }
}
