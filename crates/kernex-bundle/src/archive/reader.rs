//! Entries that passed the policy, one after the other.

use std::io::Read;

use tar::EntryType;

use super::{
    ArchiveError, ArchiveFormat, EntryPath, Limits, Tree,
    decoder::Decoder,
    error::shown,
    link,
    tar_stream::{RawEntry, TarStream},
};

const SPECIAL_MODE_BITS: u32 = 0o7000;
const OWNER_EXECUTE: u32 = 0o100;

/// A file, a folder or a link of an archive.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// Where it belongs, below the place where the archive is unpacked.
    pub path: EntryPath,
    /// What it is.
    pub kind: EntryKind,
}

/// What an entry is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum EntryKind {
    /// A folder.
    Folder,
    /// A regular file.
    File {
        /// The size of its content.
        size_bytes: u64,
        /// Whether its owner may run it.
        is_executable: bool,
    },
    /// A symbolic link. Whether the bundle may hold it is known when the manifest is, and where it leads at the end.
    Link {
        /// What it says; up to 1,024 bytes without control characters, otherwise anything.
        target: String,
    },
}

/// Reads a `.tar.gz` or `.tar.zst` and refuses whatever bundles may not hold, before any of it is used.
pub struct ArchiveReader<R: Read> {
    stream: TarStream<R>,
    format: ArchiveFormat,
    limits: Limits,
    tree: Tree,
    unpacked_bytes: u64,
    is_finished: bool,
}

impl<R: Read> ArchiveReader<R> {
    /// Starts to read; tells the compression by the first bytes.
    pub fn new(reader: R, limits: &Limits) -> Result<Self, ArchiveError> {
        let stream = TarStream::new(Decoder::new(reader)?, limits.max_entries);
        let format = stream.input().format();
        let tree = Tree::default();
        Ok(Self { stream, format, limits: *limits, tree, unpacked_bytes: 0, is_finished: false })
    }

    /// How the archive is compressed.
    pub fn format(&self) -> ArchiveFormat {
        self.format
    }

    /// The bytes of all files so far.
    pub fn unpacked_bytes(&self) -> u64 {
        self.unpacked_bytes
    }

    /// The names so far.
    pub(crate) fn tree(&self) -> &Tree {
        &self.tree
    }

    /// The next entry; what was not read of the one before is skipped. `None` says that the archive is complete: it
    /// has an end, its checksums are right and nothing follows.
    pub fn next_entry(&mut self) -> Result<Option<Entry>, ArchiveError> {
        while !self.is_finished {
            let Some(raw) = self.stream.next_entry()? else {
                self.is_finished = true;
                break;
            };
            if let Some(entry) = self.check(&raw)? {
                return Ok(Some(entry));
            }
        }
        Ok(None)
    }

    /// Reads of the current entry's content; 0 is its end.
    pub fn read_content(&mut self, buffer: &mut [u8]) -> Result<usize, ArchiveError> {
        self.stream.read_content(buffer)
    }

    /// Applies the policy; `None` is the root folder itself.
    fn check(&mut self, raw: &RawEntry) -> Result<Option<Entry>, ArchiveError> {
        let entry = || shown(&raw.path);
        let is_folder = match raw.entry_type {
            EntryType::Directory => true,
            EntryType::Regular | EntryType::Symlink => false,
            _ => return Err(ArchiveError::UnsupportedEntry { entry: entry(), kind: kind_name(raw) }),
        };
        if let Some(attribute) = raw.refused_attribute.clone() {
            return Err(ArchiveError::UnsupportedAttribute { entry: entry(), attribute });
        }
        let is_link = raw.entry_type == EntryType::Symlink;
        if raw.link.is_some() && !is_link {
            return Err(ArchiveError::UnsupportedAttribute {
                entry: entry(),
                attribute: "linkpath".to_owned(),
            });
        }
        let path = EntryPath::parse(&raw.path, is_folder)
            .map_err(|problem| ArchiveError::UnsafePath { entry: entry(), problem })?;
        if raw.mode & SPECIAL_MODE_BITS != 0 {
            return Err(ArchiveError::PrivilegedMode { entry: entry() });
        }
        if (is_folder || is_link) && raw.size != 0 {
            let kind = if is_folder { "folder" } else { "link" };
            return Err(ArchiveError::corrupt(format!("{kind} `{}` has content", entry())));
        }
        let Some(path) = path else { return Ok(None) };
        let kind = match &raw.link {
            Some(target) => EntryKind::Link {
                target: link::parse_target(target).map_err(|problem| ArchiveError::UnsafeLink {
                    entry: entry(),
                    target: shown(target),
                    problem: problem.into(),
                })?,
            },
            None if is_folder => EntryKind::Folder,
            None => EntryKind::File { size_bytes: raw.size, is_executable: raw.mode & OWNER_EXECUTE != 0 },
        };
        self.tree.insert(&path, &kind, self.limits.max_entries)?;
        self.count(raw.size)?;
        Ok(Some(Entry { path, kind }))
    }

    fn count(&mut self, size_bytes: u64) -> Result<(), ArchiveError> {
        let limit = self.limits.max_unpacked_bytes;
        self.unpacked_bytes = self
            .unpacked_bytes
            .checked_add(size_bytes)
            .filter(|total| *total <= limit)
            .ok_or(ArchiveError::TooLarge { limit })?;
        Ok(())
    }
}

fn kind_name(raw: &RawEntry) -> String {
    let name = match raw.entry_type {
        EntryType::Link => "hard link",
        EntryType::Char | EntryType::Block => "device",
        EntryType::Fifo => "named pipe",
        EntryType::Continuous => "contiguous file",
        EntryType::GNUSparse => "sparse file",
        _ => return format!("thing of the unknown type `{}`", shown(&[raw.type_byte])),
    };
    name.to_owned()
}
