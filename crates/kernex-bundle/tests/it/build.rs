//! Archives made by hand, byte by byte, so that they can be as wrong as a test needs.

use std::io::{Read, Write};

use kernex_bundle::ArchiveFormat;

pub(crate) const BOTH: [ArchiveFormat; 2] = [ArchiveFormat::Gzip, ArchiveFormat::Zstd];

/// A tar archive in the making; `end` closes it.
#[derive(Clone, Debug, Default)]
pub(crate) struct Tar(pub(crate) Vec<u8>);

impl Tar {
    pub(crate) fn new() -> Self {
        Self::default()
    }

    pub(crate) fn file(self, path: &str, content: &[u8]) -> Self {
        self.entry(path.as_bytes(), b'0', 0o644, content)
    }

    pub(crate) fn program(self, path: &str, content: &[u8]) -> Self {
        self.entry(path.as_bytes(), b'0', 0o755, content)
    }

    pub(crate) fn folder(self, path: &str) -> Self {
        self.entry(path.as_bytes(), b'5', 0o755, b"")
    }

    /// A header with this name and type, and its content.
    pub(crate) fn entry(mut self, name: &[u8], kind: u8, mode: u32, content: &[u8]) -> Self {
        self.header(name, kind, mode, content.len() as u64, b"");
        self.content(content)
    }

    pub(crate) fn link(mut self, name: &str, kind: u8, target: &str) -> Self {
        self.header(name.as_bytes(), kind, 0o777, 0, target.as_bytes());
        self
    }

    /// A PAX header before the next entry, of these keys and values.
    pub(crate) fn pax(self, records: &[(&str, &str)]) -> Self {
        self.extended(b'x', records)
    }

    pub(crate) fn extended(self, kind: u8, records: &[(&str, &str)]) -> Self {
        let text: String = records.iter().map(|(key, value)| pax_record(key, value)).collect();
        self.entry(b"PaxHeaders/x", kind, 0o644, text.as_bytes())
    }

    pub(crate) fn gnu_long_name(self, name: &str) -> Self {
        self.entry(b"././@LongLink", b'L', 0, &[name.as_bytes(), b"\0"].concat())
    }

    pub(crate) fn header(&mut self, name: &[u8], kind: u8, mode: u32, size: u64, link: &[u8]) {
        let mut block = [0u8; 512];
        block[..name.len()].copy_from_slice(name);
        block[100..108].copy_from_slice(format!("{mode:07o}\0").as_bytes());
        block[108..116].copy_from_slice(b"0000000\0");
        block[116..124].copy_from_slice(b"0000000\0");
        block[124..136].copy_from_slice(format!("{size:011o}\0").as_bytes());
        block[136..148].copy_from_slice(b"00000000000\0");
        block[156] = kind;
        block[157..157 + link.len()].copy_from_slice(link);
        block[257..265].copy_from_slice(b"ustar\x0000");
        self.0.extend_from_slice(&with_checksum(block));
    }

    pub(crate) fn content(mut self, content: &[u8]) -> Self {
        self.0.extend_from_slice(content);
        self.0.resize(self.0.len().next_multiple_of(512), 0);
        self
    }

    pub(crate) fn end(mut self) -> Vec<u8> {
        self.0.extend_from_slice(&[0; 1024]);
        self.0
    }
}

pub(crate) fn with_checksum(mut block: [u8; 512]) -> [u8; 512] {
    block[148..156].fill(b' ');
    let sum: u32 = block.iter().map(|b| u32::from(*b)).sum();
    block[148..156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
    block
}

fn pax_record(key: &str, value: &str) -> String {
    let rest = key.len() + value.len() + 3;
    let mut length = rest;
    while rest + length.to_string().len() != length {
        length = rest + length.to_string().len();
    }
    format!("{length} {key}={value}\n")
}

pub(crate) fn compress(tar: &[u8], format: ArchiveFormat) -> Vec<u8> {
    match format {
        ArchiveFormat::Gzip => {
            let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
            encoder.write_all(tar).unwrap();
            encoder.finish().unwrap()
        }
        ArchiveFormat::Zstd => {
            let mut encoder = zstd::Encoder::new(Vec::new(), 1).unwrap();
            encoder.include_checksum(true).unwrap();
            encoder.write_all(tar).unwrap();
            encoder.finish().unwrap()
        }
    }
}

pub(crate) fn decompress(archive: &[u8], format: ArchiveFormat) -> Vec<u8> {
    let mut tar = Vec::new();
    match format {
        ArchiveFormat::Gzip => flate2::read::MultiGzDecoder::new(archive).read_to_end(&mut tar),
        ArchiveFormat::Zstd => zstd::Decoder::new(archive).unwrap().read_to_end(&mut tar),
    }
    .unwrap();
    tar
}

/// Everything below a folder, as `path` or `path/`, sorted.
pub(crate) fn listing(dir: &std::path::Path) -> Vec<String> {
    let mut found = Vec::new();
    let mut waiting = vec![dir.to_owned()];
    while let Some(folder) = waiting.pop() {
        for child in std::fs::read_dir(folder).unwrap().map(|c| c.unwrap().path()) {
            let name = child.strip_prefix(dir).unwrap().to_str().unwrap().to_owned();
            if child.symlink_metadata().unwrap().is_dir() {
                found.push(format!("{name}/"));
                waiting.push(child);
            } else {
                found.push(name);
            }
        }
    }
    found.sort();
    found
}
