pub(crate) mod approve;
pub(crate) mod approve_all;
pub(crate) mod config;
pub(crate) mod decommission;
pub(crate) mod decommission_all;
pub(crate) mod history;
pub(crate) mod import_tags;
pub(crate) mod list;
pub(crate) mod logs;
pub(crate) mod reject;
pub(crate) mod rename;
pub(crate) mod show;
pub(crate) mod tag;
pub(crate) mod tag_all;
pub(crate) mod timeline;

use anyhow::Result;
use clap::Subcommand;

use crate::context::Context;

/// See devices, let them in, configure and label them
///
/// A device is named by its id, by the first characters of its id (4 or more, as long as they are unique), or by its
/// display name.
#[derive(Debug, Subcommand)]
pub(crate) enum DeviceCommand {
    List(list::List),
    Show(show::Show),
    History(history::History),
    Timeline(timeline::Timeline),
    Logs(logs::Logs),
    #[command(subcommand)]
    Config(config::ConfigCommand),
    Approve(approve::Approve),
    Reject(reject::Reject),
    Decommission(decommission::Decommission),
    ApproveAll(approve_all::ApproveAll),
    DecommissionAll(decommission_all::DecommissionAll),
    Tag(tag::Tag),
    TagAll(tag_all::TagAll),
    ImportTags(import_tags::ImportTags),
    Rename(rename::Rename),
}

impl DeviceCommand {
    pub(crate) async fn run(self, context: &Context) -> Result<()> {
        match self {
            Self::List(command) => command.run(context).await,
            Self::Show(command) => command.run(context).await,
            Self::History(command) => command.run(context).await,
            Self::Timeline(command) => command.run(context).await,
            Self::Logs(command) => command.run(context).await,
            Self::Config(command) => command.run(context).await,
            Self::Approve(command) => command.run(context).await,
            Self::Reject(command) => command.run(context).await,
            Self::Decommission(command) => command.run(context).await,
            Self::ApproveAll(command) => command.run(context).await,
            Self::DecommissionAll(command) => command.run(context).await,
            Self::Tag(command) => command.run(context).await,
            Self::TagAll(command) => command.run(context).await,
            Self::ImportTags(command) => command.run(context).await,
            Self::Rename(command) => command.run(context).await,
        }
    }
}

/// The argument that names one device.
#[derive(clap::Args, Clone, Debug)]
pub(crate) struct DeviceArg {
    /// The device: id, unique beginning of an id, or display name
    #[arg(value_name = "DEVICE")]
    pub(crate) device: String,
}
