//! Reading an archive once, from a stream, to know what is in it.

use std::{
    collections::{BTreeMap, BTreeSet},
    io::Read,
};

mod lane;

use crate::{
    archive::{
        ArchiveError, ArchiveFormat, ArchiveReader, EntryKind, EntryPath, Limits, Links, check_links, shown,
    },
    digest::Digest,
    manifest::{ListedFile, MAX_MANIFEST_BYTES, Manifest},
};

use lane::FileHasher;
pub(crate) use lane::Hashing;

pub(crate) const MANIFEST_NAME: &str = "manifest.json";
const BUFFER_BYTES: usize = 128 * 1024;

/// What an archive holds.
#[derive(Clone, Debug)]
pub struct Inspection {
    /// The manifest, if the archive holds one. It is valid, and the files it names are there.
    pub manifest: Option<Manifest>,
    /// How the archive is compressed.
    pub format: ArchiveFormat,
    /// The one folder that everything is under, if the manifest is in it. The bundle's root is there then.
    pub top_folder: Option<String>,
    /// The number of files and folders that have an entry.
    pub entries: u32,
    /// The bytes of all files.
    pub unpacked_bytes: u64,
    /// The files, by their path below the bundle's root.
    pub files: BundleFiles,
    /// The symbolic links, by their path below the bundle's root, with what they say. All lead to files or folders of
    /// the bundle.
    pub links: BTreeMap<String, String>,
}

/// The files of a bundle, by their path below its root.
pub type BundleFiles = BTreeMap<String, BundleFile>;

/// One file of a bundle.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BundleFile {
    /// The size of its content.
    pub size_bytes: u64,
    /// Whether its owner may run it.
    pub is_executable: bool,
    /// The digest of its content. Known for all files unless the manifest came first and has no list of files.
    pub sha256: Option<Digest>,
}

/// A manifest names a file that the bundle does not hold.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{field}: `{path}` is not a file of the bundle")]
pub struct MissingFile {
    /// The manifest's field.
    pub field: &'static str,
    /// The path, escaped and cut.
    pub path: String,
}

/// In what a file is not what the manifest lists.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Difference {
    /// It is longer or shorter.
    #[error("{found} bytes instead of {listed}")]
    Size {
        /// What the manifest says.
        listed: u64,
        /// What the bundle holds.
        found: u64,
    },
    /// Its content is another.
    #[error("its SHA-256 is another")]
    Content,
    /// Its owner may run it and should not, or the other way round.
    #[error("its mode is {} instead of {}", mode(!listed_executable), mode(*listed_executable))]
    Mode {
        /// What the manifest says.
        listed_executable: bool,
    },
}

fn mode(is_executable: bool) -> &'static str {
    if is_executable { "0755" } else { "0644" }
}

/// Reads an archive to its end and says what it holds. Memory is bounded by the names; contents are not kept.
pub fn inspect(reader: impl Read, limits: &Limits) -> Result<Inspection, ArchiveError> {
    read_archive(reader, limits, &mut Nowhere, Hashing::Here)
}

/// Whether the files are what a manifest says: scripts, and programs given with a path inside the bundle, are there;
/// and if it has a list of files, they are the ones in the list. For a manifest that came beside the archive; `inspect`
/// and `unpack` do it for the one inside.
pub fn check_references(manifest: &Manifest, files: &BundleFiles) -> Result<(), ArchiveError> {
    check_named(manifest, files)?;
    check_list(manifest, files)
}

pub(crate) fn check_named(manifest: &Manifest, files: &BundleFiles) -> Result<(), MissingFile> {
    for (field, path) in manifest.referenced_files() {
        let is_there = EntryPath::of_file(path).is_ok_and(|path| files.contains_key(path.as_str()));
        if !is_there {
            return Err(MissingFile { field, path: shown(path.as_bytes()) });
        }
    }
    Ok(())
}

