//! Sizes around 2 GiB and 4 GiB. The archives are made while they are read; nothing of that size is ever anywhere.

use std::io::{Cursor, Read};

use kernex_bundle::{ArchiveError, ArchiveFormat, Inspection, Limits, inspect, unpack};

use crate::{
    build::{BOTH, Tar, compress, with_checksum},
    matrix::Count,
};

const EDGES: [u64; 6] = [(2 << 30) - 1, 2 << 30, (2 << 30) + 1, (4 << 30) - 1, 4 << 30, (4 << 30) + 1];
const CHUNK_BYTES: u64 = 64 << 20;

/// How a header says a size.
#[derive(Clone, Copy, Debug)]
enum Encoding {
    Octal,
    Binary,
    Pax,
}

const ENCODINGS: [Encoding; 3] = [Encoding::Octal, Encoding::Binary, Encoding::Pax];

/// A manifest, so that nothing is hashed, and the head of a file of zeros.
fn head(size: u64, encoding: Encoding) -> Vec<u8> {
    let mut tar = Tar::new().file("manifest.json", br#"{"version":"1"}"#);
    match encoding {
        Encoding::Octal => tar.header(b"zeros", b'0', 0o644, size, b""),
        Encoding::Binary => tar.0.extend(binary_header(size)),
        Encoding::Pax => {
            tar = tar.pax(&[("size", &size.to_string())]);
            tar.header(b"zeros", b'0', 0o644, 0, b"");
        }
    }
    tar.0
}

fn binary_header(size: u64) -> [u8; 512] {
    let mut tar = Tar::new();
    tar.header(b"zeros", b'0', 0o644, 0, b"");
    let mut block: [u8; 512] = tar.0.try_into().unwrap();
    block[124..136].fill(0);
    block[124] = 0x80;
    block[128..136].copy_from_slice(&size.to_be_bytes());
    with_checksum(block)
}

/// An archive of a head and so many zeros, made of parts that are compressed one by one: the same part again and again.
fn stream(head: &[u8], zeros: u64, format: ArchiveFormat) -> impl Read {
    let chunk = compress(&vec![0; CHUNK_BYTES as usize], format);
    let rest = compress(&vec![0; (zeros % CHUNK_BYTES) as usize], format);
    let mut chunks = zeros / CHUNK_BYTES;
    let mut current = Cursor::new(Vec::new());
    let mut parts = vec![rest, compress(head, format)];
    Reads(move |buffer: &mut [u8]| {
        loop {
            match current.read(buffer).unwrap() {
                0 if parts.len() == 2 => current = Cursor::new(parts.pop().unwrap()),
                0 if chunks > 0 => {
                    chunks -= 1;
                    current = Cursor::new(chunk.clone());
                }
                0 if parts.len() == 1 => current = Cursor::new(parts.pop().unwrap()),
                n => return n,
            }
        }
    })
}

struct Reads<F>(F);

impl<F: FnMut(&mut [u8]) -> usize> Read for Reads<F> {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        Ok((self.0)(buffer))
    }
}

fn padded(size: u64) -> u64 {
    size.next_multiple_of(512)
}

fn limits(max_unpacked_bytes: u64) -> Limits {
    Limits { max_unpacked_bytes, ..Limits::default() }
}

pub(crate) fn check_all(count: &Count) {
    for size in EDGES {
        for encoding in ENCODINGS {
            for format in BOTH {
                too_large_by_one(size, encoding, format, count);
                less_than_promised(size, encoding, format, count);
            }
        }
        more_than_promised(size, count);
        as_promised(size, count);
    }
    sizes_that_no_disk_has(count);
}

/// What the head says is enough, and not a byte of the content is read; nothing is written either.
fn too_large_by_one(size: u64, encoding: Encoding, format: ArchiveFormat, count: &Count) {
    count.one();
    let archive = compress(&head(size, encoding), format);
    let limit = size + br#"{"version":"1"}"#.len() as u64 - 1;
    let result = inspect(&archive[..], &limits(limit));
    let is_right = |result: &Result<Inspection, ArchiveError>| matches!(result, Err(ArchiveError::TooLarge { limit: found }) if *found == limit);
    assert!(is_right(&result), "{size} as {encoding:?}: {result:?}");
    let parent = tempfile::tempdir().unwrap();
    let dest = parent.path().join("dest");
    let result = unpack(&archive[..], &dest, &limits(limit)).map(|unpacked| unpacked.inspection);
    assert!(is_right(&result), "{size} as {encoding:?}: {result:?}");
    assert!(!dest.join("zeros").exists());
}

/// A reader that cuts sizes to 32 bits would take `size` modulo 4 GiB for the whole.
fn less_than_promised(size: u64, encoding: Encoding, format: ArchiveFormat, count: &Count) {
    let wrapped = size & u64::from(u32::MAX);
    for zeros in [0, 1, 512, padded(wrapped.min(4096)) + 1024] {
        count.one();
        let result = inspect(stream(&head(size, encoding), zeros, format), &limits(size + 100));
        assert!(matches!(result, Err(ArchiveError::Truncated)), "{size} as {encoding:?}: {result:?}");
    }
}

/// More content than the head says looks like the archive's end, followed by far too much.
fn more_than_promised(size: u64, count: &Count) {
    for promised in [0, 1] {
        for format in BOTH {
            count.one();
            let result = inspect(stream(&head(promised, Encoding::Octal), size, format), &limits(size));
            assert!(matches!(result, Err(ArchiveError::TrailingData)), "{size} as {promised}: {result:?}");
        }
    }
}

/// Read in full, with Zstandard, which packs zeros so well that it takes no time: the size is right to the byte.
fn as_promised(size: u64, count: &Count) {
    let format = ArchiveFormat::Zstd;
    for (zeros, is_whole) in [(padded(size) + 1024, true), (padded(size) + 1023, false)] {
        count.one();
        let result = inspect(stream(&head(size, Encoding::Octal), zeros, format), &limits(size + 100));
        match result {
            Ok(inspection) => {
                assert!(is_whole && inspection.files["zeros"].size_bytes == size, "{size}");
                assert_eq!(inspection.unpacked_bytes, size + 15);
            }
            Err(ArchiveError::Truncated) => assert!(!is_whole, "{size}"),
            Err(other) => panic!("{size}: {other:?}"),
        }
    }
}

fn sizes_that_no_disk_has(count: &Count) {
    let mut beyond = binary_header(1);
    beyond[127] = 1; // 2^64 + 1
    let mut negative = binary_header(0);
    negative[124..136].fill(0xff);
    for block in [beyond, negative] {
        count.one();
        let archive = compress(&[&with_checksum(block)[..], b"x"].concat(), ArchiveFormat::Gzip);
        let result = inspect(&archive[..], &limits(u64::MAX));
        assert!(matches!(result, Err(ArchiveError::Corrupt { .. })), "{result:?}");
    }
    for encoding in [Encoding::Binary, Encoding::Pax] {
        // With the manifest before it, the sum does not fit into 64 bits.
        for limit in [8 << 30, u64::MAX] {
            count.one();
            let archive = compress(&head(u64::MAX, encoding), ArchiveFormat::Zstd);
            let result = inspect(&archive[..], &limits(limit));
            assert!(matches!(result, Err(ArchiveError::TooLarge { .. })), "{result:?}");
        }
    }
}
