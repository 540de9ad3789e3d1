//! What can be wrong with an archive, or with reading and writing it.

use std::{io, path::PathBuf};

use super::{LinkProblem, PathProblem};
use crate::{
    inspect::{Difference, MissingFile},
    manifest::ManifestError,
};

/// Why an archive was not read or not unpacked. Entries are named escaped and cut to a readable length.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ArchiveError {
    /// The first bytes are neither gzip nor zstd.
    #[error("the file is not a .tar.gz or .tar.zst archive")]
    NotAnArchive,
    /// Reading the archive's own bytes failed; the archive may be good.
    #[error("the archive could not be read: {0}")]
    Read(#[source] io::Error),
    /// Writing below the destination failed; the archive may be good.
    #[error("`{}` could not be written: {source}", path.display())]
    Write {
        /// What was being written.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The file system, or the quota on it, is full; the archive may be good.
    #[error("the disk is full")]
    DiskFull,
    /// The folder to unpack into holds something already.
    #[error("`{}` is not empty", path.display())]
    DestinationNotEmpty {
        /// The folder.
        path: PathBuf,
    },
    /// The archive ends too early.
    #[error("the archive is cut off")]
    Truncated,
    /// The compression or the archive's structure is damaged.
    #[error("the archive is damaged: {reason}")]
    Corrupt {
        /// What does not fit.
        reason: String,
    },
    /// The compression asks the reader for more memory than small devices have.
    #[error(
        "the archive is compressed with a window of more than 8 MiB; use zstd -19 or less, without --long"
    )]
    WindowTooLarge,
    /// Something follows the end of the archive.
    #[error("the archive is followed by other data")]
    TrailingData,
    /// An entry's path is one that bundles may not hold.
    #[error("entry `{entry}` {problem}")]
    UnsafePath {
        /// The path, escaped and cut.
        entry: String,
        /// What is wrong with it.
        problem: PathProblem,
    },
    /// An entry is neither a file nor a folder, nor a symbolic link in a bundle that may hold them.
    #[error("entry `{entry}` is a {kind}; only files and folders are allowed")]
    UnsupportedEntry {
        /// The path, escaped and cut.
        entry: String,
        /// What it is.
        kind: String,
    },
    /// A symbolic link leads where links of bundles may not.
    #[error("link `{entry}` to `{target}` {problem}")]
    UnsafeLink {
        /// The link's path, escaped and cut.
        entry: String,
        /// What it says, escaped and cut.
        target: String,
        /// What is wrong with it.
        problem: LinkProblem,
    },
    /// An entry has the set-user-id, set-group-id or sticky bit.
    #[error("entry `{entry}` has the set-user-id, set-group-id or sticky bit")]
    PrivilegedMode {
        /// The path, escaped and cut.
        entry: String,
    },
    /// An entry carries attributes that would change what it is.
    #[error("entry `{entry}` carries the attribute `{attribute}`, which is not allowed")]
    UnsupportedAttribute {
        /// The path, escaped and cut.
        entry: String,
        /// The attribute's name, escaped and cut.
        attribute: String,
    },
    /// Two entries have the same path.
    #[error("entry `{entry}` is there twice")]
    Duplicate {
        /// The path, escaped and cut.
        entry: String,
    },
    /// Two entries differ only in the case of letters.
    #[error("entries `{entry}` and `{other}` differ only in upper and lower case")]
    CaseCollision {
        /// The later path, escaped and cut.
        entry: String,
        /// The earlier path, escaped and cut.
        other: String,
    },
    /// A path is used both as a file and as a folder.
    #[error("entry `{entry}` is both a file and a folder")]
    FileAndFolder {
        /// The path, escaped and cut.
        entry: String,
    },
    /// There are more files and folders than allowed.
    #[error("the archive holds more than {limit} files and folders")]
    TooManyEntries {
        /// The limit.
        limit: u32,
    },
    /// The files are larger than allowed.
    #[error("the archive unpacks to more than {limit} bytes")]
    TooLarge {
        /// The limit, in bytes.
        limit: u64,
    },
    /// The archive holds no file at all.
    #[error("the archive holds no files")]
    Empty,
    /// The archive's `manifest.json` is wrong.
    #[error("manifest.json: {0}")]
    Manifest(#[from] ManifestError),
    /// The manifest names a file which is not there.
    #[error(transparent)]
    MissingFile(#[from] MissingFile),
    /// The manifest lists the bundle's files, and this one is not among them.
    #[error("`{entry}` is not in the manifest's list of files")]
    NotListed {
        /// The path below the bundle's root, escaped and cut.
        entry: String,
    },
    /// The manifest lists a file that the bundle does not hold.
    #[error("`{entry}` is in the manifest's list of files, but not in the bundle")]
    ListedFileMissing {
        /// The path below the bundle's root, escaped and cut.
        entry: String,
    },
    /// A file is not what the manifest lists.
    #[error("`{entry}` is not the file that the manifest lists: {difference}")]
    ListedFileDiffers {
        /// The path below the bundle's root, escaped and cut.
        entry: String,
        /// In what.
        difference: Difference,
    },
}

impl ArchiveError {
    pub(crate) fn corrupt(reason: impl Into<String>) -> Self {
        Self::Corrupt { reason: reason.into() }
    }

    #[cfg(unix)]
    pub(crate) fn write(path: impl Into<PathBuf>, source: impl Into<io::Error>) -> Self {
        let source = source.into();
        match source.kind() {
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => Self::DiskFull,
            _ => Self::Write { path: path.into(), source },
        }
    }
}

/// A name from an archive as it may stand in a message: one line, no control characters, not long.
pub(crate) fn shown(raw: &[u8]) -> String {
    const MAX_CHARS: usize = 100;
    let text = String::from_utf8_lossy(&raw[..raw.len().min(4 * MAX_CHARS)]);
    let mut shown: String = text.chars().take(MAX_CHARS).flat_map(char::escape_debug).collect();
    if text.chars().nth(MAX_CHARS).is_some() {
        shown.push('…');
    }
    shown
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hostile_name_is_shown_on_one_short_line() {
        assert_eq!(shown(b"a\n\x1b[31m\xff"), "a\\n\\u{1b}[31m\u{fffd}");
        assert_eq!(shown("x/".repeat(5000).as_bytes()).chars().count(), 101);
    }

    #[cfg(unix)]
    #[test]
    fn a_full_disk_is_told_from_other_write_errors() {
        let full = rustix::io::Errno::NOSPC;
        assert!(matches!(ArchiveError::write("x", full), ArchiveError::DiskFull));
        let quota = rustix::io::Errno::DQUOT;
        assert!(matches!(ArchiveError::write("x", quota), ArchiveError::DiskFull));
        let denied = rustix::io::Errno::ACCESS;
        assert!(matches!(ArchiveError::write("x", denied), ArchiveError::Write { .. }));
    }
}
