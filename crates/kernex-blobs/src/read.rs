//! Reading a blob, as a stream of a range of it; an encrypted one is decrypted on the way.

use std::{
    io,
    path::{Path, PathBuf},
    pin::Pin,
    sync::Arc,
};

use aws_lc_rs::digest;
use bytes::{Bytes, BytesMut};
use futures_util::{Stream, StreamExt as _, stream};
use tokio::{
    fs::File,
    io::{AsyncReadExt as _, AsyncSeekExt as _},
};
use tokio_util::io::ReaderStream;
use uuid::Uuid;

use crate::{
    Error, Result, WrapKeys,
    keys::{key_path, read_wrapped},
    seal::{CHUNK_BYTES, HEADER_BYTES, MAGIC, Sealer, Shape, TAG_BYTES},
};

/// Bytes per read: fewer cost CPU per read (measured: 4 KiB four times that of 256 KiB), more cost memory per download.
const READ_BYTES: usize = 256 * 1024;
/// Chunks of an encrypted blob per read.
const READ_CHUNKS: u64 = (READ_BYTES / CHUNK_BYTES) as u64;

/// Plain bytes of a blob as they come from the disk.
pub type ByteStream = Pin<Box<dyn Stream<Item = io::Result<Bytes>> + Send>>;

/// A blob that is there.
pub struct Blob {
    blobs: PathBuf,
    id: Uuid,
    keys: Option<Arc<dyn WrapKeys>>,
    file: File,
    size_bytes: u64,
    sealed: Option<(Sealer, Shape)>,
}

impl std::fmt::Debug for Blob {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Blob")
            .field("id", &self.id)
            .field("size_bytes", &self.size_bytes)
            .finish_non_exhaustive()
    }
}

impl Blob {
    pub(crate) async fn open(
        blobs: &Path,
        id: Uuid,
        keys: Option<Arc<dyn WrapKeys>>,
    ) -> Result<Option<Self>> {
        let mut file = match File::open(blobs.join(id.to_string())).await {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(error.into()),
        };
        let file_bytes = file.metadata().await?.len();
        let blobs = blobs.to_owned();
        let Some(header) = read_header(&mut file, file_bytes).await? else {
            return Ok(Some(Self { blobs, id, keys, file, size_bytes: file_bytes, sealed: None }));
        };
        let shape = Shape::of(file_bytes)?;
        let sealer = unwrap(&blobs, id, keys.clone(), header).await?;
        let size_bytes = shape.plain_bytes;
        Ok(Some(Self { blobs, id, keys, file, size_bytes, sealed: Some((sealer, shape)) }))
    }

    /// How many plain bytes there are.
    pub fn size_bytes(&self) -> u64 {
        self.size_bytes
    }

    /// Whether the bytes on the disk are encrypted.
    pub fn is_encrypted(&self) -> bool {
        self.sealed.is_some()
    }

    /// The plain bytes from `start`, `length` of them or as many as there are.
    pub async fn stream(mut self, start: u64, length: u64) -> Result<ByteStream> {
        self.file.set_max_buf_size(READ_BYTES + READ_CHUNKS as usize * TAG_BYTES);
        let Some((sealer, shape)) = self.sealed else {
            self.file.seek(io::SeekFrom::Start(start)).await?;
            return Ok(Box::pin(ReaderStream::with_capacity(self.file.take(length), READ_BYTES)));
        };
        let end = start.saturating_add(length).min(shape.plain_bytes);
        let index = start / CHUNK_BYTES as u64;
        self.file.seek(io::SeekFrom::Start(Shape::offset(index))).await?;
        let walk = Walk { file: self.file, sealer, shape, index, start, end };
        Ok(Box::pin(stream::try_unfold(walk, Walk::next)))
    }

    /// Opens the same blob once more, with a place in the file of its own.
    pub fn reopen(&self) -> impl Future<Output = Result<Self>> + Send + 'static {
        let (blobs, id, keys) = (self.blobs.clone(), self.id, self.keys.clone());
        async move {
            let blob = Self::open(&blobs, id, keys).await?;
            blob.ok_or_else(|| io::Error::from(io::ErrorKind::NotFound).into())
        }
    }

    /// SHA-256 of all plain bytes as they are read now, lower-case hex.
    pub async fn sha256(self) -> Result<String> {
        let length = self.size_bytes;
        let mut stream = self.stream(0, length).await?;
        let mut digest = digest::Context::new(&digest::SHA256);
        while let Some(chunk) = stream.next().await {
            digest.update(&chunk.map_err(Error::from_io)?);
        }
        Ok(hex::encode(digest.finish()))
    }
}

