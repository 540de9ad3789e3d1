//! Bundles whose bytes are of no use: kept for a look, out of everybody's way, and not for long.

use std::{
    fs::{self, Permissions},
    io,
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
};

use kernex_core::{BundleName, BundleVersion, DeploymentId, FailureCode, Timestamp};
use serde::{Deserialize, Serialize};

use crate::{
    disk,
    paths::DataDir,
    state::{Attempt, Failure},
};

/// Enough to compare a bad bundle with the next one.
const MAX_ITEMS: usize = 3;
/// All bundles together; of a larger one only the reason is kept.
const MAX_BYTES: u64 = 1 << 30;
/// Who has not looked within a week does not look.
const MAX_AGE_MILLIS: i64 = 7 * 86_400_000;
/// Characters of the digest in an item's folder name.
const FOLDER_DIGEST_CHARS: usize = 16;
/// Larger than any reason.
const MAX_REASON_BYTES: u64 = 64 * 1024;

/// `reason.json`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Reason {
    /// For a program.
    pub code: FailureCode,
    /// For a person.
    pub message: String,
    /// Where it came from.
    pub deployment_id: DeploymentId,
    /// The bundle's name.
    pub bundle_name: BundleName,
    /// Its version.
    pub bundle_version: BundleVersion,
    /// SHA-256 that the control plane promised.
    pub promised_sha256: String,
    /// When, by the control plane's clock as far as it is known.
    pub quarantined_at: Timestamp,
}

/// One item.
#[derive(Clone, Debug)]
pub struct Item {
    dir: PathBuf,
    /// Why it is here.
    pub reason: Reason,
    /// Size of the bundle's file.
    pub size_bytes: u64,
}

/// Moves an attempt's bytes here, with the reason, and makes room for them.
pub fn keep(data: &DataDir, attempt: &Attempt, failure: &Failure, now: Timestamp) -> io::Result<()> {
    let part = data.part(attempt.deployment_id);
    let dir = folder(data, &attempt.release.digest);
    disk::make_dir(&data.quarantine(), 0o700)?;
    disk::remove_tree(&dir)?;
    disk::make_dir(&dir, 0o700)?;
    let reason = Reason {
        code: failure.code,
        message: failure.message.clone(),
        deployment_id: attempt.deployment_id,
        bundle_name: attempt.bundle_name.clone(),
        bundle_version: attempt.release.version.clone(),
        promised_sha256: attempt.release.digest.clone(),
        quarantined_at: now,
    };
    disk::write_atomic(&dir.join("reason.json"), &serde_json::to_vec_pretty(&reason)?)?;
    if part.metadata()?.len() <= MAX_BYTES {
        fs::set_permissions(&part, Permissions::from_mode(0o600))?;
        fs::rename(&part, dir.join("bundle"))?;
    }
    disk::sync_dir(&dir)?;
    limit(data, now)
}

/// What is known to be wrong with a deployment's bytes: survives also when the state was not saved any more.
pub fn find(data: &DataDir, deployment_id: DeploymentId, digest: &str) -> Option<Failure> {
    let item = read(folder(data, digest))?;
    let is_it = item.reason.deployment_id == deployment_id && item.reason.promised_sha256 == digest;
    is_it.then(|| Failure::new(item.reason.code, item.reason.message))
}

/// What is here, newest first.
pub fn list(data: &DataDir) -> Vec<Item> {
    let entries = fs::read_dir(data.quarantine()).into_iter().flatten().flatten();
    let mut items: Vec<Item> = entries.filter_map(|entry| read(entry.path())).collect();
    items.sort_by_key(|item| std::cmp::Reverse(item.reason.quarantined_at));
    items
}

/// Removes what is too much, the oldest first, and what is too old or no item.
pub fn limit(data: &DataDir, now: Timestamp) -> io::Result<()> {
    let (mut count, mut bytes) = (0, 0);
    let mut kept = Vec::new();
    for item in list(data) {
        (count, bytes) = (count + 1, bytes + item.size_bytes);
        let is_old = now.millis_since(item.reason.quarantined_at) > MAX_AGE_MILLIS;
        if count > MAX_ITEMS || bytes > MAX_BYTES || is_old {
            disk::remove_tree(&item.dir)?;
        } else {
            kept.push(item.dir);
        }
    }
    for entry in fs::read_dir(data.quarantine())?.flatten() {
        if !kept.contains(&entry.path()) {
            remove(&entry.path())?;
        }
    }
    Ok(())
}

