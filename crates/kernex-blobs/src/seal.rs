//! The form of an encrypted blob: AES-256-GCM over chunks of 64 KiB, each bound to its place and the last one marked as such
//! (the STREAM construction), so that chunks cannot be changed, moved, left out or added, nor the end cut off.
//!
//! ```text
//! header   8 bytes "KXSEAL1\n", 7 bytes of random prefix, 1 byte zero
//! chunks   64 KiB of ciphertext and 16 bytes of tag each; the last one may be shorter, and there is always one
//! nonce    prefix, number of the chunk (4 bytes, big endian), 1 for the last chunk or 0
//! ```
//!
//! The header is authenticated with every chunk. A key encrypts one blob, so no nonce comes twice.

use aws_lc_rs::aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};

use crate::{ContentKey, Error, Result};

/// What an encrypted blob begins with. No bundle does: those are gzip or zstd.
pub(crate) const MAGIC: &[u8; 8] = b"KXSEAL1\n";
/// Bytes before the first chunk.
pub(crate) const HEADER_BYTES: usize = 16;
/// Plain bytes of a chunk that is not the last.
pub(crate) const CHUNK_BYTES: usize = 64 * 1024;
/// What encryption adds to a chunk.
pub(crate) const TAG_BYTES: usize = 16;
const PREFIX_BYTES: usize = 7;

/// Where an encrypted blob's chunks are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Shape {
    /// How many chunks.
    pub(crate) chunks: u64,
    /// How many plain bytes.
    pub(crate) plain_bytes: u64,
}

impl Shape {
    /// Of a file of this length.
    pub(crate) fn of(file_bytes: u64) -> Result<Self> {
        let damaged = || Error::Damaged("its length is not that of an encrypted blob".to_owned());
        let body = file_bytes.checked_sub(HEADER_BYTES as u64).ok_or_else(damaged)?;
        let chunks = body.div_ceil((CHUNK_BYTES + TAG_BYTES) as u64);
        let plain_bytes = body.checked_sub(chunks * TAG_BYTES as u64).ok_or_else(damaged)?;
        let last = body - chunks.saturating_sub(1) * (CHUNK_BYTES + TAG_BYTES) as u64;
        // Only a blob without bytes has an empty chunk; a reader would never open another one, and not see what was cut off.
        let least = if chunks == 1 { TAG_BYTES } else { TAG_BYTES + 1 };
        if chunks == 0 || last < least as u64 || u32::try_from(chunks).is_err() {
            return Err(damaged());
        }
        Ok(Self { chunks, plain_bytes })
    }

    /// Where a chunk begins in the file.
    pub(crate) fn offset(index: u64) -> u64 {
        HEADER_BYTES as u64 + index * (CHUNK_BYTES + TAG_BYTES) as u64
    }
}

/// Encrypts or decrypts the chunks of one blob.
pub(crate) struct Sealer {
    key: LessSafeKey,
    header: [u8; HEADER_BYTES],
}

impl Sealer {
    /// For a new blob: a key and a header of its own.
    pub(crate) fn generate() -> Result<(ContentKey, Self)> {
        let mut key = ContentKey::default();
        let mut header = [0; HEADER_BYTES];
        header[..MAGIC.len()].copy_from_slice(MAGIC);
        let prefix = &mut header[MAGIC.len()..MAGIC.len() + PREFIX_BYTES];
        let filled = aws_lc_rs::rand::fill(&mut key).and_then(|()| aws_lc_rs::rand::fill(prefix));
        filled.map_err(|_| Error::Key("there are no random bytes".to_owned()))?;
        Ok((key, Self::new(&key, header)?))
    }

    /// For a blob that is there.
    pub(crate) fn new(key: &ContentKey, header: [u8; HEADER_BYTES]) -> Result<Self> {
        let key = UnboundKey::new(&AES_256_GCM, key).map_err(|_| Error::Key("it is no key".to_owned()))?;
        Ok(Self { key: LessSafeKey::new(key), header })
    }

    pub(crate) fn header(&self) -> &[u8; HEADER_BYTES] {
        &self.header
    }

    /// Encrypts a chunk in its place; the tag comes behind it.
    pub(crate) fn seal(&self, index: u64, is_last: bool, chunk: &mut Vec<u8>) -> Result<()> {
        let nonce = self.nonce(index, is_last)?;
        let sealed = self.key.seal_in_place_append_tag(nonce, Aad::from(self.header), chunk);
        sealed.map_err(|_| Error::Key("a chunk cannot be encrypted".to_owned()))
    }

    /// Decrypts a chunk in its place; how many plain bytes there are.
    pub(crate) fn open(&self, index: u64, is_last: bool, chunk: &mut [u8]) -> Result<usize> {
        let nonce = self.nonce(index, is_last)?;
        let opened = self.key.open_in_place(nonce, Aad::from(self.header), chunk);
        opened.map(|plain| plain.len()).map_err(|_| {
            Error::Damaged(format!("chunk {index} was changed, moved or cut off, or the key is another one"))
        })
    }

    fn nonce(&self, index: u64, is_last: bool) -> Result<Nonce> {
        let index = u32::try_from(index).map_err(|_| Error::Damaged("it has too many chunks".to_owned()))?;
        let mut nonce = [0; NONCE_LEN];
        nonce[..PREFIX_BYTES].copy_from_slice(&self.header[MAGIC.len()..MAGIC.len() + PREFIX_BYTES]);
        nonce[PREFIX_BYTES..PREFIX_BYTES + 4].copy_from_slice(&index.to_be_bytes());
        nonce[NONCE_LEN - 1] = u8::from(is_last);
        Ok(Nonce::assume_unique_for_key(nonce))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_shape_follows_from_the_length() {
        let full = (CHUNK_BYTES + TAG_BYTES) as u64;
        let head = HEADER_BYTES as u64;
        let check = |file_bytes: u64, expected: Option<(u64, u64)>| {
            let shape = Shape::of(file_bytes).ok().map(|shape| (shape.chunks, shape.plain_bytes));
            assert_eq!(shape, expected, "{file_bytes}");
        };
        check(head + 16, Some((1, 0)));
        check(head + 17, Some((1, 1)));
        check(head + full, Some((1, CHUNK_BYTES as u64)));
        check(head + full + 17, Some((2, CHUNK_BYTES as u64 + 1)));
        check(head + 2 * full + 20, Some((3, 2 * CHUNK_BYTES as u64 + 4)));
        for damaged in [0, 8, head, head + 15, head + full + 15, head + full + 16] {
            check(damaged, None);
        }
    }
}
