//! Unpacking into a fresh folder.

mod flusher;
mod folder;

use std::{
    collections::BTreeSet,
    fs::{self, File},
    io::{self, Read, Write},
    path::{Path, PathBuf},
};

use crate::{
    archive::{ArchiveError, EntryPath, Limits},
    inspect::{Hashing, Inspection, Sink, read_archive},
};
use flusher::Flusher;
use folder::Folder;

/// An unpacked bundle.
#[derive(Clone, Debug)]
pub struct Unpacked {
    /// The bundle's root: the destination, or the one folder in it that holds everything and the manifest.
    pub root: PathBuf,
    /// What was unpacked.
    pub inspection: Inspection,
}

/// Unpacks an archive below `dest`, which is created or must be empty.
///
/// Everything is opened relative to the destination, through no link and over nothing that exists. Files get mode 0644
/// or, where their owner may run them, 0755; owners, times and attributes are not restored. All of it is on the disk
/// when this returns. Symbolic links, where the manifest allows them, are made last. After an error the destination holds parts and must be removed by the caller.
pub fn unpack(reader: impl Read, dest: &Path, limits: &Limits) -> Result<Unpacked, ArchiveError> {
    let mut writer = Writer::new(dest)?;
    let inspection = read_archive(reader, limits, &mut writer, Hashing::Beside)?;
    writer.make_links(&inspection)?;
    writer.sync()?;
    let root = inspection.top_folder.as_ref().map_or_else(|| dest.to_owned(), |folder| dest.join(folder));
    Ok(Unpacked { root, inspection })
}

/// Writes entries below a folder.
struct Writer {
    dest: PathBuf,
    root: Folder,
    /// Folders that exist by now; the empty path is the destination.
    folders: BTreeSet<String>,
    files: Vec<EntryPath>,
    /// The folder of the last file: the next one is mostly in it too.
    last_folder: Option<(String, Folder)>,
    current: Option<File>,
    flusher: Flusher,
}

impl Writer {
    fn new(dest: &Path) -> Result<Self, ArchiveError> {
        let failed = |e: io::Error| ArchiveError::write(dest, e);
        fs::create_dir_all(dest).map_err(failed)?;
        if fs::read_dir(dest).map_err(failed)?.next().is_some() {
            return Err(ArchiveError::DestinationNotEmpty { path: dest.to_owned() });
        }
        let root = Folder::open(dest).map_err(failed)?;
        let folders = BTreeSet::from([String::new()]);
        Ok(Self {
            dest: dest.to_owned(),
            root,
            folders,
            files: Vec::new(),
            last_folder: None,
            current: None,
            flusher: Flusher::default(),
        })
    }

    /// Makes a folder and those above it, as far as they are missing.
    fn make_folder(&mut self, path: &str) -> Result<(), ArchiveError> {
        if self.folders.contains(path) {
            return Ok(());
        }
        let ends = path.match_indices('/').map(|(end, _)| end).chain([path.len()]);
        for end in ends {
            let folder = &path[..end];
            if self.folders.contains(folder) {
                continue;
            }
            let (parent, name) = folder.rsplit_once('/').unwrap_or(("", folder));
            let made = self.root.open_below(parent).and_then(|parent| parent.make_folder(name));
            made.map_err(|e| self.failed(folder, e))?;
            self.folders.insert(folder.to_owned());
        }
        Ok(())
    }

    fn create_file(&mut self, path: &EntryPath, is_executable: bool) -> Result<File, ArchiveError> {
        let (folder, name) = path.split();
        self.make_folder(folder)?;
        if self.last_folder.as_ref().is_none_or(|(last, _)| last != folder) {
            let opened = self.root.open_below(folder).map_err(|e| self.failed(folder, e))?;
            self.last_folder = Some((folder.to_owned(), opened));
        }
        let parent = self.last_folder.as_ref().map_or(&self.root, |(_, folder)| folder);
        parent.create_file(name, is_executable).map_err(|e| self.failed(path.as_str(), e))
    }

    /// Makes the links, after everything else, so that nothing is written where they lead.
    fn make_links(&mut self, inspection: &Inspection) -> Result<(), ArchiveError> {
        for (path, target) in &inspection.links {
            let path = match &inspection.top_folder {
                Some(top) => format!("{top}/{path}"),
                None => path.clone(),
            };
            let (folder, name) = path.rsplit_once('/').unwrap_or(("", &path));
            self.make_folder(folder)?;
            let made = self.root.open_below(folder).and_then(|folder| folder.make_link(name, target));
            made.map_err(|e| self.failed(&path, e))?;
        }
        Ok(())
    }

    /// Brings files and folders to the disk. In one go at the end: most of it has been written by then.
    fn sync(mut self) -> Result<(), ArchiveError> {
        self.current = None;
        self.flusher.end().map_err(|e| self.failed("", e))?;
        for path in &self.files {
            let synced = self.root.open_file(path.as_str()).and_then(|file| file.sync_all());
            synced.map_err(|e| self.failed(path.as_str(), e))?;
        }
        // A folder comes before what is in it, so that in reverse order the destination is the last.
        for path in self.folders.iter().rev() {
            let synced = self.root.open_below(path).and_then(|folder| folder.sync());
            synced.map_err(|e| self.failed(path, e))?;
        }
        Ok(())
    }

    fn failed(&self, path: &str, error: io::Error) -> ArchiveError {
        ArchiveError::write(self.dest.join(path), error)
    }
}

impl Sink for Writer {
    fn folder(&mut self, path: &EntryPath) -> Result<(), ArchiveError> {
        self.make_folder(path.as_str())
    }

    fn start_file(&mut self, path: &EntryPath, is_executable: bool) -> Result<(), ArchiveError> {
        self.current = Some(self.create_file(path, is_executable)?);
        self.files.push(path.clone());
        Ok(())
    }

    fn write(&mut self, bytes: &[u8]) -> Result<(), ArchiveError> {
        let Some(file) = &mut self.current else { return Ok(()) };
        let written = file.write_all(bytes).and_then(|()| self.flusher.note(file, bytes.len()));
        let path = self.files.last().map_or("", EntryPath::as_str);
        written.map_err(|e| self.failed(path, e))
    }
}
