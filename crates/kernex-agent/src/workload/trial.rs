//! What counts against a version while the switch to it is recent: crashes within the window, also over restarts.

use std::{
    path::PathBuf,
    time::{Duration, Instant},
};

use serde::{Deserialize, Serialize};

use crate::disk;

/// A file with the times of at most 1,000 crashes.
const MAX_FILE_BYTES: u64 = 64 * 1024;
/// More crashes than any limit in a manifest are not remembered.
const MAX_CRASHES: usize = 1_000;

/// The time after a switch, and the crashes in it. Time during which the agent does not run does not count.
#[derive(Clone, Debug)]
pub struct Trial {
    path: PathBuf,
    window: Duration,
    since: Instant,
    saved: Saved,
}

#[derive(Clone, Debug, Default, Serialize, Deserialize)]
struct Saved {
    digest: String,
    spent_millis: u64,
    crashes: u32,
}

impl Trial {
    /// Begins with the switch to a release.
    pub fn begin(path: PathBuf, digest: &str, window: Duration) -> Self {
        let saved = Saved { digest: digest.to_owned(), ..Saved::default() };
        let trial = Self { path, window, since: Instant::now(), saved };
        trial.save();
        trial
    }

    /// Goes on where it was when the agent stopped, if it is this release's and not over.
    pub fn resume(path: PathBuf, digest: &str, window: Duration) -> Option<Self> {
        let bytes = disk::read_limited(&path, MAX_FILE_BYTES).ok()?;
        let saved: Saved = serde_json::from_slice(&bytes).ok()?;
        let trial = Self { path, window, since: Instant::now(), saved };
        (trial.saved.digest == digest && !trial.is_over()).then_some(trial)
    }

    /// Crashes that were counted.
    pub fn crashes(&self) -> u32 {
        self.saved.crashes.min(MAX_CRASHES as u32)
    }

    /// Counts one more crash, unless it came too late to count.
    pub fn note_crash(&mut self) {
        if !self.is_over() {
            self.saved.crashes = self.saved.crashes.saturating_add(1);
            self.save();
        }
    }

    /// Whether the switch is long ago.
    pub fn is_over(&self) -> bool {
        self.spent() > self.window
    }

    /// Keeps what was counted. What cannot be kept is counted anew after a restart, to the version's favour.
    pub fn save(&self) {
        let spent_millis = u64::try_from(self.spent().as_millis()).unwrap_or(u64::MAX);
        let saved = Saved { spent_millis, ..self.saved.clone() };
        let written = serde_json::to_vec(&saved).map_err(std::io::Error::from);
        if let Err(error) = written.and_then(|bytes| disk::write_atomic(&self.path, &bytes)) {
            tracing::debug!(%error, "the count of crashes cannot be kept");
        }
    }

    fn spent(&self) -> Duration {
        Duration::from_millis(self.saved.spent_millis) + self.since.elapsed()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_count_goes_on_after_a_restart_for_the_same_release_within_the_window_only() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("trial.json");
        let window = Duration::from_secs(300);
        let mut trial = Trial::begin(path.clone(), "a", window);
        trial.note_crash();
        trial.note_crash();
        assert_eq!(Trial::resume(path.clone(), "a", window).unwrap().crashes(), 2);
        assert!(Trial::resume(path.clone(), "b", window).is_none());
        trial.saved.spent_millis = 300_000;
        trial.note_crash();
        assert_eq!(trial.crashes(), 2, "it came too late");
        trial.save();
        assert!(Trial::resume(path.clone(), "a", window).is_none());
        std::fs::write(&path, "{").unwrap();
        assert!(Trial::resume(path, "a", window).is_none());
    }
}
