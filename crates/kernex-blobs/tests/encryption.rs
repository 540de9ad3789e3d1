//! Encrypted blobs through the public door: what is read is what was written, by every range, and nothing that was tampered with
//! is given out.

#![allow(clippy::unwrap_used, reason = "helpers of tests are tests too")]

use std::{
    io::Write as _,
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicU8, Ordering},
    },
};

use futures_util::TryStreamExt as _;
use kernex_blobs::{BlobStore, ContentKey, Encryption, Error, WrapKeys};
use proptest::prelude::*;
use uuid::Uuid;

const CHUNK: usize = 64 * 1024;
const SEALED: usize = CHUNK + 16;
const HEADER: usize = 16;
const ID: Uuid = Uuid::from_u128(7);
const OTHER: Uuid = Uuid::from_u128(8);

/// Wraps by adding a number to each byte: enough to tell keys and blobs apart.
#[derive(Debug, Default)]
struct Keys {
    current: AtomicU8,
}

impl WrapKeys for Keys {
    fn wrap(&self, key: &ContentKey, blob: Uuid) -> Result<String, String> {
        let current = self.current.load(Ordering::Relaxed);
        let bytes: Vec<_> = key.iter().map(|byte| byte.wrapping_add(current).to_string()).collect();
        Ok(format!("{current}:{blob}:{}", bytes.join(",")))
    }

    fn unwrap(&self, wrapped: &str, blob: Uuid) -> Result<ContentKey, String> {
        let mut parts = wrapped.splitn(3, ':');
        let number: u8 = parts.next().unwrap().parse().map_err(|_| "no key".to_owned())?;
        if parts.next() != Some(blob.to_string().as_str()) {
            return Err("of another blob".to_owned());
        }
        let bytes =
            parts.next().unwrap().split(',').map(|byte| byte.parse::<u8>().unwrap().wrapping_sub(number));
        bytes.collect::<Vec<_>>().try_into().map_err(|_| "no key".to_owned())
    }

    fn is_current(&self, wrapped: &str) -> bool {
        wrapped.starts_with(&format!("{}:", self.current.load(Ordering::Relaxed)))
    }
}

fn open(folder: &Path, keys: &Arc<Keys>) -> BlobStore {
    let keys: Arc<dyn WrapKeys> = keys.clone();
    BlobStore::open(folder).unwrap().with_encryption(Encryption { keys, new_blobs: true })
}

/// Bytes that differ from place to place.
fn content(length: usize) -> Vec<u8> {
    (0..length).map(|at| (at.wrapping_mul(2_654_435_761) >> 13) as u8).collect()
}

fn write(store: &BlobStore, id: Uuid, bytes: &[u8], step: usize) -> kernex_blobs::StoredBlob {
    let mut writer = store.create().unwrap();
    for piece in bytes.chunks(step.max(1)) {
        writer.write_all(piece).unwrap();
    }
    assert_eq!(writer.size_bytes(), bytes.len() as u64);
    writer.commit(id).unwrap()
}

async fn read(store: &BlobStore, id: Uuid, start: u64, length: u64) -> Result<Vec<u8>, String> {
    let blob = store.find(id).await.map_err(|error| error.to_string())?.ok_or("not there")?;
    let stream = blob.stream(start, length).await.map_err(|error| error.to_string())?;
    let pieces: Vec<_> = stream.try_collect().await.map_err(|error| error.to_string())?;
    Ok(pieces.concat())
}