/// Gives up everything here: space is needed for something better.
pub fn clear(data: &DataDir) -> io::Result<()> {
    fs::read_dir(data.quarantine())?.flatten().try_for_each(|entry| remove(&entry.path()))
}

fn remove(path: &Path) -> io::Result<()> {
    if path.is_dir() { disk::remove_tree(path) } else { disk::remove_file_if_there(path) }
}

fn folder(data: &DataDir, digest: &str) -> PathBuf {
    data.quarantine().join(digest.chars().take(FOLDER_DIGEST_CHARS).collect::<String>())
}

fn read(dir: PathBuf) -> Option<Item> {
    let bytes = disk::read_limited(&dir.join("reason.json"), MAX_REASON_BYTES).ok()?;
    let reason = serde_json::from_slice(&bytes).ok()?;
    let size_bytes = dir.join("bundle").metadata().map_or(0, |file| file.len());
    Some(Item { dir, reason, size_bytes })
}

#[cfg(test)]
mod tests {
    use kernex_core::{BundleId, DeploymentKind};

    use super::*;
    use crate::state::{Order, Release};

    const DAY: i64 = 86_400_000;

    fn attempt(number: i64) -> Attempt {
        Attempt::begin(Order {
            deployment_id: DeploymentId::generate(Timestamp::from_millis(number)),
            attempt: 1,
            kind: DeploymentKind::Deploy,
            bundle_name: BundleName::default(),
            release: Release {
                version: "1".parse().unwrap(),
                digest: format!("{number:064x}").chars().rev().collect(),
                bundle_id: BundleId(Default::default()),
            },
            size_bytes: 1,
            download_url: String::new(),
            timeout_secs: 1,
            received_at: Timestamp::from_millis(0),
            lease_expires_at: Timestamp::from_millis(0),
        })
    }

    fn put(data: &DataDir, number: i64, size: u64) -> Attempt {
        let attempt = attempt(number);
        fs::File::create(data.part(attempt.deployment_id)).unwrap().set_len(size).unwrap();
        let failure = Failure::new(FailureCode::Unpack, format!("number {number}"));
        keep(data, &attempt, &failure, Timestamp::from_millis(number * DAY)).unwrap();
        attempt
    }

    fn messages(data: &DataDir) -> Vec<String> {
        list(data).into_iter().map(|item| item.reason.message).collect()
    }

    fn data() -> (tempfile::TempDir, DataDir) {
        let dir = tempfile::tempdir().unwrap();
        let data = DataDir::new(dir.path());
        data.create().unwrap();
        (dir, data)
    }

    #[test]
    fn the_bytes_move_here_with_the_reason_for_nobody_elses_eyes() {
        let (_dir, data) = data();
        let attempt = put(&data, 1, 5);
        assert!(!data.part(attempt.deployment_id).exists());
        let item = &list(&data)[0];
        assert_eq!((item.size_bytes, item.reason.deployment_id), (5, attempt.deployment_id));
        let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
        assert_eq!((mode(&item.dir), mode(&item.dir.join("bundle"))), (0o700, 0o600));
        let digest = &attempt.release.digest;
        assert_eq!(find(&data, attempt.deployment_id, digest).unwrap().message, "number 1");
        assert!(find(&data, super::tests::attempt(9).deployment_id, digest).is_none(), "another deployment");
    }

    #[test]
    fn three_items_a_gibibyte_and_a_week_are_the_limits_and_the_oldest_goes_first() {
        let (_dir, data) = data();
        (1..=4).for_each(|number| drop(put(&data, number, 1)));
        assert_eq!(messages(&data), ["number 4", "number 3", "number 2"]);
        put(&data, 5, MAX_BYTES - 1);
        assert_eq!(messages(&data), ["number 5", "number 4"]);
        put(&data, 6, MAX_BYTES + 1);
        assert_eq!(list(&data)[0].size_bytes, 0, "of a bundle too large only the reason is kept");
        limit(&data, Timestamp::from_millis(12 * DAY + 1)).unwrap();
        assert_eq!(messages(&data), ["number 6"]);
        fs::write(data.quarantine().join("stray"), "x").unwrap();
        limit(&data, Timestamp::from_millis(0)).unwrap();
        assert_eq!(fs::read_dir(data.quarantine()).unwrap().count(), 1);
        clear(&data).unwrap();
        assert!(list(&data).is_empty());
    }
}
