use anyhow::Result;
use clap::Args;

use super::GroupArg;
use crate::{confirm::confirm, context::Context, output::say, resolve};

/// Remove a group, not its devices
///
/// Example: kernex group delete pilots --yes
#[derive(Args, Debug)]
pub(crate) struct Delete {
    #[command(flatten)]
    group: GroupArg,
}

impl Delete {
    pub(crate) async fn run(self, context: &Context) -> Result<()> {
        let client = context.client()?;
        let group = resolve::group(&client, &self.group.group).await?;
        confirm(context, &format!("Remove the group {}?", group.name))?;
        client.delete_group(group.id).await?;
        say(&format!("The group {} is removed; its devices stay.", group.name));
        Ok(())
    }
}
