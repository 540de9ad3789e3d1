//! The names seen so far, to find what clashes.

use std::collections::HashMap;

use super::{ArchiveError, EntryKind, EntryPath, error::shown};

/// What a path stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum NodeKind {
    Folder,
    File,
    Link,
}

/// Files, folders and links of an archive by their case-folded path, folders that only appear inside of paths included.
#[derive(Debug, Default)]
pub(crate) struct Tree {
    nodes: HashMap<Box<str>, Node>,
}

#[derive(Debug)]
struct Node {
    path: Box<str>,
    kind: NodeKind,
}

impl Tree {
    /// Adds an entry with the folders above it, and refuses what clashes with an earlier one. The same folder may
    /// come again.
    pub(crate) fn insert(
        &mut self,
        path: &EntryPath,
        kind: &EntryKind,
        max_entries: u32,
    ) -> Result<(), ArchiveError> {
        let text = path.as_str();
        let (parent, _) = path.split();
        if !parent.is_empty() && !self.is_known_folder(parent) {
            for (end, _) in text.match_indices('/') {
                self.insert_one(&text[..end], NodeKind::Folder, max_entries)?;
            }
        }
        let kind = match kind {
            EntryKind::Folder => NodeKind::Folder,
            EntryKind::File { .. } => NodeKind::File,
            EntryKind::Link { .. } => NodeKind::Link,
        };
        self.insert_one(text, kind, max_entries)
    }

    /// What stands under exactly this path.
    pub(super) fn kind(&self, path: &EntryPath) -> Option<NodeKind> {
        let path = path.as_str();
        self.nodes.get(fold(path).as_str()).filter(|node| &*node.path == path).map(|node| node.kind)
    }

    fn is_known_folder(&self, path: &str) -> bool {
        self.nodes
            .get(fold(path).as_str())
            .is_some_and(|node| node.kind == NodeKind::Folder && &*node.path == path)
    }

    fn insert_one(&mut self, path: &str, kind: NodeKind, max_entries: u32) -> Result<(), ArchiveError> {
        let key = fold(path);
        let entry = || shown(path.as_bytes());
        match self.nodes.get(key.as_str()) {
            Some(node) if &*node.path != path => {
                return Err(ArchiveError::CaseCollision {
                    entry: entry(),
                    other: shown(node.path.as_bytes()),
                });
            }
            Some(node) if (node.kind == NodeKind::Folder) != (kind == NodeKind::Folder) => {
                return Err(ArchiveError::FileAndFolder { entry: entry() });
            }
            Some(_) if kind == NodeKind::Folder => return Ok(()),
            Some(_) => return Err(ArchiveError::Duplicate { entry: entry() }),
            None => {}
        }
        if self.nodes.len() >= max_entries as usize {
            return Err(ArchiveError::TooManyEntries { limit: max_entries });
        }
        self.nodes.insert(key.into(), Node { path: path.into(), kind });
        Ok(())
    }
}

/// Lower case, character by character: what file systems that ignore case compare.
fn fold(path: &str) -> String {
    path.chars().flat_map(char::to_lowercase).collect()
}