fn block<T>(work: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(work)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn every_range_gives_the_bytes_that_were_written(
        chunks in 0..7_usize, rest in prop_oneof![Just(0), Just(1), Just(CHUNK - 1), 0..CHUNK],
        step in prop_oneof![Just(1_000_usize), Just(CHUNK), Just(CHUNK + 1), 1_usize..300_000],
        ranges in proptest::collection::vec((0_u64..500_000, 0_u64..500_000), 1..6),
    ) {
        let folder = tempfile::tempdir().unwrap();
        let store = open(folder.path(), &Arc::default());
        let bytes = content(chunks * CHUNK + rest);
        let stored = write(&store, ID, &bytes, step);
        prop_assert_eq!(stored.size_bytes, bytes.len() as u64);
        block(async {
            let blob = store.find(ID).await.unwrap().unwrap();
            prop_assert!(blob.is_encrypted());
            prop_assert_eq!(blob.size_bytes(), bytes.len() as u64);
            prop_assert_eq!(blob.reopen().await.unwrap().sha256().await.unwrap(), stored.sha256);
            let edges = [(0, u64::MAX), (0, bytes.len() as u64), (CHUNK as u64, 1), (CHUNK as u64 - 1, 2)];
            for (start, length) in ranges.into_iter().chain(edges) {
                let from = usize::try_from(start).unwrap().min(bytes.len());
                let to = from.saturating_add(usize::try_from(length).unwrap_or(usize::MAX)).min(bytes.len());
                prop_assert_eq!(&read(&store, ID, start, length).await.unwrap(), &bytes[from..to], "{} {}", start, length);
            }
            Ok(())
        })?;
    }
}

#[test]
fn the_disk_holds_nothing_of_what_was_written() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path(), &Arc::default());
    write(&store, ID, &b"the same sixteen".repeat(20_000), 4_096);
    let file = std::fs::read(path(&folder, ID)).unwrap();
    assert_eq!(file.len(), HEADER + 4 * SEALED + 20_000 * 16 - 4 * CHUNK + 16);
    assert!(!file.windows(16).any(|window| window == b"the same sixteen"));
    write(&store, OTHER, &b"the same sixteen".repeat(20_000), 4_096);
    assert_ne!(
        file[HEADER..],
        std::fs::read(path(&folder, OTHER)).unwrap()[HEADER..],
        "each has a key of its own"
    );
    let mode = |path: PathBuf| {
        std::os::unix::fs::PermissionsExt::mode(&std::fs::metadata(path).unwrap().permissions()) & 0o777
    };
    assert_eq!((mode(path(&folder, ID)), mode(key_path(&folder, ID))), (0o600, 0o600));
}

fn path(folder: &tempfile::TempDir, id: Uuid) -> PathBuf {
    folder.path().join("blobs").join(id.to_string())
}

fn key_path(folder: &tempfile::TempDir, id: Uuid) -> PathBuf {
    folder.path().join("blobs").join(format!("{id}.key"))
}

#[test]
fn whatever_is_done_to_the_file_is_noticed() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path(), &Arc::default());
    let bytes = content(3 * CHUNK + 100);
    write(&store, ID, &bytes, 10_000);
    write(&store, OTHER, &content(3 * CHUNK + 100), 10_000);
    let good = std::fs::read(path(&folder, ID)).unwrap();
    let other = std::fs::read(path(&folder, OTHER)).unwrap();
    let chunk =
        |index: usize| good[HEADER + index * SEALED..].iter().take(SEALED).copied().collect::<Vec<u8>>();
    let of = |chunks: &[usize]| {
        [good[..HEADER].to_vec(), chunks.iter().flat_map(|at| chunk(*at)).collect()].concat()
    };
    assert_eq!(of(&[0, 1, 2, 3]), good);
    let mut cases: Vec<(String, Vec<u8>)> = vec![
        ("two chunks swapped".to_owned(), of(&[1, 0, 2, 3])),
        ("a chunk left out".to_owned(), of(&[0, 2, 3])),
        ("a chunk twice".to_owned(), of(&[0, 1, 1, 2, 3])),
        ("the last chunk left out".to_owned(), of(&[0, 1, 2])),
        ("all but the first left out".to_owned(), of(&[0])),
        ("the last chunk twice".to_owned(), of(&[0, 1, 2, 3, 3])),
        ("no chunk at all".to_owned(), of(&[])),
        ("bytes added".to_owned(), [good.clone(), vec![0; 40]].concat()),
        ("another blob's bytes".to_owned(), other.clone()),
        (
            "another blob's chunk".to_owned(),
            [&good[..HEADER], &other[HEADER..HEADER + SEALED], &good[HEADER + SEALED..]].concat(),
        ),
        ("another blob's header".to_owned(), [&other[..HEADER], &good[HEADER..]].concat()),
    ];
    for length in
        [good.len() - 1, good.len() - 16, good.len() - 100, good.len() - 116, HEADER + SEALED + 1, HEADER + 1]
    {
        cases.push((format!("cut to {length}"), good[..length].to_vec()));
    }
    for at in [8, 14, 15, HEADER, HEADER + CHUNK, HEADER + SEALED, HEADER + 2 * SEALED - 1, good.len() - 1] {
        let mut bad = good.clone();
        bad[at] ^= 1;
        cases.push((format!("byte {at} changed"), bad));
    }
    for (case, bad) in cases {
        std::fs::write(path(&folder, ID), &bad).unwrap();
        let outcome = block(async { store.find(ID).await?.unwrap().sha256().await });
        assert!(matches!(outcome, Err(Error::Damaged(_))), "{case}: {outcome:?}");
        if let Ok(given) = block(read(&store, ID, CHUNK as u64, 10)) {
            assert!(bytes[CHUNK..CHUNK + 10].starts_with(&given), "{case}: a range never gives other bytes");
        }
    }
    std::fs::write(path(&folder, ID), &good).unwrap();
    let key = std::fs::read(key_path(&folder, ID)).unwrap();
    std::fs::copy(key_path(&folder, OTHER), key_path(&folder, ID)).unwrap();
    assert!(matches!(block(store.find(ID)), Err(Error::Key(_))), "another blob's key");
    std::fs::remove_file(key_path(&folder, ID)).unwrap();
    assert!(matches!(block(store.find(ID)), Err(Error::Key(_))), "no key");
    std::fs::write(key_path(&folder, ID), key).unwrap();
    assert_eq!(block(read(&store, ID, 0, u64::MAX)).unwrap(), bytes);
    let plain = BlobStore::open(folder.path()).unwrap();
    assert!(
        matches!(block(plain.find(ID)), Err(Error::Key(_))),
        "a store without keys gives no ciphertext out"
    );
}