/// The header, if the blob is an encrypted one; a plain one is at its beginning again.
async fn read_header(file: &mut File, file_bytes: u64) -> Result<Option<[u8; HEADER_BYTES]>> {
    if file_bytes < HEADER_BYTES as u64 {
        return Ok(None);
    }
    let mut header = [0; HEADER_BYTES];
    file.read_exact(&mut header).await?;
    if header.starts_with(MAGIC) {
        return Ok(Some(header));
    }
    file.seek(io::SeekFrom::Start(0)).await?;
    Ok(None)
}

async fn unwrap(
    blobs: &Path,
    id: Uuid,
    keys: Option<Arc<dyn WrapKeys>>,
    header: [u8; HEADER_BYTES],
) -> Result<Sealer> {
    let keys =
        keys.ok_or_else(|| Error::Key("the blob is encrypted, and there is no storage key".to_owned()))?;
    let path = key_path(blobs, id);
    let unwrap = move || keys.unwrap(&read_wrapped(&path)?, id).map_err(Error::Key);
    let key = tokio::task::spawn_blocking(unwrap).await.map_err(io::Error::other)??;
    Sealer::new(&key, header)
}

/// A range of an encrypted blob under way: some chunks are in memory.
struct Walk {
    file: File,
    sealer: Sealer,
    shape: Shape,
    index: u64,
    start: u64,
    end: u64,
}

impl Walk {
    async fn next(mut self) -> io::Result<Option<(Bytes, Self)>> {
        let first = self.index * CHUNK_BYTES as u64;
        if first >= self.end {
            return Ok(None);
        }
        let wanted = (self.end - first).div_ceil(CHUNK_BYTES as u64).min(READ_CHUNKS);
        let count = wanted.min(self.shape.chunks - self.index);
        let mut bytes = BytesMut::zeroed(self.sealed_bytes(count));
        self.file.read_exact(&mut bytes).await?;
        let mut plain = BytesMut::with_capacity(count as usize * CHUNK_BYTES);
        for chunk in bytes.chunks_mut(CHUNK_BYTES + TAG_BYTES) {
            let is_last = self.index + 1 == self.shape.chunks;
            let length = self.sealer.open(self.index, is_last, chunk).map_err(Error::into_io)?;
            plain.extend_from_slice(&chunk[..length]);
            self.index += 1;
        }
        let mut plain = plain.freeze();
        plain.truncate(usize::try_from(self.end - first).unwrap_or(usize::MAX));
        let skipped = usize::try_from(self.start.saturating_sub(first)).unwrap_or(usize::MAX);
        Ok(Some((plain.slice(skipped.min(plain.len())..), self)))
    }

    /// How long the next chunks are in the file.
    fn sealed_bytes(&self, count: u64) -> usize {
        let full = count as usize * (CHUNK_BYTES + TAG_BYTES);
        if self.index + count < self.shape.chunks {
            return full;
        }
        let last = self.shape.plain_bytes - (self.shape.chunks - 1) * CHUNK_BYTES as u64;
        full - (CHUNK_BYTES - last as usize)
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use futures_util::TryStreamExt as _;
    use uuid::Uuid;

    use crate::BlobStore;

    #[tokio::test]
    async fn what_was_committed_is_read_back_by_range_and_the_rest_leaves_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let store = BlobStore::open(folder.path()).unwrap();
        let id = Uuid::from_u128(7);
        let mut writer = store.create().unwrap();
        writer.write_all(b"hello world").unwrap();
        let stored = writer.commit(id).unwrap();
        assert_eq!(stored.size_bytes, 11);
        assert_eq!(stored.sha256, "b94d27b9934d3e08a52e52d7da7dabfac484efe37a5380ee9088f7ace2efcde9");

        let blob = store.find(id).await.unwrap().unwrap();
        assert_eq!(blob.reopen().await.unwrap().sha256().await.unwrap(), stored.sha256);
        let part: Vec<_> = blob.stream(6, 3).await.unwrap().try_collect().await.unwrap();
        assert_eq!(part.concat(), b"wor");
        assert_eq!(store.list().unwrap(), [id]);

        let mut dropped = store.create().unwrap();
        dropped.write_all(b"half").unwrap();
        drop(dropped);
        assert_eq!(std::fs::read_dir(folder.path().join("incoming")).unwrap().count(), 0);

        store.delete(id).await.unwrap();
        store.delete(id).await.unwrap();
        assert!(store.find(id).await.unwrap().is_none());
    }

    #[tokio::test]
    async fn what_a_crash_left_unfinished_is_gone_at_the_next_start() {
        let folder = tempfile::tempdir().unwrap();
        let store = BlobStore::open(folder.path()).unwrap();
        let mut writer = store.create().unwrap();
        writer.write_all(b"half").unwrap();
        std::mem::forget(writer);
        BlobStore::open(folder.path()).unwrap();
        assert_eq!(std::fs::read_dir(folder.path().join("incoming")).unwrap().count(), 0);
    }
}
