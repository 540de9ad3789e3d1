use anyhow::Result;
use clap::Args;

use super::BundleArg;
use crate::{confirm::confirm, context::Context, output::say, resolve::find_bundle};

/// Delete a bundle from the control plane
///
/// Refused while a device needs it. Asks first, unless --yes is given.
///
/// Example: kernex bundle delete detector@1.1.0 --yes
#[derive(Args, Debug)]
pub(crate) struct Delete {
    #[command(flatten)]
    bundle: BundleArg,
}

impl Delete {
    pub(crate) async fn run(self, context: &Context) -> Result<()> {
        let client = context.client()?;
        let bundle = find_bundle(&client, &self.bundle.bundle).await?;
        let label = format!("{}@{}", bundle.name, bundle.version);
        confirm(context, &format!("Delete bundle {label}?"))?;
        client.delete_bundle(bundle.bundle_id).await?;
        say(&format!("Bundle {label} was deleted."));
        Ok(())
    }
}