/// Whether the files are exactly those that the manifest lists, if it has a list.
pub(crate) fn check_list(manifest: &Manifest, files: &BundleFiles) -> Result<(), ArchiveError> {
    let Some(list) = &manifest.files else { return Ok(()) };
    let name = |path: &str| shown(path.as_bytes());
    for listed in list {
        let path = listed.path.as_str();
        let found = files.get(path).ok_or_else(|| ArchiveError::ListedFileMissing { entry: name(path) })?;
        if let Some(difference) = difference(listed, found) {
            return Err(ArchiveError::ListedFileDiffers { entry: name(path), difference });
        }
    }
    let listed: BTreeSet<_> = list.iter().map(|file| file.path.as_str()).collect();
    match files.keys().find(|path| *path != MANIFEST_NAME && !listed.contains(path.as_str())) {
        Some(path) => Err(ArchiveError::NotListed { entry: name(path) }),
        None => Ok(()),
    }
}

fn difference(listed: &ListedFile, found: &BundleFile) -> Option<Difference> {
    if listed.size_bytes != found.size_bytes {
        return Some(Difference::Size { listed: listed.size_bytes, found: found.size_bytes });
    }
    // A digest that nobody computed proves nothing.
    if found.sha256 != Some(listed.sha256) {
        return Some(Difference::Content);
    }
    let listed_executable = listed.is_executable.filter(|listed| *listed != found.is_executable)?;
    Some(Difference::Mode { listed_executable })
}

/// Where the contents of an archive go.
pub(crate) trait Sink {
    fn folder(&mut self, path: &EntryPath) -> Result<(), ArchiveError>;
    fn start_file(&mut self, path: &EntryPath, is_executable: bool) -> Result<(), ArchiveError>;
    fn write(&mut self, bytes: &[u8]) -> Result<(), ArchiveError>;
}

struct Nowhere;

impl Sink for Nowhere {
    fn folder(&mut self, _: &EntryPath) -> Result<(), ArchiveError> {
        Ok(())
    }

    fn start_file(&mut self, _: &EntryPath, _: bool) -> Result<(), ArchiveError> {
        Ok(())
    }

    fn write(&mut self, _: &[u8]) -> Result<(), ArchiveError> {
        Ok(())
    }
}

/// The one loop over an archive; what is inspected and what is unpacked are thus the same.
pub(crate) fn read_archive(
    reader: impl Read,
    limits: &Limits,
    sink: &mut dyn Sink,
    hashing: Hashing,
) -> Result<Inspection, ArchiveError> {
    let mut archive = ArchiveReader::new(reader, limits)?;
    let mut survey = Survey::default();
    let mut buffer = vec![0; BUFFER_BYTES];
    while let Some(entry) = archive.next_entry()? {
        survey.entries += 1;
        survey.note_top(&entry.path);
        let (size_bytes, is_executable) = match entry.kind {
            EntryKind::Folder => {
                sink.folder(&entry.path)?;
                continue;
            }
            EntryKind::Link { target } => {
                survey.note_link(entry.path, target)?;
                continue;
            }
            EntryKind::File { size_bytes, is_executable } => (size_bytes, is_executable),
        };
        sink.start_file(&entry.path, is_executable)?;
        let mut manifest = is_manifest(&entry.path).then(Vec::new);
        let mut hasher = survey.wants_digests().then(|| FileHasher::new(hashing, size_bytes));
        loop {
            let read = archive.read_content(&mut buffer)?;
            if read == 0 {
                break;
            }
            sink.write(&buffer[..read])?;
            if let Some(bytes) = &mut manifest {
                let room = (MAX_MANIFEST_BYTES + 1).saturating_sub(bytes.len());
                bytes.extend_from_slice(&buffer[..read.min(room)]);
            }
            if let Some(hasher) = &mut hasher {
                hasher.update(&mut buffer, read);
            }
        }
        let sha256 = hasher.and_then(FileHasher::finish);
        survey.note_file(&entry.path, BundleFile { size_bytes, is_executable, sha256 }, manifest)?;
    }
    survey.finish(&archive)
}

fn is_manifest(path: &EntryPath) -> bool {
    let (folder, name) = path.split();
    name == MANIFEST_NAME && !folder.contains('/')
}

