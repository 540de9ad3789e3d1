//! Finding what is to be packed.

use std::{
    collections::BTreeMap,
    fs, io,
    os::unix::ffi::OsStrExt,
    path::{Path, PathBuf},
};

use super::PackError;
use crate::{
    archive::{ArchiveError, EntryKind, EntryPath, Limits, Links, Tree, check_links},
    digest::{Digest, sha256_file},
    inspect::{BundleFile, BundleFiles, MANIFEST_NAME},
};

/// Files and folders in the order in which they are packed.
pub(super) struct Source {
    dir: PathBuf,
    nodes: BTreeMap<EntryPath, Node>,
}

/// One file or folder.
pub(super) struct Node {
    pub(super) kind: EntryKind,
    pub(super) content: Content,
    /// The digest of a file's bytes, if somebody asked for it.
    pub(super) sha256: Option<Digest>,
}

/// Where a file's bytes come from.
pub(super) enum Content {
    Disk(PathBuf),
    Given(Vec<u8>),
}

impl Source {
    pub(super) fn walk(dir: &Path, limits: &Limits) -> Result<Self, PackError> {
        let mut source = Self { dir: dir.to_owned(), nodes: BTreeMap::new() };
        let mut tree = Tree::default();
        let mut waiting = vec![dir.to_owned()];
        while let Some(folder) = waiting.pop() {
            for path in sorted_children(&folder)? {
                let kind = kind_of(&path)?;
                let entry = entry_path(dir, &path)?;
                tree.insert(&entry, &kind, limits.max_entries)?;
                if kind == EntryKind::Folder {
                    waiting.push(path.clone());
                }
                source.nodes.insert(entry, Node { kind, content: Content::Disk(path), sha256: None });
            }
        }
        Ok(source)
    }

    /// Files and folders as they are packed: the manifest first, so that readers know early what is to come.
    pub(super) fn nodes(&self) -> impl Iterator<Item = (&EntryPath, &Node)> {
        let is_manifest = |(path, _): &(&EntryPath, &Node)| path.as_str() == MANIFEST_NAME;
        self.nodes.iter().filter(is_manifest).chain(self.nodes.iter().filter(move |node| !is_manifest(node)))
    }

    /// Reads every file for its digest.
    pub(super) fn hash_files(&mut self) -> Result<(), PackError> {
        for node in self.nodes.values_mut() {
            let (EntryKind::File { size_bytes, .. }, Content::Disk(path)) = (&node.kind, &node.content)
            else {
                continue;
            };
            let (sha256, found) = sha256_file(path).map_err(|e| read_failed(path, e))?;
            if found != *size_bytes {
                return Err(PackError::Changed { path: path.clone() });
            }
            node.sha256 = Some(sha256);
        }
        Ok(())
    }

    /// Leaves a file out, if it is there.
    pub(super) fn leave_out(&mut self, path: &Path) {
        let Ok(wanted) = fs::canonicalize(path) else { return };
        self.nodes.retain(|_, node| match &node.content {
            Content::Disk(path) if path.file_name() == wanted.file_name() => {
                fs::canonicalize(path).ok().as_ref() != Some(&wanted)
            }
            _ => true,
        });
    }

    /// Puts a manifest in the place of the folder's own.
    pub(super) fn put_manifest(&mut self, bytes: &[u8], limits: &Limits) -> Result<Vec<u8>, PackError> {
        let path = manifest_path()?;
        if self.nodes.len() >= limits.max_entries as usize && !self.nodes.contains_key(&path) {
            return Err(ArchiveError::TooManyEntries { limit: limits.max_entries }.into());
        }
        let kind = EntryKind::File { size_bytes: bytes.len() as u64, is_executable: false };
        self.nodes.insert(path, Node { kind, content: Content::Given(bytes.to_vec()), sha256: None });
        Ok(bytes.to_vec())
    }

    /// Reads the folder's manifest. What was read is what gets packed, so that it is also what was checked.
    pub(super) fn read_manifest(&mut self) -> Result<Vec<u8>, PackError> {
        let missing = || PackError::NoManifest { dir: self.dir.clone() };
        let node = self.nodes.get_mut(&manifest_path()?).ok_or_else(missing)?;
        let EntryKind::File { is_executable, size_bytes } = node.kind else { return Err(missing()) };
        if size_bytes > crate::manifest::MAX_MANIFEST_BYTES as u64 {
            return Err(crate::manifest::ManifestError::TooLarge.into());
        }
        if let Content::Disk(path) = &node.content {
            let bytes = fs::read(path).map_err(|e| read_failed(path, e))?;
            node.kind = EntryKind::File { size_bytes: bytes.len() as u64, is_executable };
            node.content = Content::Given(bytes);
        }
        match &node.content {
            Content::Given(bytes) => Ok(bytes.clone()),
            Content::Disk(_) => Err(missing()),
        }
    }

