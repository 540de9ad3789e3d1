//! Writing a blob: temporary file, digest on the way, fsync, rename, fsync of the folder.

use std::{
    fs::{File, OpenOptions},
    io::{self, Write},
    path::{Path, PathBuf},
};

use aws_lc_rs::digest;
use uuid::Uuid;

use crate::Result;

/// What was stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredBlob {
    /// SHA-256 of the bytes, lower-case hex.
    pub sha256: String,
    /// How many bytes.
    pub size_bytes: u64,
}

/// A blob that is being written. Dropped without [`BlobWriter::commit`] it leaves nothing behind.
pub struct BlobWriter {
    file: File,
    path: PathBuf,
    blobs: PathBuf,
    digest: digest::Context,
    size_bytes: u64,
    committed: bool,
}

impl BlobWriter {
    pub(crate) fn create(incoming: &Path, blobs: &Path) -> Result<Self> {
        let mut name = [0u8; 16];
        aws_lc_rs::rand::fill(&mut name).map_err(|_| io::Error::other("no random bytes"))?;
        let path = incoming.join(hex::encode(name));
        let file = OpenOptions::new().write(true).create_new(true).open(&path)?;
        let digest = digest::Context::new(&digest::SHA256);
        Ok(Self { file, path, blobs: blobs.to_owned(), digest, size_bytes: 0, committed: false })
    }

    /// How many bytes have been written.
    pub fn size_bytes(&self) -> u64 {
        self.size_bytes
    }

    /// Makes the blob durable under an id.
    pub fn commit(mut self, id: Uuid) -> Result<StoredBlob> {
        self.file.sync_all()?;
        std::fs::rename(&self.path, self.blobs.join(id.to_string()))?;
        self.committed = true;
        File::open(&self.blobs)?.sync_all()?;
        Ok(StoredBlob { sha256: hex::encode(self.digest.clone().finish()), size_bytes: self.size_bytes })
    }
}

impl Write for BlobWriter {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = self.file.write(bytes)?;
        self.digest.update(&bytes[..written]);
        self.size_bytes += written as u64;
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Drop for BlobWriter {
    fn drop(&mut self) {
        if !self.committed {
            let _ = std::fs::remove_file(&self.path); // what stays is removed at the next start
        }
    }
}
