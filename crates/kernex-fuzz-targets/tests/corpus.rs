//! A short fuzz run without a fuzzer: the kept corpus, and mutations of it that are the same in every run.

#![allow(clippy::unwrap_used, clippy::panic)]

use std::{fs, panic, path::Path};

use kernex_fuzz_targets::{TARGETS, Target};

/// Of each target, unless `KERNEX_FUZZ_MUTATIONS` says another number.
const MUTATIONS: u64 = 2000;
const MAX_BYTES: usize = 64 * 1024;

fn run(name: &str) {
    let (_, target) = *TARGETS.iter().find(|(known, _)| *known == name).unwrap();
    let corpus = corpus(name);
    for (file, bytes) in &corpus {
        try_one(target, bytes, &format!("{name}/{file}"));
    }
    let mutations = std::env::var("KERNEX_FUZZ_MUTATIONS").ok().and_then(|text| text.parse().ok());
    for seed in 0..mutations.unwrap_or(MUTATIONS) {
        let mut random = Random(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) + 1);
        let mut bytes = corpus[random.below(corpus.len())].1.clone();
        for _ in 0..=random.below(4) {
            mutate(&mut bytes, &corpus, &mut random);
        }
        bytes.truncate(MAX_BYTES);
        try_one(target, &bytes, &format!("{name}, mutation {seed}"));
    }
}

fn corpus(name: &str) -> Vec<(String, Vec<u8>)> {
    let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fuzz/corpus").join(name);
    let mut files: Vec<_> = fs::read_dir(&dir)
        .unwrap()
        .map(|entry| entry.unwrap())
        .map(|entry| (entry.file_name().into_string().unwrap(), fs::read(entry.path()).unwrap()))
        .collect();
    assert!(!files.is_empty(), "{} is empty", dir.display());
    files.sort();
    files
}

fn try_one(target: fn(&[u8]), bytes: &[u8], what: &str) {
    if panic::catch_unwind(|| target(bytes)).is_err() {
        panic!("{what} broke a promise; the bytes are {}", bytes.escape_ascii());
    }
}

fn mutate(bytes: &mut Vec<u8>, corpus: &[(String, Vec<u8>)], random: &mut Random) {
    const PIECES: [&[u8]; 16] = [
        b"\0",
        b"\xff",
        b"-1",
        b"1e999",
        b"null",
        b"\"\\ud800\"",
        b"../",
        b"[[[[[[[[",
        b"{}",
        b"\x80\0\0\0\0\0\0\0",
        b"18446744073709551616",
        b"9223372036854775808",
        b"\n",
        b"\"\"",
        b"true",
        b"ustar\x0000",
    ];
    let at = random.below(bytes.len() + 1);
    let end = (at + 1 + random.below(64)).min(bytes.len()).max(at);
    match random.below(6) {
        0 if at < bytes.len() => bytes[at] ^= 1 << random.below(8),
        1 if at < bytes.len() => bytes[at] = random.below(256) as u8,
        2 => drop(bytes.drain(at..end)),
        3 => {
            let piece = bytes[at..end].to_vec();
            bytes.splice(at..at, piece);
        }
        4 => {
            let other = &corpus[random.below(corpus.len())].1;
            let from = random.below(other.len() + 1);
            let to = (from + random.below(512)).min(other.len());
            bytes.splice(at..end, other[from..to].iter().copied());
        }
        _ => {
            let piece = PIECES[random.below(PIECES.len())];
            bytes.splice(at..end.min(at + piece.len()), piece.iter().copied());
        }
    }
}

/// Xorshift: the same numbers for the same seed, on every machine.
struct Random(u64);

impl Random {
    fn below(&mut self, limit: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 % limit as u64) as usize
    }
}

#[test]
fn every_target_has_a_test_here() {
    let named: Vec<_> = TARGETS.iter().map(|(name, _): &Target| *name).collect();
    assert_eq!(named, ["manifest", "archive", "unpack", "state", "config", "answers", "signing"]);
}

#[test]
fn manifests() {
    run("manifest");
}

#[test]
fn archives() {
    run("archive");
}

#[test]
fn unpacking() {
    run("unpack");
}

#[test]
fn state_files() {
    run("state");
}

#[test]
fn configurations() {
    run("config");
}

#[test]
fn answers_of_the_control_plane() {
    run("answers");
}

#[test]
fn headers_and_keys() {
    run("signing");
}

/// A corpus that is refused at the first byte teaches a fuzzer nothing.
#[test]
fn the_corpus_holds_what_is_accepted() {
    let accepted = |name: &str, is_good: &dyn Fn(&[u8]) -> bool| {
        let count = corpus(name).iter().filter(|(_, bytes)| is_good(bytes)).count();
        assert!(count >= 2, "only {count} of {name} are accepted");
    };
    accepted("manifest", &|bytes| kernex_bundle::Manifest::parse(bytes).is_ok());
    accepted("archive", &|bytes| kernex_bundle::inspect(bytes, &kernex_bundle::Limits::default()).is_ok());
    accepted("answers", &|bytes| {
        serde_json::from_slice::<kernex_api::heartbeat::HeartbeatResponse>(bytes).is_ok()
    });
    accepted("state", &|bytes| {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("state.json");
        fs::write(&path, bytes).unwrap();
        matches!(kernex_agent::state::StateFile::new(path).load(), Ok(Some(_)))
    });
    accepted("signing", &|bytes| {
        kernex_api::signing::PublicKey::from_pem(&String::from_utf8_lossy(bytes), None).is_ok()
    });
}