    pub(super) fn files(&self) -> BundleFiles {
        let files = self.nodes.iter().filter_map(|(path, node)| match node.kind {
            EntryKind::File { size_bytes, is_executable } => {
                let file = BundleFile { size_bytes, is_executable, sha256: node.sha256 };
                Some((path.as_str().to_owned(), file))
            }
            EntryKind::Folder | EntryKind::Link { .. } => None,
        });
        files.collect()
    }

    pub(super) fn entries(&self) -> u32 {
        u32::try_from(self.nodes.len()).unwrap_or(u32::MAX)
    }

    pub(super) fn total_bytes(&self) -> u64 {
        self.nodes
            .values()
            .map(|node| if let EntryKind::File { size_bytes, .. } = node.kind { size_bytes } else { 0 })
            .sum()
    }

    /// Whether links may be there, and lead to files and folders that are packed too.
    pub(super) fn check_links(&self, may_link: bool, limits: &Limits) -> Result<(), PackError> {
        let mut links = Links::new();
        for (path, node) in &self.nodes {
            let EntryKind::Link { target } = &node.kind else { continue };
            if !may_link {
                return Err(PackError::NotAFile {
                    path: self.dir.join(path.as_path()),
                    kind: "symbolic link",
                });
            }
            links.insert(path.clone(), target.clone());
        }
        if links.is_empty() {
            return Ok(());
        }
        let mut tree = Tree::default();
        for (path, node) in &self.nodes {
            tree.insert(path, &node.kind, limits.max_entries)?;
        }
        Ok(check_links(&links, &tree, None)?)
    }

    pub(super) fn check_size(&self, limits: &Limits) -> Result<(), PackError> {
        let limit = limits.max_unpacked_bytes;
        if self.total_bytes() > limit { Err(ArchiveError::TooLarge { limit }.into()) } else { Ok(()) }
    }
}

fn sorted_children(folder: &Path) -> Result<Vec<PathBuf>, PackError> {
    let children = fs::read_dir(folder).and_then(|children| {
        children.map(|child| child.map(|child| child.path())).collect::<io::Result<Vec<_>>>()
    });
    let mut children = children.map_err(|e| read_failed(folder, e))?;
    children.sort();
    Ok(children)
}

fn kind_of(path: &Path) -> Result<EntryKind, PackError> {
    use std::os::unix::fs::{FileTypeExt, MetadataExt};

    let metadata = fs::symlink_metadata(path).map_err(|e| read_failed(path, e))?;
    let file_type = metadata.file_type();
    let kind = if file_type.is_dir() {
        return Ok(EntryKind::Folder);
    } else if file_type.is_file() {
        let is_executable = metadata.mode() & 0o100 != 0;
        return Ok(EntryKind::File { size_bytes: metadata.len(), is_executable });
    } else if file_type.is_symlink() {
        let target = fs::read_link(path).map_err(|e| read_failed(path, e))?;
        // What is not UTF-8 is told from other names when links are checked.
        return Ok(EntryKind::Link { target: target.to_string_lossy().into_owned() });
    } else if file_type.is_fifo() {
        "named pipe"
    } else if file_type.is_socket() {
        "socket"
    } else {
        "device"
    };
    Err(PackError::NotAFile { path: path.to_owned(), kind })
}

fn entry_path(dir: &Path, path: &Path) -> Result<EntryPath, PackError> {
    let relative = path.strip_prefix(dir).unwrap_or(path);
    let parsed = EntryPath::parse(relative.as_os_str().as_bytes(), false);
    match parsed {
        Ok(Some(entry)) => Ok(entry),
        Ok(None) => Err(unsafe_path(path, crate::archive::PathProblem::EmptyComponent)),
        Err(problem) => Err(unsafe_path(path, problem)),
    }
}

fn manifest_path() -> Result<EntryPath, PackError> {
    EntryPath::of_file(MANIFEST_NAME).map_err(|problem| unsafe_path(Path::new(MANIFEST_NAME), problem))
}

fn unsafe_path(path: &Path, problem: crate::archive::PathProblem) -> PackError {
    PackError::UnsafePath { path: path.to_owned(), problem }
}

fn read_failed(path: &Path, source: io::Error) -> PackError {
    PackError::Read { path: path.to_owned(), source }
}
