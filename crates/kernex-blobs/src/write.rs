//! Writing a blob: temporary file, digest and encryption on the way, fsync, rename, fsync of the folder.

use std::{
    fs::{File, OpenOptions},
    io::{self, Write},
    os::unix::fs::OpenOptionsExt as _,
    path::{Path, PathBuf},
    sync::Arc,
};

use aws_lc_rs::digest;
use uuid::Uuid;

use crate::{
    ContentKey, Error, Result, WrapKeys,
    keys::{key_path, write_wrapped},
    seal::{CHUNK_BYTES, Sealer, TAG_BYTES},
};

/// What was stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredBlob {
    /// SHA-256 of the plain bytes, lower-case hex.
    pub sha256: String,
    /// How many plain bytes.
    pub size_bytes: u64,
}

/// A blob that is being written. Dropped without [`BlobWriter::commit`] it leaves nothing behind.
pub struct BlobWriter {
    file: File,
    path: PathBuf,
    blobs: PathBuf,
    digest: digest::Context,
    size_bytes: u64,
    sealing: Option<Sealing>,
    committed: bool,
}

/// A blob that is encrypted on the way: one chunk is in memory.
struct Sealing {
    keys: Arc<dyn WrapKeys>,
    key: ContentKey,
    sealer: Sealer,
    index: u64,
    chunk: Vec<u8>,
}

impl BlobWriter {
    pub(crate) fn create(incoming: &Path, blobs: &Path, keys: Option<Arc<dyn WrapKeys>>) -> Result<Self> {
        let mut name = [0u8; 16];
        aws_lc_rs::rand::fill(&mut name).map_err(|_| io::Error::other("no random bytes"))?;
        let path = incoming.join(hex::encode(name));
        let file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&path)?;
        let digest = digest::Context::new(&digest::SHA256);
        let blobs = blobs.to_owned();
        let mut writer = Self { file, path, blobs, digest, size_bytes: 0, sealing: None, committed: false };
        if let Some(keys) = keys {
            let (key, sealer) = Sealer::generate()?;
            writer.file.write_all(sealer.header())?;
            let chunk = Vec::with_capacity(CHUNK_BYTES + TAG_BYTES);
            writer.sealing = Some(Sealing { keys, key, sealer, index: 0, chunk });
        }
        Ok(writer)
    }

    /// How many plain bytes have been written.
    pub fn size_bytes(&self) -> u64 {
        self.size_bytes
    }

    /// Makes the blob durable under an id.
    pub fn commit(mut self, id: Uuid) -> Result<StoredBlob> {
        if let Some(mut sealing) = self.sealing.take() {
            sealing.write_chunk(&mut self.file, true)?;
            // The key first: a blob without its key is lost, a key without its blob is nothing.
            let wrapped = sealing.keys.wrap(&sealing.key, id).map_err(Error::Key)?;
            write_wrapped(&key_path(&self.blobs, id), &wrapped)?;
        }
        self.file.sync_all()?;
        std::fs::rename(&self.path, self.blobs.join(id.to_string()))?;
        self.committed = true;
        File::open(&self.blobs)?.sync_all()?;
        Ok(StoredBlob { sha256: hex::encode(self.digest.clone().finish()), size_bytes: self.size_bytes })
    }
}

impl Sealing {
    /// Takes as many bytes as fit into the chunk, and writes it when it is full and more are to come.
    fn write(&mut self, file: &mut File, mut bytes: &[u8]) -> Result<()> {
        while !bytes.is_empty() {
            if self.chunk.len() == CHUNK_BYTES {
                self.write_chunk(file, false)?;
            }
            let (now, later) = bytes.split_at(bytes.len().min(CHUNK_BYTES - self.chunk.len()));
            self.chunk.extend_from_slice(now);
            bytes = later;
        }
        Ok(())
    }

    fn write_chunk(&mut self, file: &mut File, is_last: bool) -> Result<()> {
        self.sealer.seal(self.index, is_last, &mut self.chunk)?;
        file.write_all(&self.chunk)?;
        self.chunk.clear();
        self.index += 1;
        Ok(())
    }
}

impl Write for BlobWriter {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = match &mut self.sealing {
            None => self.file.write(bytes)?,
            Some(sealing) => {
                sealing.write(&mut self.file, bytes).map_err(Error::into_io)?;
                bytes.len()
            }
        };
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
