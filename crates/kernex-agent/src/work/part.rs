//! A bundle's bytes while they arrive: what is known to be on the disk survives a power cut.

use std::{
    fs::{File, OpenOptions},
    io::{self, Seek as _, SeekFrom, Write as _},
    os::unix::fs::OpenOptionsExt as _,
    path::PathBuf,
};

use kernex_core::DeploymentId;
use serde::{Deserialize, Serialize};

use crate::{disk, paths::DataDir};

/// After this many bytes they are forced to the disk: a power cut costs at most that much of a slow link's work.
const SYNC_EVERY_BYTES: u64 = 8 * 1024 * 1024;
const MAX_INFO_BYTES: u64 = 64 * 1024;

/// What is known of the bytes.
#[derive(Debug, Default, Serialize, Deserialize)]
struct Info {
    /// Which bundle they are of.
    digest: String,
    /// What the control plane calls this content.
    etag: Option<String>,
    /// Bytes that are on the disk for sure; after a power cut the rest may be anything.
    synced_bytes: u64,
}

/// The partial file.
#[derive(Debug)]
pub(super) struct Part {
    file: File,
    len: u64,
    info: Info,
    info_path: PathBuf,
}

impl Part {
    /// Opens what is there of this bundle, or begins anew.
    pub(super) fn open(data: &DataDir, deployment: DeploymentId, digest: &str) -> io::Result<Self> {
        let info_path = data.part_info(deployment);
        let info = disk::read_limited(&info_path, MAX_INFO_BYTES).ok();
        let info = info.and_then(|bytes| serde_json::from_slice::<Info>(&bytes).ok());
        let info = info.filter(|info| info.digest == digest);
        let info = info.unwrap_or_else(|| Info { digest: digest.to_owned(), ..Info::default() });
        let mut options = OpenOptions::new();
        options.create(true).truncate(false).read(true).write(true).mode(0o600);
        let mut file = options.open(data.part(deployment))?;
        let len = file.metadata()?.len().min(info.synced_bytes);
        file.set_len(len)?;
        file.seek(SeekFrom::Start(len))?;
        Ok(Self { file, len, info, info_path })
    }

    pub(super) fn len(&self) -> u64 {
        self.len
    }

    pub(super) fn etag(&self) -> Option<&str> {
        self.info.etag.as_deref()
    }

    pub(super) fn set_etag(&mut self, etag: Option<&str>) {
        if let Some(etag) = etag {
            self.info.etag = Some(etag.to_owned());
        }
    }

    pub(super) fn restart(&mut self) -> io::Result<()> {
        self.file.set_len(0)?;
        self.file.seek(SeekFrom::Start(0))?;
        self.len = 0;
        self.info.etag = None;
        self.info.synced_bytes = 0;
        Ok(())
    }

    pub(super) fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.file.write_all(bytes)?;
        self.len += bytes.len() as u64;
        if self.len >= self.info.synced_bytes + SYNC_EVERY_BYTES { self.sync() } else { Ok(()) }
    }

    /// Forces the bytes to the disk, and then the knowledge that they are there.
    pub(super) fn sync(&mut self) -> io::Result<()> {
        self.file.sync_data()?;
        self.info.synced_bytes = self.len;
        let info = serde_json::to_vec(&self.info)?;
        disk::write_atomic(&self.info_path, &info)
    }
}

#[cfg(test)]
mod tests {
    use kernex_core::Timestamp;

    use super::*;

    #[test]
    fn what_was_not_forced_to_the_disk_or_is_of_another_bundle_is_not_trusted() {
        let dir = tempfile::tempdir().unwrap();
        let data = DataDir::new(dir.path());
        data.create().unwrap();
        let deployment = DeploymentId::generate(Timestamp::from_millis(1));
        let mut part = Part::open(&data, deployment, "aa").unwrap();
        part.set_etag(Some("\"e\""));
        part.write(b"12345").unwrap();
        part.sync().unwrap();
        part.write(b"678").unwrap();
        drop(part);
        let part = Part::open(&data, deployment, "aa").unwrap();
        assert_eq!((part.len(), part.etag()), (5, Some("\"e\"")));
        drop(part);
        let part = Part::open(&data, deployment, "bb").unwrap();
        assert_eq!((part.len(), part.etag()), (0, None));
    }
}
