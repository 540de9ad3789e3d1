//! Reading a blob, as a stream of a range of it.

use std::{
    io,
    path::{Path, PathBuf},
    pin::Pin,
};

use aws_lc_rs::digest;
use bytes::Bytes;
use futures_util::{Stream, StreamExt as _};
use tokio::{
    fs::File,
    io::{AsyncReadExt as _, AsyncSeekExt as _},
};
use tokio_util::io::ReaderStream;

use crate::Result;

/// Bytes per read: fewer cost CPU per read (measured: 4 KiB four times that of 256 KiB), more cost memory per download.
const CHUNK_BYTES: usize = 256 * 1024;

/// Bytes of a blob as they come from the disk.
pub type ByteStream = Pin<Box<dyn Stream<Item = io::Result<Bytes>> + Send>>;

/// A blob that is there.
#[derive(Debug)]
pub struct Blob {
    path: PathBuf,
    file: File,
    size_bytes: u64,
}

impl Blob {
    pub(crate) async fn open(path: &Path) -> Result<Option<Self>> {
        let file = match File::open(path).await {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(error.into()),
        };
        let size_bytes = file.metadata().await?.len();
        Ok(Some(Self { path: path.to_owned(), file, size_bytes }))
    }

    /// How many bytes there are.
    pub fn size_bytes(&self) -> u64 {
        self.size_bytes
    }

    /// The bytes from `start`, `length` of them or as many as there are.
    pub async fn stream(mut self, start: u64, length: u64) -> Result<ByteStream> {
        self.file.seek(io::SeekFrom::Start(start)).await?;
        self.file.set_max_buf_size(CHUNK_BYTES);
        Ok(Box::pin(ReaderStream::with_capacity(self.file.take(length), CHUNK_BYTES)))
    }

    /// Opens the same blob once more, with a place in the file of its own.
    pub fn reopen(&self) -> impl Future<Output = Result<Self>> + Send + 'static {
        let path = self.path.clone();
        async move { Self::open(&path).await?.ok_or_else(|| io::Error::from(io::ErrorKind::NotFound).into()) }
    }

    /// SHA-256 of all bytes as they are read now, lower-case hex.
    pub async fn sha256(self) -> Result<String> {
        let length = self.size_bytes;
        let mut stream = self.stream(0, length).await?;
        let mut digest = digest::Context::new(&digest::SHA256);
        while let Some(chunk) = stream.next().await {
            digest.update(&chunk?);
        }
        Ok(hex::encode(digest.finish()))
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
