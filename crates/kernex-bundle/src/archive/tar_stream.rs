//! The framing of a tar archive: headers, contents, padding and the end.

use std::io::Read;

use tar::{EntryType, Header};

use super::{
    ArchiveError,
    decoder::Decoder,
    error::shown,
    pax::{self, Extensions},
};

const BLOCK_BYTES: usize = 512;
/// The largest header that only describes the next entry; a path of 1,024 bytes and some attributes.
const MAX_EXTENSION_BYTES: u64 = 64 * 1024;
/// Zeros after the end that writers add to fill a record; 1 MiB is GNU tar's largest common record.
const MAX_PADDING_BYTES: usize = 1 << 20;

/// One entry as it stands in the archive, its long name put together.
pub(super) struct RawEntry {
    pub(super) path: Vec<u8>,
    pub(super) entry_type: EntryType,
    pub(super) type_byte: u8,
    pub(super) size: u64,
    pub(super) mode: u32,
    /// What a symbolic link says, or what a header says of a link that the entry is not.
    pub(super) link: Option<Vec<u8>>,
    /// The first attribute that must not stand there.
    pub(super) refused_attribute: Option<String>,
}

/// Reads entries one after the other; the content of one must be skipped or read before the next.
pub(super) struct TarStream<R: Read> {
    input: Decoder<R>,
    content_left: u64,
    padding: usize,
    headers_left: u64,
    max_entries: u32,
}

impl<R: Read> TarStream<R> {
    pub(super) fn new(input: Decoder<R>, max_entries: u32) -> Self {
        // Every entry may have a long name, a long link and a PAX header before it.
        let headers_left = u64::from(max_entries) * 4 + 4;
        Self { input, content_left: 0, padding: 0, headers_left, max_entries }
    }

    pub(super) fn input(&self) -> &Decoder<R> {
        &self.input
    }

    /// The next entry, or `None` at the end, which must be the end of everything.
    pub(super) fn next_entry(&mut self) -> Result<Option<RawEntry>, ArchiveError> {
        self.skip_content()?;
        let mut extensions = Extensions::default();
        let mut is_described = false;
        loop {
            let Some(header) = self.read_header()? else {
                if is_described {
                    return Err(ArchiveError::corrupt(
                        "the last header describes an entry that is not there",
                    ));
                }
                self.read_end()?;
                return Ok(None);
            };
            match header.entry_type() {
                EntryType::XHeader => pax::read_local(&self.read_extension(&header)?, &mut extensions)?,
                EntryType::GNULongName => {
                    if extensions.path.is_some() {
                        return Err(ArchiveError::corrupt("an entry has more than one path"));
                    }
                    extensions.path = Some(without_end(self.read_extension(&header)?));
                }
                EntryType::GNULongLink => {
                    if extensions.link.is_some() {
                        return Err(ArchiveError::corrupt("an entry has more than one target"));
                    }
                    extensions.link = Some(without_end(self.read_extension(&header)?));
                }
                EntryType::XGlobalHeader => {
                    pax::read_global(&self.read_extension(&header)?)?;
                    continue;
                }
                _ => return self.entry(&header, extensions).map(Some),
            }
            is_described = true;
        }
    }

    /// Reads of the current entry's content; 0 is its end.
    pub(super) fn read_content(&mut self, buffer: &mut [u8]) -> Result<usize, ArchiveError> {
        let wanted = buffer.len().min(usize::try_from(self.content_left).unwrap_or(usize::MAX));
        if wanted == 0 {
            return Ok(0);
        }
        match self.input.read(&mut buffer[..wanted])? {
            0 => Err(ArchiveError::Truncated),
            n => {
                self.content_left -= n as u64;
                Ok(n)
            }
        }
    }

