//! Bundle bytes on disk: streamed in with their SHA-256, durable before they count, streamed out by range.
//!
//! A blob has an id and nothing else; names that people chose never become paths. Layout: `blobs/<id>` and `incoming/` for what
//! is being written, which is emptied at start.

mod read;
mod write;

use std::{
    io,
    path::{Path, PathBuf},
};

use uuid::Uuid;

pub use read::{Blob, ByteStream};
pub use write::{BlobWriter, StoredBlob};

/// Why a blob operation did not succeed.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The disk is full.
    #[error("the storage has no space left")]
    NoSpace,
    /// Any other failure of the disk.
    #[error("the storage failed: {0}")]
    Io(io::Error),
}

impl From<io::Error> for Error {
    fn from(error: io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => Self::NoSpace,
            _ => Self::Io(error),
        }
    }
}

/// The result of a blob operation.
pub type Result<T> = std::result::Result<T, Error>;

/// Bundle bytes in a folder. Cheap to clone.
#[derive(Clone, Debug)]
pub struct BlobStore {
    blobs: PathBuf,
    incoming: PathBuf,
}

impl BlobStore {
    /// Opens (and makes) the folder, and removes what an earlier run left unfinished.
    pub fn open(folder: &Path) -> Result<Self> {
        let store = Self { blobs: folder.join("blobs"), incoming: folder.join("incoming") };
        std::fs::create_dir_all(&store.blobs)?;
        std::fs::create_dir_all(&store.incoming)?;
        for entry in std::fs::read_dir(&store.incoming)? {
            std::fs::remove_file(entry?.path())?;
        }
        Ok(store)
    }

    /// Begins a new blob. Blocks on the disk, as does all of [`BlobWriter`].
    pub fn create(&self) -> Result<BlobWriter> {
        BlobWriter::create(&self.incoming, &self.blobs)
    }

    /// Opens a blob for reading, if it is there.
    pub async fn find(&self, id: Uuid) -> Result<Option<Blob>> {
        Blob::open(&self.path(id)).await
    }

    /// Removes a blob; fine if there is none.
    pub async fn delete(&self, id: Uuid) -> Result<()> {
        match tokio::fs::remove_file(self.path(id)).await {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error.into()),
            _ => Ok(()),
        }
    }

    /// Ids of all blobs. Blocks on the disk.
    pub fn list(&self) -> Result<Vec<Uuid>> {
        let mut ids = Vec::new();
        for entry in std::fs::read_dir(&self.blobs)? {
            if let Some(id) = entry?.file_name().to_str().and_then(|name| Uuid::try_parse(name).ok()) {
                ids.push(id);
            }
        }
        Ok(ids)
    }

    /// Free and total bytes of the disk. Blocks on the disk.
    pub fn space(&self) -> Result<(u64, u64)> {
        let stat = rustix::fs::statvfs(&self.blobs).map_err(io::Error::from)?;
        Ok((stat.f_bavail.saturating_mul(stat.f_frsize), stat.f_blocks.saturating_mul(stat.f_frsize)))
    }

    /// Whether a file can be made and removed. Blocks on the disk.
    pub fn check(&self) -> Result<()> {
        use std::io::Write as _;
        let mut writer = self.create()?;
        writer.write_all(b"check")?;
        Ok(())
    }

    fn path(&self, id: Uuid) -> PathBuf {
        self.blobs.join(id.to_string())
    }
}
