//! Archives, as they come and with the compression and the checksums made right.

use std::{fs, io::Write, path::Path};

use kernex_bundle::{ArchiveError, Limits, inspect};

use crate::{scratch, wire::assert_short};

const LIMITS: Limits = Limits { max_entries: 64, max_unpacked_bytes: 1 << 20 };
const BLOCK_BYTES: usize = 512;

/// A `.tar.gz` or `.tar.zst` as it stands.
pub fn archive(data: &[u8]) {
    match inspect(data, &LIMITS) {
        Ok(inspection) => assert!(inspection.unpacked_bytes <= LIMITS.max_unpacked_bytes),
        Err(error) => assert_of_the_archive(&error),
    }
}

/// A tar archive before its compression. Checksums are put right, so that what is behind them is reached. Unpacks, and
/// looks whether everything is where it belongs.
pub fn unpack(data: &[u8]) {
    let Some((kind, tar)) = data.split_first() else { return };
    let tar = with_checksums(tar);
    let archive = if kind & 1 == 0 { gzip(&tar) } else { zstd::encode_all(&tar[..], 1).unwrap() };
    let parent = scratch();
    let dest = parent.path().join("a/dest");
    fs::create_dir(parent.path().join("outside")).unwrap();
    let unpacked = kernex_bundle::unpack(&archive[..], &dest, &LIMITS);
    for path in paths(parent.path()) {
        assert!(path == "outside" || path == "a" || path.starts_with("a/dest"), "{path} was made outside");
    }
    let inspected = inspect(&archive[..], &LIMITS);
    assert_eq!(inspected.is_ok(), unpacked.is_ok(), "{inspected:?}, {unpacked:?}");
    let (unpacked, inspected) = match (unpacked, inspected) {
        (Ok(unpacked), Ok(inspected)) => (unpacked, inspected),
        (Err(error), _) => return assert_of_the_archive(&error),
        (_, Err(error)) => return assert_of_the_archive(&error),
    };
    let root = unpacked.root.canonicalize().unwrap();
    for (path, file) in &inspected.files {
        let metadata = root.join(path).symlink_metadata().unwrap();
        assert!(metadata.is_file() && metadata.len() == file.size_bytes, "{path}");
    }
    for path in inspected.links.keys() {
        let leads_to = root.join(path).canonicalize().unwrap();
        assert!(leads_to.starts_with(&root) && leads_to != root, "{path} leads to {}", leads_to.display());
    }
    let links = paths(&root).iter().filter(|path| root.join(path).is_symlink()).count();
    assert_eq!(links, inspected.links.len(), "links that nobody checked");
}

/// Puts the checksum of each block right that says it is a header.
fn with_checksums(tar: &[u8]) -> Vec<u8> {
    let mut tar = tar.to_vec();
    for block in tar.chunks_exact_mut(BLOCK_BYTES) {
        if &block[257..262] == b"ustar" {
            block[148..156].fill(b' ');
            let sum: u32 = block.iter().map(|byte| u32::from(*byte)).sum();
            block[148..155].copy_from_slice(format!("{sum:06o}\0").as_bytes());
        }
    }
    tar
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::none());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

/// Memory is read and an empty folder is written: whatever goes wrong lies in the archive.
fn assert_of_the_archive(error: &ArchiveError) {
    let is_other = matches!(
        error,
        ArchiveError::Read(_) | ArchiveError::Write { .. } | ArchiveError::DestinationNotEmpty { .. }
    );
    assert!(!is_other, "{error:?}");
    assert_short(&error.to_string());
}

/// Everything below a folder; links are not followed.
fn paths(dir: &Path) -> Vec<String> {
    let mut found = Vec::new();
    let mut waiting = vec![dir.to_owned()];
    while let Some(folder) = waiting.pop() {
        for child in fs::read_dir(folder).unwrap() {
            let child = child.unwrap();
            found.push(child.path().strip_prefix(dir).unwrap().to_str().unwrap().to_owned());
            if child.file_type().unwrap().is_dir() {
                waiting.push(child.path());
            }
        }
    }
    found
}