/// What is known of an archive while it is read.
#[derive(Default)]
struct Survey {
    entries: u32,
    top: Top,
    root_manifest: Option<Manifest>,
    /// Kept only while everything is under the one folder, so that it is never more than one.
    folder_manifest: Option<Vec<u8>>,
    files: BundleFiles,
    links: Links,
}

#[derive(Default, PartialEq)]
enum Top {
    #[default]
    Unknown,
    One(String),
    Several,
}

impl Survey {
    fn note_top(&mut self, path: &EntryPath) {
        let (top, _) = path.split_top();
        // macOS puts `._name` with attributes beside every `name`.
        if top.starts_with("._") {
            return;
        }
        match &self.top {
            Top::Unknown => self.top = Top::One(top.to_owned()),
            Top::One(known) if known != top => {
                self.top = Top::Several;
                self.folder_manifest = None;
            }
            _ => {}
        }
    }

    fn note_link(&mut self, path: EntryPath, target: String) -> Result<(), ArchiveError> {
        if self.root_manifest.as_ref().is_some_and(|manifest| !manifest.links) {
            return Err(link_not_allowed(&path));
        }
        self.links.insert(path, target);
        Ok(())
    }

    /// Until the manifest has come, it may turn out to list files. One in a folder is not final: another may stand at
    /// the root, further on.
    fn wants_digests(&self) -> bool {
        self.root_manifest.as_ref().is_none_or(|manifest| manifest.files.is_some())
    }

    fn note_file(
        &mut self,
        path: &EntryPath,
        file: BundleFile,
        manifest: Option<Vec<u8>>,
    ) -> Result<(), ArchiveError> {
        self.files.insert(path.as_str().to_owned(), file);
        match (path.split_top(), manifest) {
            ((_, None), Some(bytes)) => self.root_manifest = Some(Manifest::parse(&bytes)?),
            ((_, Some(_)), Some(bytes)) if self.top != Top::Several => self.folder_manifest = Some(bytes),
            _ => {}
        }
        Ok(())
    }

    fn finish<R: Read>(self, archive: &ArchiveReader<R>) -> Result<Inspection, ArchiveError> {
        if self.files.is_empty() && self.links.is_empty() {
            return Err(ArchiveError::Empty);
        }
        let (manifest, top_folder) = match (self.root_manifest, self.folder_manifest, self.top) {
            (Some(manifest), _, _) => (Some(manifest), None),
            (None, Some(bytes), Top::One(folder)) => (Some(Manifest::parse(&bytes)?), Some(folder)),
            _ => (None, None),
        };
        let may_link = manifest.as_ref().is_some_and(|manifest: &Manifest| manifest.links);
        if let (Some(path), false) = (self.links.keys().next(), may_link) {
            return Err(link_not_allowed(path));
        }
        check_links(&self.links, archive.tree(), top_folder.as_deref())?;
        let links = self.links.into_iter().map(|(path, target)| (path.as_str().to_owned(), target)).collect();
        let (files, links) = match &top_folder {
            Some(folder) => (below(folder, self.files), below(folder, links)),
            None => (self.files, links),
        };
        if let Some(manifest) = &manifest {
            check_references(manifest, &files)?;
        }
        Ok(Inspection {
            manifest,
            format: archive.format(),
            top_folder,
            entries: self.entries,
            unpacked_bytes: archive.unpacked_bytes(),
            files,
            links,
        })
    }
}

pub(crate) fn link_not_allowed(path: &EntryPath) -> ArchiveError {
    ArchiveError::UnsupportedEntry {
        entry: shown(path.as_str().as_bytes()),
        kind: "symbolic link".to_owned(),
    }
}

fn below<T>(folder: &str, files: BTreeMap<String, T>) -> BTreeMap<String, T> {
    let strip = |path: String| path.strip_prefix(folder).map(|path| path.trim_start_matches('/').to_owned());
    files.into_iter().filter_map(|(path, file)| Some((strip(path)?, file))).collect()
}