    fn entry(&mut self, header: &Header, extensions: Extensions) -> Result<RawEntry, ArchiveError> {
        let path = match extensions.path {
            Some(path) => path,
            None => header_path(header)?,
        };
        let size = match extensions.size {
            Some(size) => size,
            None => number(&header.as_old().size).ok_or_else(|| malformed("size", &path))?,
        };
        let mode = octal(&header.as_old().mode).and_then(|mode| u32::try_from(mode).ok());
        let mode = mode.ok_or_else(|| malformed("mode", &path))?;
        let link = match extensions.link {
            None if header.entry_type() == EntryType::Symlink => Some(header_link(header)),
            link => link,
        };
        self.start_content(size);
        let (entry_type, type_byte) = (header.entry_type(), header.as_old().linkflag[0]);
        Ok(RawEntry { path, entry_type, type_byte, size, mode, link, refused_attribute: extensions.refused })
    }

    fn start_content(&mut self, size: u64) {
        self.content_left = size;
        self.padding = (BLOCK_BYTES - (size % BLOCK_BYTES as u64) as usize) % BLOCK_BYTES;
    }

    fn skip_content(&mut self) -> Result<(), ArchiveError> {
        let mut buffer = [0; 8 * 1024];
        while self.read_content(&mut buffer)? != 0 {}
        let padding = std::mem::take(&mut self.padding);
        self.read_exactly(&mut buffer[..padding])
    }

    /// The next header, or `None` for the two empty blocks at the end.
    fn read_header(&mut self) -> Result<Option<Header>, ArchiveError> {
        let mut header = Header::new_old();
        self.read_exactly(header.as_mut_bytes())?;
        if is_zero(header.as_bytes()) {
            self.read_exactly(header.as_mut_bytes())?;
            if is_zero(header.as_bytes()) {
                return Ok(None);
            }
            return Err(ArchiveError::corrupt("an empty block stands between two entries"));
        }
        if octal(&header.as_old().cksum) != Some(u64::from(checksum(header.as_bytes()))) {
            return Err(ArchiveError::corrupt("the checksum of a tar header is wrong"));
        }
        self.headers_left = self
            .headers_left
            .checked_sub(1)
            .ok_or(ArchiveError::TooManyEntries { limit: self.max_entries })?;
        Ok(Some(header))
    }

    /// The content of a header that describes other entries.
    fn read_extension(&mut self, header: &Header) -> Result<Vec<u8>, ArchiveError> {
        let size = number(&header.as_old().size).ok_or_else(|| malformed("size", b"(extended header)"))?;
        if size > MAX_EXTENSION_BYTES {
            return Err(ArchiveError::corrupt("an extended header, a long name for instance, is too long"));
        }
        self.start_content(size);
        let mut content = vec![0; size as usize];
        let mut filled = 0;
        while filled < content.len() {
            filled += self.read_content(&mut content[filled..])?;
        }
        self.skip_content()?;
        Ok(content)
    }

    /// After the end only the zeros that fill a record may come.
    fn read_end(&mut self) -> Result<(), ArchiveError> {
        let mut buffer = [0; 8 * 1024];
        let mut padding = 0;
        loop {
            let read = self.input.read(&mut buffer)?;
            if read == 0 {
                return Ok(());
            }
            padding += read;
            if padding > MAX_PADDING_BYTES || !is_zero(&buffer[..read]) {
                return Err(ArchiveError::TrailingData);
            }
        }
    }

    fn read_exactly(&mut self, mut buffer: &mut [u8]) -> Result<(), ArchiveError> {
        while !buffer.is_empty() {
            match self.input.read(buffer)? {
                0 => return Err(ArchiveError::Truncated),
                n => buffer = &mut buffer[n..],
            }
        }
        Ok(())
    }
}

/// The path in a header. Some writers leave bytes behind a NUL; readers differ on what the name is then.
fn header_path(header: &Header) -> Result<Vec<u8>, ArchiveError> {
    let path = header.path_bytes().into_owned();
    let name = &header.as_old().name;
    let prefix = header.as_ustar().map_or(&[][..], |ustar| &ustar.prefix);
    if has_bytes_after_nul(name) || has_bytes_after_nul(prefix) {
        let entry = shown(&path);
        return Err(ArchiveError::UnsafePath { entry, problem: super::PathProblem::Control });
    }
    Ok(path)
}

