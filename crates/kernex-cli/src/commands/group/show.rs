use anyhow::Result;
use clap::Args;
use kernex_api::groups::Group;
use kernex_core::Timestamp;

use super::{GroupArg, list::which};
use crate::{
    context::Context,
    output::{table::Fields, text},
    resolve,
};

/// Show one group and how many devices are in it now
///
/// Example: kernex group show pilots
#[derive(Args, Debug)]
pub(crate) struct Show {
    #[command(flatten)]
    group: GroupArg,
}

impl Show {
    pub(crate) async fn run(self, context: &Context) -> Result<()> {
        let client = context.client()?;
        let id = resolve::group(&client, &self.group.group).await?.id;
        let group = client.get_group(id).await?;
        context.show(&group, || render(&group, context.now()))
    }
}

/// A group as a person reads it.
pub(crate) fn render(group: &Group, now: Timestamp) -> String {
    let mut fields = Fields::new();
    fields.add("Group", text::printable(&group.name));
    fields.add("Id", group.id.to_string());
    fields.add("Selector", text::printable(&which(group)));
    if let Some(devices) = group.devices {
        fields.add("Devices", devices.to_string());
    }
    fields.add("Channel", text::printable(&text::or_none(group.channel.as_ref())));
    fields.add("Description", text::printable(&text::or_none(group.description.as_ref())));
    fields.add(
        "Made",
        format!("{} by {}", text::ago(group.created_at, now), text::printable(&group.created_by)),
    );
    fields.add("Changed", text::ago(group.updated_at, now));
    fields.render(None)
}
