//! Writing the archive.

use std::{
    fs::File,
    io::{self, Read, Write},
    path::{Path, PathBuf},
};

use flate2::{Compression, GzBuilder};
use tar::{Builder, EntryType, Header};

use super::{
    PackError, Progress,
    walk::{Content, Node, Source},
};
use crate::{
    archive::{ArchiveFormat, EntryKind, EntryPath},
    digest::Hasher,
};

/// Models hardly compress; this level costs little and keeps to windows that small devices can hold.
const ZSTD_LEVEL: i32 = 9;

/// Writes everything and gives the writer back.
pub(super) fn write_archive<W: Write>(
    source: &Source,
    out: W,
    format: ArchiveFormat,
    progress: Progress<'_>,
) -> Result<W, PackError> {
    match format {
        ArchiveFormat::Gzip => {
            // No time and no file name, so that the same files give the same bytes.
            let encoder = GzBuilder::new().mtime(0).write(out, Compression::default());
            write_tar(source, encoder, progress)?.finish().map_err(write_failed)
        }
        ArchiveFormat::Zstd => {
            let mut encoder = zstd::Encoder::new(out, ZSTD_LEVEL).map_err(write_failed)?;
            encoder.include_checksum(true).map_err(write_failed)?;
            write_tar(source, encoder, progress)?.finish().map_err(write_failed)
        }
    }
}

fn write_tar<W: Write>(source: &Source, out: W, progress: Progress<'_>) -> Result<W, PackError> {
    let mut tar = Builder::new(out);
    let (mut done, total) = (0, source.total_bytes());
    progress(done, total);
    for (path, node) in source.nodes() {
        let mut report = |bytes| {
            done += bytes;
            progress(done, total);
        };
        append(&mut tar, path, node, &mut report)?;
    }
    tar.into_inner().map_err(write_failed)
}

fn append<W: Write>(
    tar: &mut Builder<W>,
    path: &EntryPath,
    node: &Node,
    report: &mut dyn FnMut(u64),
) -> Result<(), PackError> {
    let (size_bytes, is_executable) = match &node.kind {
        EntryKind::File { size_bytes, is_executable } => (*size_bytes, *is_executable),
        EntryKind::Folder => {
            let mut header = header(EntryType::Directory, 0o755, 0);
            return tar.append_data(&mut header, format!("{path}/"), io::empty()).map_err(write_failed);
        }
        EntryKind::Link { target } => {
            let mut header = header(EntryType::Symlink, 0o777, 0);
            return tar.append_link(&mut header, path.as_path(), target).map_err(write_failed);
        }
    };
    let mut header = header(EntryType::Regular, if is_executable { 0o755 } else { 0o644 }, size_bytes);
    let mut append = |reader: &mut dyn Read| tar.append_data(&mut header, path.as_path(), reader);
    let (disk_path, appended) = match &node.content {
        Content::Given(bytes) => {
            report(bytes.len() as u64);
            (path.as_path(), append(&mut bytes.as_slice()))
        }
        Content::Disk(disk_path) => {
            let mut file = Exactly::open(disk_path, size_bytes, report)?;
            file.hasher = node.sha256.map(|_| Hasher::new());
            let appended = append(&mut file);
            if appended.is_ok() && file.hasher.map(Hasher::finish) != node.sha256 {
                return Err(PackError::Changed { path: disk_path.clone() });
            }
            (disk_path.as_path(), appended)
        }
    };
    appended.map_err(|e| append_failed(disk_path, e))
}

fn header(entry_type: EntryType, mode: u32, size: u64) -> Header {
    let mut header = Header::new_gnu();
    header.set_entry_type(entry_type);
    header.set_mode(mode);
    header.set_size(size);
    header.set_uid(0);
    header.set_gid(0);
    header.set_mtime(0);
    header
}

/// A file that must have the size it had when it was found; its errors are marked as errors of reading.
struct Exactly<'a> {
    file: File,
    left: u64,
    /// If the manifest lists the file, it must have the content that was listed, too.
    hasher: Option<Hasher>,
    report: &'a mut dyn FnMut(u64),
}

impl<'a> Exactly<'a> {
    fn open(path: &Path, size_bytes: u64, report: &'a mut dyn FnMut(u64)) -> Result<Self, PackError> {
        use rustix::fs::{Mode, OFlags};

        // A link may have taken the file's place since it was found, or a pipe that would block.
        let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
        let opened = rustix::fs::open(path, flags, Mode::empty());
        let file = opened.map_err(|e| PackError::Read { path: path.to_owned(), source: e.into() })?;
        Ok(Self { file: File::from(file), left: size_bytes, hasher: None, report })
    }
}

#[derive(Debug, thiserror::Error)]
enum SourceFailed {
    #[error("{0}")]
    Read(io::Error),
    #[error("changed")]
    Changed,
}

impl Read for Exactly<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.file.read(buffer).map_err(|e| match e.kind() {
            io::ErrorKind::Interrupted => e,
            _ => io::Error::other(SourceFailed::Read(e)),
        })?;
        let is_end_too_early = read == 0 && self.left > 0 && !buffer.is_empty();
        match self.left.checked_sub(read as u64) {
            Some(left) if !is_end_too_early => self.left = left,
            _ => return Err(io::Error::other(SourceFailed::Changed)),
        }
        if let Some(hasher) = &mut self.hasher {
            hasher.update(&buffer[..read]);
        }
        (self.report)(read as u64);
        Ok(read)
    }
}

fn append_failed(path: &Path, error: io::Error) -> PackError {
    match error.downcast::<SourceFailed>() {
        Ok(SourceFailed::Read(source)) => PackError::Read { path: path.to_owned(), source },
        Ok(SourceFailed::Changed) => PackError::Changed { path: path.to_owned() },
        Err(error) => write_failed(error),
    }
}

fn write_failed(source: io::Error) -> PackError {
    PackError::Write { path: PathBuf::from("archive"), source }
}
