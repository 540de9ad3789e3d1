//! Hashing a file's content while it goes on being read and written: on a second thread, when it is large.

use std::{
    sync::mpsc::{Receiver, SyncSender, channel, sync_channel},
    thread::{self, JoinHandle},
};

use crate::digest::{Digest, Hasher};

/// Smaller files are hashed before a thread would have started.
const LARGE_BYTES: u64 = 4 << 20;
/// Buffers on their way to the second thread.
const IN_FLIGHT: usize = 3;

/// Where contents are hashed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Hashing {
    /// On this thread.
    Here,
    /// Those of large files on a thread of their own.
    Beside,
}

/// Hashes one file.
pub(super) enum FileHasher {
    Here(Hasher),
    Beside(Lane),
}

impl FileHasher {
    pub(super) fn new(hashing: Hashing, size_bytes: u64) -> Self {
        let lane = if hashing == Hashing::Beside && size_bytes >= LARGE_BYTES { Lane::start() } else { None };
        lane.map_or_else(|| Self::Here(Hasher::new()), Self::Beside)
    }

    /// Adds the first bytes of the buffer, which may be another one of the same size afterwards.
    pub(super) fn update(&mut self, buffer: &mut Vec<u8>, len: usize) {
        match self {
            Self::Here(hasher) => hasher.update(&buffer[..len]),
            Self::Beside(lane) => lane.update(buffer, len),
        }
    }

    /// The digest; none, if the second thread came to a bad end.
    pub(super) fn finish(self) -> Option<Digest> {
        match self {
            Self::Here(hasher) => Some(hasher.finish()),
            Self::Beside(lane) => lane.finish(),
        }
    }
}

/// The second thread.
pub(super) struct Lane {
    full: SyncSender<(Vec<u8>, usize)>,
    empty: Receiver<Vec<u8>>,
    thread: JoinHandle<Digest>,
}

impl Lane {
    /// None, if there can be no more threads.
    fn start() -> Option<Self> {
        let (full, to_hash) = sync_channel::<(Vec<u8>, usize)>(IN_FLIGHT);
        let (done, empty) = channel();
        let hash = move || {
            let mut hasher = Hasher::new();
            for (buffer, len) in to_hash {
                hasher.update(&buffer[..len]);
                // Nobody waits for buffers at the end.
                let _ = done.send(buffer);
            }
            hasher.finish()
        };
        let thread = thread::Builder::new().name("digest".to_owned()).spawn(hash).ok()?;
        Some(Self { full, empty, thread })
    }

    fn update(&self, buffer: &mut Vec<u8>, len: usize) {
        let size = buffer.len();
        let next = self.empty.try_recv().unwrap_or_else(|_| vec![0; size]);
        // If the thread is gone there is no digest at the end.
        let _ = self.full.send((std::mem::replace(buffer, next), len));
    }

    fn finish(self) -> Option<Digest> {
        drop(self.full);
        self.thread.join().ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_ways_give_the_same_digest_and_hand_back_a_buffer_of_the_same_size() {
        let bytes: Vec<u8> = (0..5_000_000_u32).map(|number| (number % 251) as u8).collect();
        for hashing in [Hashing::Here, Hashing::Beside] {
            let mut hasher = FileHasher::new(hashing, bytes.len() as u64);
            let mut buffer = vec![0; 100_000];
            for chunk in bytes.chunks(77_777) {
                buffer[..chunk.len()].copy_from_slice(chunk);
                hasher.update(&mut buffer, chunk.len());
                assert_eq!(buffer.len(), 100_000);
            }
            assert_eq!(hasher.finish(), Some(Digest::of(&bytes)), "{hashing:?}");
        }
    }
}
