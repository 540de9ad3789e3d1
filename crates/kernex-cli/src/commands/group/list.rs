use anyhow::Result;
use clap::Args;
use kernex_api::groups::{Group, GroupList};

use crate::{
    context::Context,
    output::{
        table::{self, plain},
        text,
    },
};

/// List the groups
///
/// Example: kernex group list
#[derive(Args, Debug)]
pub(crate) struct List {}

impl List {
    pub(crate) async fn run(self, context: &Context) -> Result<()> {
        let list = context.client()?.list_groups().await?;
        context.show(&list, || render(&list))
    }
}

fn render(list: &GroupList) -> String {
    if list.groups.is_empty() {
        return "No groups.".to_owned();
    }
    let mut table = table::List::new(&["NAME", "DEVICES", "CHANNEL", "ID", "DESCRIPTION"]);
    for group in &list.groups {
        table.row([
            plain(&group.name),
            plain(which(group)),
            plain(text::or_none(group.channel.as_ref())),
            plain(group.id),
            plain(text::or_none(group.description.as_ref())),
        ]);
    }
    table.render(None)
}

/// Which devices are in it, in words.
pub(crate) fn which(group: &Group) -> String {
    group.selector.as_ref().map_or_else(|| "(a list)".to_owned(), ToString::to_string)
}
