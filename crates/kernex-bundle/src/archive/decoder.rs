//! Telling the compression by the first bytes, and undoing it.

use std::io::{self, BufReader, Chain, Cursor, Read};

use flate2::bufread::MultiGzDecoder;

use super::{ArchiveError, ArchiveFormat};

const GZIP_MAGIC: [u8; 2] = [0x1f, 0x8b];
const ZSTD_MAGIC: [u8; 4] = [0x28, 0xb5, 0x2f, 0xfd];
/// 8 MiB, what RFC 8878 asks every decoder to hold: archives of `zstd --ultra -20` and above ask devices for more.
const ZSTD_WINDOW_LOG_MAX: u32 = 23;
const BUFFER_BYTES: usize = 64 * 1024;

type Input<R> = BufReader<Chain<Cursor<Vec<u8>>, Source<R>>>;

/// The archive without its compression.
pub(super) enum Decoder<R: Read> {
    Gzip(Box<MultiGzDecoder<Input<R>>>),
    Zstd(zstd::stream::read::Decoder<'static, Input<R>>),
}

impl<R: Read> Decoder<R> {
    pub(super) fn new(reader: R) -> Result<Self, ArchiveError> {
        let mut source = Source(reader);
        let mut magic = Vec::with_capacity(ZSTD_MAGIC.len());
        (&mut source).take(ZSTD_MAGIC.len() as u64).read_to_end(&mut magic).map_err(input_error)?;
        let is_gzip = magic.starts_with(&GZIP_MAGIC);
        if !is_gzip && magic != ZSTD_MAGIC {
            return Err(ArchiveError::NotAnArchive);
        }
        let input = BufReader::with_capacity(BUFFER_BYTES, Cursor::new(magic).chain(source));
        if is_gzip {
            return Ok(Self::Gzip(Box::new(MultiGzDecoder::new(input))));
        }
        let mut decoder = zstd::stream::read::Decoder::with_buffer(input).map_err(input_error)?;
        decoder.window_log_max(ZSTD_WINDOW_LOG_MAX).map_err(input_error)?;
        Ok(Self::Zstd(decoder))
    }

    pub(super) fn format(&self) -> ArchiveFormat {
        match self {
            Self::Gzip(_) => ArchiveFormat::Gzip,
            Self::Zstd(_) => ArchiveFormat::Zstd,
        }
    }

    /// Reads unpacked bytes; 0 is the end of everything, with checksums compared and nothing left over.
    pub(super) fn read(&mut self, buffer: &mut [u8]) -> Result<usize, ArchiveError> {
        loop {
            let result = match self {
                Self::Gzip(decoder) => decoder.read(buffer),
                Self::Zstd(decoder) => decoder.read(buffer),
            };
            match result {
                Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
                other => return other.map_err(input_error),
            }
        }
    }
}

/// The caller's reader, its errors marked: the decoders' own errors mean that the archive is bad.
pub(super) struct Source<R>(R);

#[derive(Debug, thiserror::Error)]
#[error("{0}")]
struct SourceFailed(io::Error);

impl<R: Read> Read for Source<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.0.read(buffer).map_err(|e| match e.kind() {
            io::ErrorKind::Interrupted => e,
            _ => io::Error::other(SourceFailed(e)),
        })
    }
}

fn input_error(error: io::Error) -> ArchiveError {
    let kind = error.kind();
    match error.downcast::<SourceFailed>() {
        Ok(SourceFailed(original)) => ArchiveError::Read(original),
        Err(_) if kind == io::ErrorKind::UnexpectedEof => ArchiveError::Truncated,
        Err(error) => match error.to_string() {
            // What zstd's C code says; it has no code of its own in an `io::Error`.
            reason if reason.contains("too much memory") => ArchiveError::WindowTooLarge,
            reason => ArchiveError::Corrupt { reason },
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Broken;

    impl Read for Broken {
        fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
            Err(io::Error::new(io::ErrorKind::ConnectionReset, "gone"))
        }
    }

    fn read_all(reader: impl Read) -> Result<Vec<u8>, ArchiveError> {
        let mut decoder = Decoder::new(reader)?;
        let (mut all, mut buffer) = (Vec::new(), [0; 100]);
        loop {
            match decoder.read(&mut buffer)? {
                0 => return Ok(all),
                n => all.extend_from_slice(&buffer[..n]),
            }
        }
    }

    #[test]
    fn an_error_of_the_reader_is_no_error_of_the_archive() {
        let is_read = |e: &ArchiveError| matches!(e, ArchiveError::Read(e) if e.kind() == io::ErrorKind::ConnectionReset);
        assert!(is_read(&read_all(Broken).unwrap_err()));
        let zst = zstd::encode_all(&b"hello"[..], 3).unwrap();
        for length in 4..zst.len() {
            assert!(is_read(&read_all(zst[..length].chain(Broken)).unwrap_err()), "{length}");
        }
    }

    #[test]
    fn anything_but_gzip_and_zstd_is_no_archive() {
        for bytes in [&b""[..], b"PK\x03\x04", b"BZh9", b"\x1f", b"\x28\xb5\x2f", b"ustar and so on"] {
            assert!(matches!(read_all(bytes), Err(ArchiveError::NotAnArchive)), "{bytes:?}");
        }
    }

    #[test]
    fn a_window_that_a_small_device_cannot_hold_is_refused() {
        let mut encoder = zstd::Encoder::new(Vec::new(), 3).unwrap();
        encoder.long_distance_matching(true).unwrap();
        encoder.window_log(27).unwrap();
        let mut zeros = io::repeat(0).take(64 << 20);
        io::copy(&mut zeros, &mut encoder).unwrap();
        assert!(matches!(read_all(&encoder.finish().unwrap()[..]), Err(ArchiveError::WindowTooLarge)));
    }
}
