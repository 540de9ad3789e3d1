use anyhow::Result;
use clap::Args;
use kernex_api::groups::UpdateGroupRequest;

use super::{GroupArg, show::render};
use crate::{context::Context, resolve, selector};

/// Change a group; what is not given stays
///
/// Example: kernex group edit berlin --selector site!=paris
#[derive(Args, Debug)]
#[command(group = clap::ArgGroup::new("change").required(true).multiple(true))]
pub(crate) struct Edit {
    #[command(flatten)]
    group: GroupArg,
    /// A new name
    #[arg(long, value_name = "NAME", group = "change")]
    name: Option<String>,
    /// Another selector
    #[arg(long, value_name = "SELECTOR", value_parser = selector::parse, group = "change")]
    selector: Option<String>,
    /// The release channel that it follows; empty takes it off
    #[arg(long, value_name = "CHANNEL", group = "change")]
    channel: Option<String>,
    /// What it is for; empty removes it
    #[arg(long, value_name = "TEXT", group = "change")]
    description: Option<String>,
}

impl Edit {
    pub(crate) async fn run(self, context: &Context) -> Result<()> {
        let client = context.client()?;
        let id = resolve::group(&client, &self.group.group).await?.id;
        let request = UpdateGroupRequest {
            name: self.name,
            description: self.description,
            selector: self.selector,
            channel: self.channel,
        };
        let group = client.update_group(id, &request).await?;
        context.show(&group, || render(&group, context.now()))
    }
}
