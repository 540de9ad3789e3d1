//! Reading archives under the one policy that every program applies.
//!
//! The framing is read here, block by block, with the `tar` crate for the fields of a header only: its entry iterator
//! holds long names of any length in memory, accepts archives without an end and skips what it does not like, and all
//! three are wrong for bytes from a stranger.

mod decoder;
mod error;
mod link;
mod path;
mod pax;
mod reader;
mod tar_stream;
mod tree;

pub use error::ArchiveError;
pub(crate) use error::shown;
pub use link::LinkProblem;
pub(crate) use link::{Links, check_links};
pub use path::{EntryPath, PathProblem};
pub use reader::{ArchiveReader, Entry, EntryKind};
pub(crate) use tree::Tree;

use std::fmt;

/// What an archive may grow to while it is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Files and folders together, folders that only appear inside of paths included. 20,000 by default: enough for a
    /// model with an interpreter beside it, and unpacked in seconds on a slow flash.
    pub max_entries: u32,
    /// Bytes of all files together. 8 GiB by default.
    pub max_unpacked_bytes: u64,
}

impl Default for Limits {
    fn default() -> Self {
        Self { max_entries: 20_000, max_unpacked_bytes: 8 << 30 }
    }
}

/// How the tar archive is compressed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ArchiveFormat {
    /// gzip, `.tar.gz`.
    Gzip,
    /// Zstandard, `.tar.zst`.
    Zstd,
}

impl ArchiveFormat {
    /// The end of such a file's name, without a leading dot.
    pub fn extension(self) -> &'static str {
        match self {
            Self::Gzip => "tar.gz",
            Self::Zstd => "tar.zst",
        }
    }

    /// The format that a file's name promises.
    pub fn from_file_name(name: &str) -> Option<Self> {
        let name = name.to_ascii_lowercase();
        if name.ends_with(".tar.gz") || name.ends_with(".tgz") {
            Some(Self::Gzip)
        } else if name.ends_with(".tar.zst") || name.ends_with(".tzst") {
            Some(Self::Zstd)
        } else {
            None
        }
    }

    /// The media type of such a file.
    pub fn media_type(self) -> &'static str {
        match self {
            Self::Gzip => "application/gzip",
            Self::Zstd => "application/zstd",
        }
    }
}

impl fmt::Display for ArchiveFormat {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.extension())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_name_tells_the_format() {
        for (name, format) in [
            ("a-1.0.TAR.GZ", Some(ArchiveFormat::Gzip)),
            ("a.tgz", Some(ArchiveFormat::Gzip)),
            ("a-1.0.tar.zst", Some(ArchiveFormat::Zstd)),
            ("a.tzst", Some(ArchiveFormat::Zstd)),
            ("a.zip", None),
            ("a.gz", None),
        ] {
            assert_eq!(ArchiveFormat::from_file_name(name), format, "{name}");
        }
    }
}
