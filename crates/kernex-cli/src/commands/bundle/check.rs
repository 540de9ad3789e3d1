use std::path::PathBuf;

use anyhow::Result;
use clap::Args;

use super::inspection::{self, read_manifest};
use crate::context::Context;

/// Say what the control plane would say about an archive or a folder, without sending it
///
/// Prints name, version, size, digest and the number of entries. For a folder, size and digest are those of the archive
/// that `kernex bundle pack` would make of it.
///
/// Example: kernex bundle check ./detector
#[derive(Args, Debug)]
pub(crate) struct Check {
    /// A .tar.gz or .tar.zst archive, or a folder with a manifest.json
    #[arg(value_name = "FILE_OR_DIR")]
    path: PathBuf,
    /// The manifest, when it is not in the archive
    #[arg(long, value_name = "FILE")]
    manifest: Option<PathBuf>,
}

impl Check {
    pub(crate) fn run(self, context: &Context) -> Result<()> {
        let manifest = read_manifest(self.manifest.as_deref())?;
        let checked = inspection::check(&self.path, manifest.as_ref())?;
        context.show(&checked, || inspection::render(&checked))
    }
}
