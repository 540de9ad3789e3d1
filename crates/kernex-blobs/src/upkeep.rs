//! Changing the storage key, and encrypting what is plain. Each step is durable by itself and may be repeated.

use std::io::Write as _;

use futures_util::StreamExt as _;
use uuid::Uuid;

use crate::{
    BlobStore, BlobWriter, Error, Result,
    keys::{key_path, read_wrapped, write_wrapped},
};

impl BlobStore {
    /// Wraps a blob's key with the present storage key; whether that was necessary. Nothing of the blob itself is read. Blocks.
    pub fn rewrap(&self, id: Uuid) -> Result<bool> {
        let Some(keys) = self.keys() else { return Ok(false) };
        let path = key_path(&self.blobs, id);
        if !path.exists() {
            return Ok(false); // a plain one
        }
        let wrapped = read_wrapped(&path)?;
        if keys.is_current(&wrapped) {
            return Ok(false);
        }
        let key = keys.unwrap(&wrapped, id).map_err(Error::Key)?;
        write_wrapped(&path, &keys.wrap(&key, id).map_err(Error::Key)?)?;
        Ok(true)
    }

    /// Encrypts a plain blob in place; how many plain bytes were, or `None` when it is encrypted already or is not there.
    /// Whoever reads it goes on reading the bytes that were there.
    pub async fn encrypt(&self, id: Uuid) -> Result<Option<u64>> {
        let keys = self.keys().ok_or_else(|| Error::Key("there is no storage key".to_owned()))?;
        let Some(blob) = self.find(id).await?.filter(|blob| !blob.is_encrypted()) else { return Ok(None) };
        let bytes = blob.size_bytes();
        let mut stream = blob.stream(0, bytes).await?;
        let (incoming, blobs) = (self.incoming.clone(), self.blobs.clone());
        let create = move || BlobWriter::create(&incoming, &blobs, Some(keys));
        let mut writer = blocking(create).await?;
        while let Some(chunk) = stream.next().await {
            let chunk = chunk.map_err(Error::from_io)?;
            writer = blocking(move || {
                writer.write_all(&chunk).map_err(Error::from_io)?;
                Ok(writer)
            })
            .await?;
        }
        blocking(move || writer.commit(id)).await?;
        Ok(Some(bytes))
    }
}

async fn blocking<T: Send + 'static>(work: impl FnOnce() -> Result<T> + Send + 'static) -> Result<T> {
    tokio::task::spawn_blocking(work).await.map_err(|error| Error::Io(std::io::Error::other(error)))?
}
