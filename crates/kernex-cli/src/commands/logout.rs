use anyhow::Result;
use clap::Args;

use crate::{context::Context, output::say};

/// End the login at the control plane and forget it here
///
/// The kept login is removed even when the control plane cannot be reached; its token then works until it expires.
///
/// Example: kernex logout
#[derive(Args, Debug)]
pub(crate) struct Logout {}

impl Logout {
    pub(crate) async fn run(self, context: &Context) -> Result<()> {
        let store = context.store()?;
        let login = match store.load() {
            Ok(Some(login)) => login,
            Ok(None) => {
                say("You were not logged in.");
                return Ok(());
            }
            Err(error) => {
                store.remove()?;
                return Err(error);
            }
        };
        let revoked = match context.anonymous_client(&login.url) {
            Ok(client) => context.logged_in(client, &login).logout().await.map_err(Into::into),
            Err(error) => Err(error),
        };
        store.remove()?;
        match revoked {
            // The token had ended before.
            Err(error) if is_unauthenticated(&error) => {}
            Err(error) => {
                return Err(error.context("the login was forgotten here, but not ended at the control plane"));
            }
            Ok(()) => {}
        }
        say(&format!("Logged out of {}.", login.url));
        Ok(())
    }
}

fn is_unauthenticated(error: &anyhow::Error) -> bool {
    error.downcast_ref::<kernex_client::Error>().and_then(kernex_client::Error::status) == Some(401)
}
