pub(crate) mod check;
pub(crate) mod delete;
mod inspection;
pub(crate) mod list;
pub(crate) mod pack;
pub(crate) mod pull;
pub(crate) mod push;
pub(crate) mod show;
pub(crate) mod verify;

use anyhow::Result;
use clap::Subcommand;

use crate::{context::Context, resolve::BundleRef};

/// Pack, check, push and fetch bundles
///
/// A bundle on the control plane is named by VERSION (of the bundle `default`), by NAME@VERSION, or by its id.
#[derive(Debug, Subcommand)]
pub(crate) enum BundleCommand {
    Pack(pack::Pack),
    Check(check::Check),
    Push(push::Push),
    List(list::List),
    Show(show::Show),
    Pull(pull::Pull),
    Verify(verify::Verify),
    Delete(delete::Delete),
}

impl BundleCommand {
    pub(crate) async fn run(self, context: &Context) -> Result<()> {
        match self {
            Self::Pack(command) => command.run(context),
            Self::Check(command) => command.run(context),
            Self::Push(command) => command.run(context).await,
            Self::List(command) => command.run(context).await,
            Self::Show(command) => command.run(context).await,
            Self::Pull(command) => command.run(context).await,
            Self::Verify(command) => command.run(context).await,
            Self::Delete(command) => command.run(context).await,
        }
    }
}

/// The argument that names one bundle on the control plane.
#[derive(clap::Args, Clone, Debug)]
pub(crate) struct BundleArg {
    /// The bundle: VERSION (of the bundle `default`), NAME@VERSION or an id
    #[arg(value_name = "BUNDLE")]
    pub(crate) bundle: BundleRef,
}
