//! What the control plane would say about an archive or a folder, found out here.

use std::{
    fs::File,
    io::{self, Read},
    path::Path,
};

use anyhow::{Context as _, Result};
use indicatif::ProgressBar;
use kernex_bundle::{HashingReader, Limits, Manifest, PackOptions, Packed, check_references, inspect, pack};
use serde::Serialize;

use crate::{
    exit_code::ExitCode,
    failure::Failure,
    output::{table::Fields, text},
    progress,
};

/// A bundle that is in order.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub(super) struct Checked {
    pub(super) name: String,
    pub(super) version: String,
    pub(super) format: &'static str,
    pub(super) checksum_sha256: String,
    pub(super) size_bytes: u64,
    pub(super) unpacked_bytes: u64,
    pub(super) entries: u32,
    pub(super) description: Option<String>,
}

/// Reads a manifest that lies beside the archive.
pub(super) fn read_manifest(path: Option<&Path>) -> Result<Option<(Vec<u8>, Manifest)>> {
    let Some(path) = path else { return Ok(None) };
    let bytes = std::fs::read(path).with_context(|| format!("`{}` cannot be read", path.display()))?;
    let manifest =
        Manifest::parse(&bytes).with_context(|| format!("the manifest `{}` is wrong", path.display()))?;
    Ok(Some((bytes, manifest)))
}

/// Checks an archive, or a folder as if it were packed.
pub(super) fn check(path: &Path, manifest: Option<&(Vec<u8>, Manifest)>) -> Result<Checked> {
    if path.is_dir() {
        check_folder(path, manifest)
    } else {
        check_file(path, manifest.map(|(_, parsed)| parsed))
    }
}

fn check_folder(dir: &Path, manifest: Option<&(Vec<u8>, Manifest)>) -> Result<Checked> {
    let options =
        PackOptions { manifest: manifest.map(|(bytes, _)| bytes.as_slice()), ..PackOptions::default() };
    let bar = progress::bytes_bar("Checking", 0);
    let packed = pack(dir, io::sink(), &options, &mut |done, all| show(&bar, done, all));
    bar.finish_and_clear();
    let packed = packed.with_context(|| format!("`{}` is not a bundle", dir.display()))?;
    Ok(describe(&packed, options.format.extension()))
}

/// What packing found.
pub(super) fn describe(packed: &Packed, format: &'static str) -> Checked {
    Checked {
        name: packed.manifest.name.to_string(),
        version: packed.manifest.version.to_string(),
        format,
        checksum_sha256: packed.sha256.to_string(),
        size_bytes: packed.size_bytes,
        unpacked_bytes: packed.unpacked_bytes,
        entries: packed.entries,
        description: packed.manifest.description.clone(),
    }
}

fn check_file(path: &Path, beside: Option<&Manifest>) -> Result<Checked> {
    let file = File::open(path).with_context(|| format!("`{}` cannot be opened", path.display()))?;
    let bar = progress::bytes_bar("Checking", file.metadata()?.len());
    let mut reader = HashingReader::new(bar.wrap_read(file));
    let inspection = inspect(&mut reader, &Limits::default());
    bar.finish_and_clear();
    let inspection = inspection.with_context(|| format!("`{}` is not a bundle", path.display()))?;
    // The digest is over the whole file, whatever the decompressor left unread.
    io::copy(&mut reader.by_ref(), &mut io::sink())?;
    let (digest, size_bytes) = reader.finish();
    let manifest = match (&inspection.manifest, beside) {
        (Some(inside), Some(beside)) => {
            beside
                .agrees_with(inside)
                .context("the manifest beside the archive and the one inside differ")?;
            inside
        }
        (None, Some(beside)) => {
            check_references(beside, &inspection.files)
                .with_context(|| format!("`{}` is not a bundle", path.display()))?;
            beside
        }
        (Some(inside), None) => inside,
        (None, None) => return Err(no_manifest(path).into()),
    };
    Ok(Checked {
        name: manifest.name.to_string(),
        version: manifest.version.to_string(),
        format: inspection.format.extension(),
        checksum_sha256: digest.to_string(),
        size_bytes,
        unpacked_bytes: inspection.unpacked_bytes,
        entries: inspection.entries,
        description: manifest.description.clone(),
    })
}

fn no_manifest(path: &Path) -> Failure {
    Failure::new(ExitCode::Failure, format!("`{}` holds no manifest.json at its root", path.display()))
        .hint("add one to the archive, or give it beside the archive with --manifest FILE")
}

/// Moves a bar whose length becomes known late.
pub(super) fn show(bar: &ProgressBar, done: u64, all: u64) {
    bar.set_length(all);
    bar.set_position(done);
}

pub(super) fn render(checked: &Checked) -> String {
    let mut fields = Fields::new();
    fields.add("name", checked.name.as_str()).add("version", checked.version.as_str());
    fields.add("description", text::or_none(checked.description.as_ref()));
    fields.add("format", checked.format);
    fields.add("size", format!("{} ({} bytes)", text::size(checked.size_bytes), checked.size_bytes));
    fields.add("unpacked", text::size(checked.unpacked_bytes));
    fields.add("entries", checked.entries.to_string());
    fields.add("sha-256", checked.checksum_sha256.as_str());
    fields.render(None)
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    fn folder(manifest: &str) -> tempfile::TempDir {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("manifest.json"), manifest).unwrap();
        fs::write(folder.path().join("model.gguf"), vec![7; 100_000]).unwrap();
        folder
    }

    #[test]
    fn a_folder_and_the_archive_packed_from_it_are_described_alike() {
        let folder = folder(r#"{"name": "detector", "version": "1.2.0"}"#);
        let out = tempfile::tempdir().unwrap();
        let packed =
            kernex_bundle::pack_to_file(folder.path(), out.path(), &PackOptions::default(), &mut |_, _| {})
                .unwrap();
        let from_folder = check(folder.path(), None).unwrap();
        assert_eq!(check(packed.path.as_deref().unwrap(), None).unwrap(), from_folder);
        assert_eq!((from_folder.name.as_str(), from_folder.version.as_str()), ("detector", "1.2.0"));
        assert_eq!(from_folder.checksum_sha256, packed.sha256.to_string());
    }

    #[test]
    fn what_the_control_plane_would_refuse_is_refused_with_the_reason() {
        let check = |manifest: &str, expected: &str| {
            let folder = folder(manifest);
            let error = format!("{:#}", super::check(folder.path(), None).unwrap_err());
            assert!(error.contains(expected), "{error}");
        };
        check(r#"{"name": "detector"}"#, "version");
        check(r#"{"version": "1", "deploy": {"script": "./deploy.sh"}}"#, "deploy.sh");
        check("{", "manifest");
    }

    #[test]
    fn a_file_that_is_no_archive_is_said_to_be_none() {
        let folder = folder("{}");
        let error = format!("{:#}", check(&folder.path().join("model.gguf"), None).unwrap_err());
        assert!(error.contains("is not a .tar.gz or .tar.zst archive"), "{error}");
    }
}
