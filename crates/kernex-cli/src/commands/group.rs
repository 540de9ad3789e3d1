pub(crate) mod add;
pub(crate) mod create;
pub(crate) mod delete;
pub(crate) mod devices;
pub(crate) mod edit;
pub(crate) mod list;
pub(crate) mod remove;
pub(crate) mod show;

use anyhow::Result;
use clap::Subcommand;

use crate::context::Context;

/// Group devices: by a selector, or as a list
///
/// A group is named by its name or its id.
#[derive(Debug, Subcommand)]
pub(crate) enum GroupCommand {
    List(list::List),
    Show(show::Show),
    Create(create::Create),
    Edit(edit::Edit),
    Delete(delete::Delete),
    Devices(devices::Devices),
    Add(add::Add),
    Remove(remove::Remove),
}

impl GroupCommand {
    pub(crate) async fn run(self, context: &Context) -> Result<()> {
        match self {
            Self::List(command) => command.run(context).await,
            Self::Show(command) => command.run(context).await,
            Self::Create(command) => command.run(context).await,
            Self::Edit(command) => command.run(context).await,
            Self::Delete(command) => command.run(context).await,
            Self::Devices(command) => command.run(context).await,
            Self::Add(command) => command.run(context).await,
            Self::Remove(command) => command.run(context).await,
        }
    }
}

/// The argument that names one group.
#[derive(clap::Args, Clone, Debug)]
pub(crate) struct GroupArg {
    /// The group: name or id
    #[arg(value_name = "GROUP")]
    pub(crate) group: String,
}
