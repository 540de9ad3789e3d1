//! Why a folder was not packed.

use std::{io, path::PathBuf};

use crate::{
    archive::{ArchiveError, PathProblem},
    inspect::MissingFile,
    manifest::ManifestError,
};

/// Why a folder was not packed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PackError {
    /// A file or folder could not be read.
    #[error("`{}` could not be read: {source}", path.display())]
    Read {
        /// The file or folder.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The archive could not be written.
    #[error("`{}` could not be written: {source}", path.display())]
    Write {
        /// The archive, or `archive` if it goes to a stream.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The folder has no `manifest.json`, and none was given.
    #[error("`{}` has no manifest.json", dir.display())]
    NoManifest {
        /// The folder.
        dir: PathBuf,
    },
    /// A link, a device, a socket or the like.
    #[error("`{}` is a {kind}; only files and folders can be packed", path.display())]
    NotAFile {
        /// Where it is.
        path: PathBuf,
        /// What it is.
        kind: &'static str,
    },
    /// A name that archives may not hold.
    #[error("`{}` {problem}", path.display())]
    UnsafePath {
        /// Where it is.
        path: PathBuf,
        /// What is wrong with its name.
        problem: PathProblem,
    },
    /// A file changed its size while it was packed.
    #[error("`{}` changed while it was packed", path.display())]
    Changed {
        /// The file.
        path: PathBuf,
    },
    /// Names clash, or there is too much.
    #[error(transparent)]
    Refused(#[from] ArchiveError),
    /// The manifest is wrong.
    #[error("manifest.json: {0}")]
    Manifest(#[from] ManifestError),
    /// The manifest names a file which is not there.
    #[error(transparent)]
    MissingFile(#[from] MissingFile),
}
