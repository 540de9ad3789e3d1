//! Packing a folder: the same files give the same bytes.

mod error;
mod walk;
mod writer;

use std::{
    fs::{self, File},
    io::{self, Write},
    path::{Path, PathBuf},
};

pub use error::PackError;

use crate::{
    archive::{ArchiveFormat, Limits},
    digest::{Digest, HashingWriter},
    inspect::{check_named, check_references},
    manifest::{MAX_MANIFEST_BYTES, Manifest, with_list},
};
use walk::Source;

/// How to pack.
#[derive(Clone, Copy, Debug)]
pub struct PackOptions<'a> {
    /// The compression.
    pub format: ArchiveFormat,
    /// Takes the place of the folder's `manifest.json`, if given.
    pub manifest: Option<&'a [u8]>,
    /// Whether the manifest in the archive gets a list of the files, with their digests, that readers compare with what
    /// they read. A manifest that has a list keeps it; one that would grow beyond 256 KiB (by some 1,700 files) gets none.
    pub list_files: bool,
    /// What must not be exceeded, so that every reader takes the archive.
    pub limits: Limits,
}

impl Default for PackOptions<'_> {
    fn default() -> Self {
        Self { format: ArchiveFormat::Gzip, manifest: None, list_files: true, limits: Limits::default() }
    }
}

/// A packed bundle.
#[derive(Clone, Debug)]
pub struct Packed {
    /// Where it was written, if to a file.
    pub path: Option<PathBuf>,
    /// The size of the archive.
    pub size_bytes: u64,
    /// The digest of the archive.
    pub sha256: Digest,
    /// Its manifest, as it stands in the archive.
    pub manifest: Manifest,
    /// The number of files and folders.
    pub entries: u32,
    /// The bytes of all files.
    pub unpacked_bytes: u64,
}

/// Tells how far packing is: bytes of files done, and all of them.
pub type Progress<'a> = &'a mut dyn FnMut(u64, u64);

/// Packs the content of `dir` into a writer.
pub fn pack(
    dir: &Path,
    out: impl Write,
    options: &PackOptions<'_>,
    progress: Progress<'_>,
) -> Result<Packed, PackError> {
    let mut prepared = prepare(dir, None, options)?;
    prepared.complete(options)?;
    write(&prepared, out, options.format, progress).map(|(_, packed)| packed)
}

/// Packs the content of `dir` into a file: `out` itself, or `<name>-<version>.tar.gz` or `.tar.zst` in `out` if that
/// is a folder. The file appears only when it is complete, and takes the place of an older one.
pub fn pack_to_file(
    dir: &Path,
    out: &Path,
    options: &PackOptions<'_>,
    progress: Progress<'_>,
) -> Result<Packed, PackError> {
    let mut prepared = prepare(dir, Some(out), options)?;
    let path =
        if out.is_dir() { out.join(file_name(&prepared.manifest, options.format)) } else { out.to_owned() };
    // Packing `.` into `.` twice must not pack the first archive into the second.
    prepared.source.leave_out(&path);
    let mut part = path.clone().into_os_string();
    part.push(".part");
    let part = PathBuf::from(part);
    prepared.source.leave_out(&part);
    prepared.complete(options)?;
    let result = write_file(&prepared, &part, &path, options.format, progress);
    if result.is_err() {
        let _ = fs::remove_file(&part);
    }
    result
}

/// `<name>-<version>.tar.gz` or `.tar.zst`.
pub fn file_name(manifest: &Manifest, format: ArchiveFormat) -> String {
    format!("{}-{}.{}", manifest.name, manifest.version, format.extension())
}

/// What will be packed, checked.
struct Prepared {
    source: Source,
    manifest: Manifest,
    manifest_text: Vec<u8>,
}

impl Prepared {
    /// Lists the files in the manifest, or compares them with the author's list, and checks the whole as readers will.
    fn complete(&mut self, options: &PackOptions<'_>) -> Result<(), PackError> {
        self.source.check_links(self.manifest.links, &options.limits)?;
        self.source.check_size(&options.limits)?;
        let has_list = self.manifest.files.is_some();
        if has_list || options.list_files {
            self.source.hash_files()?;
        }
        if options.list_files && !has_list {
            let text = with_list(&self.manifest_text, self.manifest.json(), &self.source.files());
            if text.len() <= MAX_MANIFEST_BYTES {
                self.manifest = Manifest::parse(&text)?;
                self.source.put_manifest(&text, &options.limits)?;
                self.source.check_size(&options.limits)?;
            }
        }
        Ok(check_references(&self.manifest, &self.source.files())?)
    }
}

fn prepare(dir: &Path, out: Option<&Path>, options: &PackOptions<'_>) -> Result<Prepared, PackError> {
    let mut source = Source::walk(dir, &options.limits)?;
    if let Some(out) = out.filter(|out| !out.is_dir()) {
        source.leave_out(out);
    }
    let manifest_text = match options.manifest {
        Some(bytes) => source.put_manifest(bytes, &options.limits)?,
        None => source.read_manifest()?,
    };
    let manifest = Manifest::parse(&manifest_text)?;
    check_named(&manifest, &source.files())?;
    Ok(Prepared { source, manifest, manifest_text })
}

fn write<W: Write>(
    prepared: &Prepared,
    out: W,
    format: ArchiveFormat,
    progress: Progress<'_>,
) -> Result<(W, Packed), PackError> {
    let out = writer::write_archive(&prepared.source, HashingWriter::new(out), format, progress)?;
    let (out, sha256, size_bytes) = out.finish();
    let packed = Packed {
        path: None,
        size_bytes,
        sha256,
        manifest: prepared.manifest.clone(),
        entries: prepared.source.entries(),
        unpacked_bytes: prepared.source.total_bytes(),
    };
    Ok((out, packed))
}

fn write_file(
    prepared: &Prepared,
    part: &Path,
    path: &Path,
    format: ArchiveFormat,
    progress: Progress<'_>,
) -> Result<Packed, PackError> {
    let failed = |e: io::Error| PackError::Write { path: path.to_owned(), source: e };
    let out = io::BufWriter::with_capacity(128 * 1024, File::create(part).map_err(failed)?);
    let (out, mut packed) = write(prepared, out, format, progress).map_err(|e| match e {
        PackError::Write { source, .. } => failed(source),
        other => other,
    })?;
    let file = out.into_inner().map_err(|e| failed(e.into_error()))?;
    file.sync_all().map_err(failed)?;
    fs::rename(part, path).map_err(failed)?;
    packed.path = Some(path.to_owned());
    Ok(packed)
}
