//! Bundle bytes on disk: streamed in with their SHA-256, durable before they count, streamed out by range.
//!
//! A blob has an id and nothing else; names that people chose never become paths. Layout: `blobs/<id>` and `incoming/` for what
//! is being written, which is emptied at start. An encrypted blob has its wrapped key beside it in `blobs/<id>.key`
//! ([`Encryption`]); plain and encrypted ones may stand side by side.

mod keys;
mod read;
mod seal;
mod upkeep;
mod write;

use std::{
    io,
    path::{Path, PathBuf},
    sync::Arc,
};

use uuid::Uuid;

pub use keys::{ContentKey, Encryption, WrapKeys};
pub use read::{Blob, ByteStream};
pub use write::{BlobWriter, StoredBlob};

/// Why a blob operation did not succeed.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The disk is full.
    #[error("the storage has no space left")]
    NoSpace,
    /// An encrypted blob is not what was written.
    #[error("the stored bytes are damaged: {0}")]
    Damaged(String),
    /// A blob's key cannot be had.
    #[error("the key of the stored bytes: {0}")]
    Key(String),
    /// Any other failure of the disk.
    #[error("the storage failed: {0}")]
    Io(io::Error),
}

impl Error {
    /// For where only an I/O error can be given; [`Error::from_io`] gives it back.
    fn into_io(self) -> io::Error {
        match self {
            Self::Io(error) => error,
            Self::NoSpace => io::ErrorKind::StorageFull.into(),
            other => io::Error::new(io::ErrorKind::InvalidData, other),
        }
    }

    fn from_io(error: io::Error) -> Self {
        match error.downcast::<Self>() {
            Ok(own) => own,
            Err(error) => error.into(),
        }
    }
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
    encryption: Option<Encryption>,
}

impl BlobStore {
    /// Opens (and makes) the folder, and removes what an earlier run left unfinished.
    pub fn open(folder: &Path) -> Result<Self> {
        let store = Self { blobs: folder.join("blobs"), incoming: folder.join("incoming"), encryption: None };
        std::fs::create_dir_all(&store.blobs)?;
        std::fs::create_dir_all(&store.incoming)?;
        for entry in std::fs::read_dir(&store.incoming)? {
            std::fs::remove_file(entry?.path())?;
        }
        Ok(store)
    }

    /// The folder of a server that may be running: what is being written there is left alone.
    pub fn attach(folder: &Path) -> Self {
        Self { blobs: folder.join("blobs"), incoming: folder.join("incoming"), encryption: None }
    }

    /// The same folder, with encryption.
    #[must_use]
    pub fn with_encryption(self, encryption: Encryption) -> Self {
        Self { encryption: Some(encryption), ..self }
    }

    /// Begins a new blob. Blocks on the disk, as does all of [`BlobWriter`].
    pub fn create(&self) -> Result<BlobWriter> {
        let encryption = self.encryption.as_ref().filter(|encryption| encryption.new_blobs);
        let keys = encryption.map(|encryption| encryption.keys.clone());
        BlobWriter::create(&self.incoming, &self.blobs, keys)
    }

    /// Opens a blob for reading, if it is there.
    pub async fn find(&self, id: Uuid) -> Result<Option<Blob>> {
        Blob::open(&self.blobs, id, self.keys()).await
    }

    /// Removes a blob; fine if there is none. Its key goes first, so that nothing can be read of a blob that could not be removed.
    pub async fn delete(&self, id: Uuid) -> Result<()> {
        for path in [keys::key_path(&self.blobs, id), self.path(id)] {
            match tokio::fs::remove_file(path).await {
                Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error.into()),
                _ => {}
            }
        }
        Ok(())
    }

    fn keys(&self) -> Option<Arc<dyn WrapKeys>> {
        self.encryption.as_ref().map(|encryption| encryption.keys.clone())
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
