use std::path::PathBuf;

use anyhow::{Context as _, Result};
use clap::{Args, ValueEnum};
use kernex_bundle::{ArchiveFormat, PackOptions, pack_to_file};

use super::inspection::{self, describe, read_manifest, show};
use crate::{
    context::Context,
    output::{say, text},
    progress,
};

/// Pack a folder into a bundle
///
/// The folder holds a manifest.json. Prints the path of the archive. The same files give the same bytes.
///
/// Example: kernex bundle pack ./detector --to dist/
#[derive(Args, Debug)]
pub(crate) struct Pack {
    /// The folder
    #[arg(value_name = "DIR")]
    dir: PathBuf,
    /// File or folder to write to; in a folder the file is called NAME-VERSION.tar.gz
    #[arg(long, value_name = "PATH", default_value = ".")]
    to: PathBuf,
    /// The compression; that of the file's name when absent, or gzip
    #[arg(long, value_name = "FORMAT", value_enum)]
    format: Option<Format>,
    /// Take this manifest instead of the folder's manifest.json
    #[arg(long, value_name = "FILE")]
    manifest: Option<PathBuf>,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
pub(crate) enum Format {
    /// .tar.gz
    Gz,
    /// .tar.zst
    Zst,
}

impl Pack {
    pub(crate) fn run(self, context: &Context) -> Result<()> {
        let manifest = read_manifest(self.manifest.as_deref())?;
        let options = PackOptions {
            format: self.archive_format(),
            manifest: manifest.as_ref().map(|(bytes, _)| bytes.as_slice()),
            ..PackOptions::default()
        };
        let bar = progress::bytes_bar("Packing", 0);
        let packed = pack_to_file(&self.dir, &self.to, &options, &mut |done, all| show(&bar, done, all));
        bar.finish_and_clear();
        let packed = packed.with_context(|| format!("`{}` could not be packed", self.dir.display()))?;
        let checked = describe(&packed, options.format.extension());
        let size = text::size(checked.size_bytes);
        say(&format!("Packed {}@{}, {size}.", checked.name, checked.version));
        if context.is_json() {
            return crate::output::print_json(&checked);
        }
        match &packed.path {
            Some(path) => crate::output::print(&text::printable(&path.display().to_string())),
            None => crate::output::print(&inspection::render(&checked)),
        }
    }

    fn archive_format(&self) -> ArchiveFormat {
        let promised = || ArchiveFormat::from_file_name(&self.to.file_name()?.to_string_lossy());
        match self.format {
            Some(Format::Gz) => ArchiveFormat::Gzip,
            Some(Format::Zst) => ArchiveFormat::Zstd,
            None => promised().unwrap_or(ArchiveFormat::Gzip),
        }
    }
}