#[test]
fn a_new_storage_key_rewrites_the_small_files_only() {
    let folder = tempfile::tempdir().unwrap();
    let keys: Arc<Keys> = Arc::default();
    let store = open(folder.path(), &keys);
    let bytes = content(CHUNK + 5);
    write(&store, ID, &bytes, 1_000);
    let before = std::fs::metadata(path(&folder, ID)).unwrap().modified().unwrap();
    assert!(!store.rewrap(ID).unwrap());
    keys.current.store(9, Ordering::Relaxed);
    assert!(store.rewrap(ID).unwrap());
    assert!(!store.rewrap(ID).unwrap());
    assert!(std::fs::read_to_string(key_path(&folder, ID)).unwrap().starts_with("9:"));
    assert_eq!(std::fs::metadata(path(&folder, ID)).unwrap().modified().unwrap(), before);
    assert_eq!(block(read(&store, ID, 0, u64::MAX)).unwrap(), bytes);
}

#[test]
fn plain_blobs_stay_readable_and_are_encrypted_in_their_place() {
    let folder = tempfile::tempdir().unwrap();
    let plain = BlobStore::open(folder.path()).unwrap();
    let bytes = content(2 * CHUNK + 3);
    let stored = write(&plain, ID, &bytes, 7_000);
    let store = open(folder.path(), &Arc::default());
    assert_eq!(block(read(&store, ID, 5, 10)).unwrap(), bytes[5..15]);
    block(async {
        let reader = store.find(ID).await.unwrap().unwrap();
        assert!(!reader.is_encrypted());
        assert_eq!(store.encrypt(ID).await.unwrap(), Some(bytes.len() as u64));
        assert_eq!(store.encrypt(ID).await.unwrap(), None, "it is done");
        assert_eq!(store.encrypt(OTHER).await.unwrap(), None, "there is none");
        assert_eq!(reader.sha256().await.unwrap(), stored.sha256, "who reads goes on");
        let blob = store.find(ID).await.unwrap().unwrap();
        assert!(blob.is_encrypted());
        assert_eq!(blob.sha256().await.unwrap(), stored.sha256);
        assert_eq!(store.list().unwrap(), [ID]);
        store.delete(ID).await.unwrap();
        assert!(store.find(ID).await.unwrap().is_none());
    });
    assert_eq!(std::fs::read_dir(folder.path().join("blobs")).unwrap().count(), 0);
}
