//! The digest of a bundle's bytes, computed over what is on the disk while they arrive.
//!
//! A second thread reads the file behind the one that writes it. When the last byte is there, so is the digest, and nothing
//! is unpacked before it has been compared. After a restart of the agent the file is read from its beginning.

use std::{
    fs::File,
    io,
    os::unix::fs::FileExt as _,
    path::{Path, PathBuf},
    sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError},
};

use kernex_bundle::{Digest, Hasher};
use kernex_core::DeploymentId;
use tokio::task::JoinHandle;

const BUFFER_BYTES: usize = 256 * 1024;

/// How far a file has been written.
#[derive(Debug, Default)]
pub(super) struct Growth {
    known: Mutex<Known>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct Known {
    len: u64,
    /// How often it began anew.
    generation: u64,
    has_ended: bool,
}

impl Growth {
    /// The file has this many bytes now.
    pub(super) fn set(&self, len: u64) {
        self.change(|known| known.len = len);
    }

    /// What was written does not count.
    pub(super) fn restart(&self) {
        self.change(|known| *known = Known { generation: known.generation + 1, ..Known::default() });
    }

    fn end(&self) {
        self.change(|known| known.has_ended = true);
    }

    fn change(&self, change: impl FnOnce(&mut Known)) {
        change(&mut self.known());
        self.changed.notify_all();
    }

    fn known(&self) -> MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits for bytes beyond `done`; gives how many there are, or `None` when they began anew.
    fn wait_beyond(&self, done: u64, generation: u64) -> io::Result<Option<u64>> {
        let waits =
            |known: &mut Known| !known.has_ended && known.generation == generation && known.len <= done;
        let known = self.changed.wait_while(self.known(), waits).unwrap_or_else(PoisonError::into_inner);
        match &*known {
            known if known.has_ended => Err(io::Error::other("the work was stopped")),
            known if known.generation != generation => Ok(None),
            known => Ok(Some(known.len)),
        }
    }
}

/// The thread that reads behind the download. Dropping it ends it.
#[derive(Debug)]
pub struct Follower {
    deployment: DeploymentId,
    growth: Arc<Growth>,
    task: JoinHandle<io::Result<Digest>>,
}

impl Follower {
    /// Follows a file until it has `total` bytes.
    pub(super) fn start(deployment: DeploymentId, path: PathBuf, total: u64, growth: Arc<Growth>) -> Self {
        let followed = growth.clone();
        let task = tokio::task::spawn_blocking(move || follow(&path, total, &followed));
        Self { deployment, growth, task }
    }

    /// Which deployment's bytes it follows.
    pub(crate) const fn deployment(&self) -> DeploymentId {
        self.deployment
    }

    /// The digest, when all bytes have been written and read again.
    pub(super) async fn digest(mut self) -> io::Result<Digest> {
        (&mut self.task).await.map_err(io::Error::other)?
    }
}

impl Drop for Follower {
    fn drop(&mut self) {
        self.growth.end();
    }
}

fn follow(path: &Path, total: u64, growth: &Growth) -> io::Result<Digest> {
    let file = File::open(path)?;
    let mut buffer = vec![0; BUFFER_BYTES];
    loop {
        let generation = growth.known().generation;
        let (mut hasher, mut done) = (Hasher::new(), 0);
        while done < total {
            let Some(len) = growth.wait_beyond(done, generation)? else { break };
            let wanted = usize::try_from(len.min(total) - done).unwrap_or(BUFFER_BYTES).min(BUFFER_BYTES);
            match file.read_at(&mut buffer[..wanted], done) {
                Ok(read @ 1..) => {
                    hasher.update(&buffer[..read]);
                    done += read as u64;
                }
                // Cut short meanwhile, to begin anew.
                Ok(0) if growth.known().generation != generation => break,
                Ok(0) => return Err(io::ErrorKind::UnexpectedEof.into()),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        if done == total && growth.known().generation == generation {
            return Ok(hasher.finish());
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::{Seek as _, Write as _};

    use kernex_core::Timestamp;

    use super::*;

    #[tokio::test]
    async fn the_digest_is_of_what_was_written_last_however_often_it_began_anew() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("part");
        let mut file = File::create(&path).unwrap();
        let growth = Arc::new(Growth::default());
        let deployment = DeploymentId::generate(Timestamp::from_millis(1));
        let bytes: Vec<u8> = (0..600_000_u32).map(|number| number as u8).collect();
        let follower = Follower::start(deployment, path, bytes.len() as u64, growth.clone());
        for attempt in 0..3 {
            file.set_len(0).unwrap();
            file.rewind().unwrap();
            growth.restart();
            let wrong = [attempt; 1_000];
            file.write_all(&wrong).unwrap();
            growth.set(1_000);
        }
        file.set_len(0).unwrap();
        file.rewind().unwrap();
        growth.restart();
        for (number, chunk) in bytes.chunks(7_777).enumerate() {
            file.write_all(chunk).unwrap();
            growth.set((number * 7_777 + chunk.len()) as u64);
            tokio::task::yield_now().await;
        }
        assert_eq!(follower.digest().await.unwrap(), Digest::of(&bytes));
    }

    #[tokio::test]
    async fn one_that_nobody_needs_any_more_ends() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("part");
        File::create(&path).unwrap();
        let growth = Arc::new(Growth::default());
        let task = tokio::task::spawn_blocking({
            let growth = growth.clone();
            move || follow(&path, 10, &growth)
        });
        growth.set(0);
        growth.end();
        assert!(task.await.unwrap().is_err());
    }
}
