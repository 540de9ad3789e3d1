//! Keys of one purpose that can be changed while the server runs: the newest is used, older ones are honoured for their time.
//!
//! As long as nobody changed a key there is no file, and the key is derived from the installation's secret. A changed one is
//! random, so that whoever knew the old secret knows nothing of it.

use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail};
use kernex_core::Timestamp;

use super::private_file::{read_private, replace};

/// Keys that a ring keeps; enough for one change a day over two months.
const MAX_KEYS: usize = 64;

/// One key.
#[derive(Clone, PartialEq, Eq)]
pub struct RingKey {
    /// The key.
    pub bytes: [u8; 32],
    /// When a newer one took its place.
    pub retired_at: Option<Timestamp>,
}

impl RingKey {
    /// Names the key without saying anything about it.
    pub fn id(&self) -> String {
        super::sha256_hex(&format!("kernex key id {}", hex::encode(self.bytes)))[..16].to_owned()
    }
}

impl std::fmt::Debug for RingKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("RingKey").field("id", &self.id()).field("retired_at", &self.retired_at).finish()
    }
}

/// The keys of one purpose, the newest first.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyRing(Vec<RingKey>);

impl KeyRing {
    /// Where the ring of a purpose is.
    pub fn path(folder: &Path, purpose: &str) -> PathBuf {
        folder.join(format!("{purpose}.keys"))
    }

    /// Reads a ring; one that nobody changed has the given key only.
    pub fn load(path: &Path, derived: [u8; 32]) -> anyhow::Result<Self> {
        match read_private(path)? {
            None => Ok(Self(vec![RingKey { bytes: derived, retired_at: None }])),
            Some(text) => {
                let text = String::from_utf8(text).ok();
                let ring = text.as_deref().and_then(parse);
                ring.with_context(|| {
                    format!("{} is not a list of keys; restore it from a backup", path.display())
                })
            }
        }
    }

    /// The key to use.
    pub fn current(&self) -> &RingKey {
        &self.0[0]
    }

    /// The keys that are still honoured: the current one, and those that were retired less than so long ago.
    pub fn honoured(&self, keep_secs: Option<i64>, now: Timestamp) -> Vec<RingKey> {
        let is_honoured = |key: &&RingKey| match (key.retired_at, keep_secs) {
            (Some(at), Some(secs)) => now.millis_since(at) < secs.saturating_mul(1_000),
            _ => true,
        };
        self.0.iter().filter(is_honoured).cloned().collect()
    }

    /// Puts a new key before the others and writes the ring.
    pub fn rotate(mut self, path: &Path, now: Timestamp) -> anyhow::Result<Self> {
        if self.0.len() >= MAX_KEYS {
            bail!(
                "{} holds {MAX_KEYS} keys, which is more than ever needed: remove the last lines",
                path.display()
            );
        }
        self.0[0].retired_at = Some(now);
        let mut bytes = [0; 32];
        aws_lc_rs::rand::fill(&mut bytes).ok().context("the operating system gives no random bytes")?;
        self.0.insert(0, RingKey { bytes, retired_at: None });
        replace(path, self.text().as_bytes())?;
        Ok(self)
    }

    fn text(&self) -> String {
        let mut text =
            String::from("# key, and when it was retired (Unix milliseconds); the first one is used\n");
        for key in &self.0 {
            let retired = key.retired_at.map_or_else(|| "-".to_owned(), |at| at.as_millis().to_string());
            text.push_str(&format!("{} {retired}\n", hex::encode(key.bytes)));
        }
        text
    }
}

fn parse(text: &str) -> Option<KeyRing> {
    let mut keys = Vec::new();
    for line in text.lines().filter(|line| !line.starts_with('#') && !line.trim().is_empty()) {
        let (key, retired) = line.split_once(' ')?;
        let mut bytes = [0; 32];
        hex::decode_to_slice(key, &mut bytes).ok()?;
        let retired_at = match retired.trim() {
            "-" => None,
            millis => Some(Timestamp::from_millis(millis.parse().ok()?)),
        };
        keys.push(RingKey { bytes, retired_at });
    }
    (!keys.is_empty() && keys.len() <= MAX_KEYS).then_some(KeyRing(keys))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_new_key_is_used_and_the_old_one_is_honoured_for_its_time() {
        let folder = tempfile::tempdir().unwrap();
        let path = KeyRing::path(folder.path(), "token");
        let at = Timestamp::from_millis(1_000_000);
        let first = KeyRing::load(&path, [7; 32]).unwrap();
        assert_eq!(first.current().bytes, [7; 32]);
        let second = first.rotate(&path, at).unwrap();
        assert_eq!(KeyRing::load(&path, [7; 32]).unwrap(), second);
        assert_ne!(second.current().bytes, [7; 32]);
        let honoured = |secs, keep| {
            second
                .honoured(keep, at.plus_secs(secs))
                .iter()
                .map(|key| key.bytes == [7; 32])
                .collect::<Vec<_>>()
        };
        assert_eq!(honoured(59, Some(60)), [false, true]);
        assert_eq!(honoured(60, Some(60)), [false]);
        assert_eq!(honoured(1_000_000, None), [false, true], "without a limit it opens what it once closed");
        assert!(!format!("{second:?}").contains(&hex::encode([7; 32])));
    }

    #[test]
    fn a_damaged_ring_is_an_error_and_never_an_empty_one() {
        let folder = tempfile::tempdir().unwrap();
        let path = KeyRing::path(folder.path(), "token");
        for text in ["", "# nothing\n", "abc -\n", "00 -\n", &format!("{} soon\n", "0".repeat(64))] {
            replace(&path, text.as_bytes()).unwrap();
            assert!(KeyRing::load(&path, [7; 32]).is_err(), "{text}");
        }
    }
}
