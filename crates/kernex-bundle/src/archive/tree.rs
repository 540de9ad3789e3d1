//! The names seen so far, to find what clashes.

use std::collections::HashMap;

use super::{ArchiveError, EntryKind, EntryPath, error::shown};

/// Files and folders of an archive by their case-folded path, folders that only appear inside of paths included.
#[derive(Debug, Default)]
pub(crate) struct Tree {
    nodes: HashMap<Box<str>, Node>,
}

#[derive(Debug)]
struct Node {
    path: Box<str>,
    is_folder: bool,
}

impl Tree {
    /// Adds an entry with the folders above it, and refuses what clashes with an earlier one. The same folder may
    /// come again.
    pub(crate) fn insert(
        &mut self,
        path: &EntryPath,
        kind: EntryKind,
        max_entries: u32,
    ) -> Result<(), ArchiveError> {
        let text = path.as_str();
        let (parent, _) = path.split();
        if !parent.is_empty() && !self.is_known_folder(parent) {
            for (end, _) in text.match_indices('/') {
                self.insert_one(&text[..end], true, max_entries)?;
            }
        }
        self.insert_one(text, matches!(kind, EntryKind::Folder), max_entries)
    }

    fn is_known_folder(&self, path: &str) -> bool {
        self.nodes.get(fold(path).as_str()).is_some_and(|node| node.is_folder && &*node.path == path)
    }

    fn insert_one(&mut self, path: &str, is_folder: bool, max_entries: u32) -> Result<(), ArchiveError> {
        let key = fold(path);
        let entry = || shown(path.as_bytes());
        match self.nodes.get(key.as_str()) {
            Some(node) if &*node.path != path => {
                return Err(ArchiveError::CaseCollision {
                    entry: entry(),
                    other: shown(node.path.as_bytes()),
                });
            }
            Some(node) if node.is_folder != is_folder => {
                return Err(ArchiveError::FileAndFolder { entry: entry() });
            }
            Some(_) if is_folder => return Ok(()),
            Some(_) => return Err(ArchiveError::Duplicate { entry: entry() }),
            None => {}
        }
        if self.nodes.len() >= max_entries as usize {
            return Err(ArchiveError::TooManyEntries { limit: max_entries });
        }
        self.nodes.insert(key.into(), Node { path: path.into(), is_folder });
        Ok(())
    }
}

/// Lower case, character by character: what file systems that ignore case compare.
fn fold(path: &str) -> String {
    path.chars().flat_map(char::to_lowercase).collect()
}