/// What a header says that a link leads to. Bytes behind a NUL stay, and are refused with it.
fn header_link(header: &Header) -> Vec<u8> {
    let field = &header.as_old().linkname;
    let end = field.iter().rposition(|b| *b != 0).map_or(0, |last| last + 1);
    field[..end].to_vec()
}

fn has_bytes_after_nul(field: &[u8]) -> bool {
    let end = field.iter().position(|b| *b == 0).unwrap_or(field.len());
    !is_zero(&field[end..])
}

/// A GNU long name without the NUL that ends it.
fn without_end(mut name: Vec<u8>) -> Vec<u8> {
    if name.last() == Some(&0) {
        name.pop();
    }
    name
}

/// A size: octal, or binary behind a first byte of 0x80, as GNU tar writes what octal cannot hold. The `tar` crate takes
/// the last eight bytes and forgets the others, so that a size of 2^64 + 1 would be 1 here and an error elsewhere.
fn number(field: &[u8]) -> Option<u64> {
    match field {
        [0x80, binary @ ..] => {
            let (high, low) = binary.split_at(binary.len().saturating_sub(8));
            is_zero(high).then(|| low.iter().fold(0, |number, byte| number << 8 | u64::from(*byte)))
        }
        _ => octal(field),
    }
}

/// Octal digits, spaces in front of them, spaces and NULs behind. No sign, no other spaces.
fn octal(field: &[u8]) -> Option<u64> {
    let start = field.iter().position(|b| *b != b' ')?;
    let field = &field[start..];
    let end = field.iter().position(|b| !matches!(b, b'0'..=b'7')).unwrap_or(field.len());
    let (digits, rest) = field.split_at(end);
    if digits.is_empty() || !rest.iter().all(|b| matches!(b, b' ' | 0)) {
        return None;
    }
    digits.iter().try_fold(0u64, |number, digit| number.checked_mul(8)?.checked_add(u64::from(digit - b'0')))
}

fn checksum(block: &[u8; BLOCK_BYTES]) -> u32 {
    const FIELD: std::ops::Range<usize> = 148..156;
    let sum = |bytes: &[u8]| bytes.iter().map(|b| u32::from(*b)).sum::<u32>();
    sum(&block[..FIELD.start]) + sum(&block[FIELD.end..]) + FIELD.len() as u32 * u32::from(b' ')
}

fn is_zero(bytes: &[u8]) -> bool {
    bytes.iter().all(|b| *b == 0)
}

fn malformed(field: &str, path: &[u8]) -> ArchiveError {
    ArchiveError::corrupt(format!("the {field} of entry `{}` is malformed", shown(path)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_read_in_one_way_only() {
        for (field, expected) in [
            (&b"0000644\0"[..], Some(0o644)),
            (b"   644 \0", Some(0o644)),
            (b"77777777777\0", Some((8 << 30) - 1)),
            (b"\x80\0\0\0\0\0\0\x01\0\0\0\0", Some(1 << 32)),
            (b"\x80\0\0\0\xff\xff\xff\xff\xff\xff\xff\xff", Some(u64::MAX)),
            (b"\x80\0\0\x01\0\0\0\0\0\0\0\x01", None),
            (b"\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff", None),
            (b"\x81\0\0\0\0\0\0\0\0\0\0\x01", None),
            (b"+0000644\0", None),
            (b"-0000644\0", None),
            (b"0000648\0", None),
            (b"644\0 1\0\0", None),
            (b"\t000644\0", None),
            (b"777777777777777777777777", None),
            (b"        ", None),
            (b"\0\0\0\0\0\0\0\0", None),
            (b"", None),
        ] {
            assert_eq!(number(field), expected, "{}", field.escape_ascii());
        }
    }
}
