//! A bundle's bytes while they arrive: what is known to be there survives a killed agent and a power cut.

use std::{
    fs::{File, OpenOptions},
    io::{self, Seek as _, SeekFrom, Write as _},
    os::unix::fs::OpenOptionsExt as _,
    path::PathBuf,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use kernex_core::DeploymentId;
use serde::{Deserialize, Serialize};

use super::follower::Growth;
use crate::{disk, paths::DataDir, vitals::boot_id};

/// How often bytes are forced to the disk: a power cut costs at most this much of a link's work, however slow it is. A link
/// that brings everything within that time forces nothing, and the archive may be gone before the disk ever saw it.
const SYNC_EVERY: Duration = Duration::from_secs(5);
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
    /// The machine's start during which they were written: until the next one, everything in the file is good.
    #[serde(default)]
    boot_id: Option<String>,
}

/// The partial file. A clone is the same file.
#[derive(Clone, Debug)]
pub(super) struct Part {
    inner: Arc<Mutex<Inner>>,
    growth: Arc<Growth>,
}

#[derive(Debug)]
struct Inner {
    file: File,
    len: u64,
    info: Info,
    info_path: PathBuf,
    synced_at: Instant,
}

impl Part {
    /// Opens what is there of this bundle, or begins anew.
    pub(super) fn open(data: &DataDir, deployment: DeploymentId, digest: &str) -> io::Result<Self> {
        Self::open_in(data, deployment, digest, boot_id())
    }

    fn open_in(
        data: &DataDir,
        deployment: DeploymentId,
        digest: &str,
        boot_id: Option<String>,
    ) -> io::Result<Self> {
        let info_path = data.part_info(deployment);
        let info = disk::read_limited(&info_path, MAX_INFO_BYTES).ok();
        let info = info.and_then(|bytes| serde_json::from_slice::<Info>(&bytes).ok());
        let info = info.filter(|info| info.digest == digest);
        let info = info.unwrap_or_else(|| Info { digest: digest.to_owned(), ..Info::default() });
        let mut options = OpenOptions::new();
        options.create(true).truncate(false).read(true).write(true).mode(0o600);
        let mut file = options.open(data.part(deployment))?;
        let is_of_this_start = boot_id.is_some() && info.boot_id == boot_id;
        let good = if is_of_this_start { u64::MAX } else { info.synced_bytes };
        let len = file.metadata()?.len().min(good);
        file.set_len(len)?;
        file.seek(SeekFrom::Start(len))?;
        let growth = Arc::new(Growth::default());
        growth.set(len);
        let synced_bytes = info.synced_bytes.min(len);
        let info = Info { boot_id, synced_bytes, ..info };
        let inner = Inner { file, len, info, info_path, synced_at: Instant::now() };
        Ok(Self { inner: Arc::new(Mutex::new(inner)), growth })
    }

    /// What follows the file is told here.
    pub(super) fn growth(&self) -> Arc<Growth> {
        self.growth.clone()
    }

    pub(super) fn len(&self) -> u64 {
        self.inner().len
    }

    pub(super) fn etag(&self) -> Option<String> {
        self.inner().info.etag.clone()
    }

    /// Notes what the bytes that follow are called; from here on an agent that is killed goes on with them.
    pub(super) fn begin(&self, etag: Option<&str>) -> io::Result<()> {
        let mut inner = self.inner();
        if let Some(etag) = etag {
            inner.info.etag = Some(etag.to_owned());
        }
        inner.store()
    }

    /// Throws away what is there.
    pub(super) fn restart(&self) -> io::Result<()> {
        let mut inner = self.inner();
        self.growth.restart();
        inner.len = 0;
        // First the bytes, then what was known of them: in between, an empty file is one that begins anew.
        inner.file.set_len(0)?;
        inner.file.seek(SeekFrom::Start(0))?;
        inner.info.etag = None;
        inner.info.synced_bytes = 0;
        inner.store()
    }

    pub(super) fn write(&self, bytes: &[u8]) -> io::Result<()> {
        let mut inner = self.inner();
        inner.file.write_all(bytes)?;
        inner.len += bytes.len() as u64;
        self.growth.set(inner.len);
        if inner.synced_at.elapsed() >= SYNC_EVERY { inner.sync() } else { Ok(()) }
    }

    /// Forces the bytes to the disk, and then the knowledge that they are there.
    pub(super) fn sync(&self) -> io::Result<()> {
        self.inner().sync()
    }

    fn inner(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Inner {
    fn sync(&mut self) -> io::Result<()> {
        self.file.sync_data()?;
        self.info.synced_bytes = self.len;
        self.synced_at = Instant::now();
        self.store()
    }

    fn store(&self) -> io::Result<()> {
        disk::write_atomic(&self.info_path, &serde_json::to_vec(&self.info)?)
    }
}

#[cfg(test)]
mod tests {
    use kernex_core::Timestamp;

    use super::*;

    #[test]
    fn bytes_of_the_same_start_of_the_machine_count_and_after_a_power_cut_only_what_was_forced_to_the_disk() {
        let dir = tempfile::tempdir().unwrap();
        let data = DataDir::new(dir.path());
        data.create().unwrap();
        let deployment = DeploymentId::generate(Timestamp::from_millis(1));
        let open = |digest, boot: &str| {
            let part = Part::open_in(&data, deployment, digest, Some(boot.to_owned())).unwrap();
            (part.len(), part.etag(), part)
        };
        let (_, _, part) = open("aa", "first");
        part.begin(Some("\"e\"")).unwrap();
        part.write(b"12345").unwrap();
        part.sync().unwrap();
        part.write(b"678").unwrap();
        drop(part);
        let etag = Some("\"e\"".to_owned());
        let (len, found, part) = open("aa", "first");
        assert_eq!((len, found), (8, etag.clone()), "only the agent was killed");
        drop(part);
        let (len, found, part) = open("aa", "second");
        assert_eq!((len, found), (5, etag));
        drop(part);
        let (len, found, _) = open("bb", "second");
        assert_eq!((len, found), (0, None), "another bundle");
    }

    #[test]
    fn what_was_thrown_away_does_not_come_back() {
        let dir = tempfile::tempdir().unwrap();
        let data = DataDir::new(dir.path());
        data.create().unwrap();
        let deployment = DeploymentId::generate(Timestamp::from_millis(1));
        let part = Part::open(&data, deployment, "aa").unwrap();
        part.begin(Some("\"e\"")).unwrap();
        part.write(b"12345").unwrap();
        part.sync().unwrap();
        part.restart().unwrap();
        part.write(b"12").unwrap();
        drop(part);
        let part = Part::open_in(&data, deployment, "aa", None).unwrap();
        assert_eq!((part.len(), part.etag()), (0, None), "nothing was forced to the disk since");
    }
}
