//! Bundles on their way: packed, pushed, fetched, resumed.

use std::{fs, path::Path};

use kernex_bundle::{Digest, sha256_file};
use serde_json::{Value, json};

use crate::{
    DEPLOYMENT,
    fake::{Answer, Fake},
    kernex_at, run,
};

fn folder() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("manifest.json"), r#"{"name": "detector", "version": "1.2.0"}"#).unwrap();
    fs::write(folder.path().join("model.bin"), noise(700_000)).unwrap();
    folder
}

/// Bytes that do not compress.
fn noise(len: usize) -> Vec<u8> {
    let mut state = 1_u32;
    let mut next = || {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (state >> 24) as u8
    };
    (0..len).map(|_| next()).collect()
}

fn bundle(bytes: &[u8]) -> Value {
    json!({"bundle_id": DEPLOYMENT, "name": "detector", "version": "1.2.0",
        "checksum_sha256": Digest::of(bytes).to_string(), "size_bytes": bytes.len(), "format": "gz",
        "description": null, "uploaded_by": "ada", "created_at": "2026-01-01T00:00:00Z"})
}

/// The part of a form that is called `file`.
fn file_part(body: &[u8]) -> Vec<u8> {
    let find = |needle: &[u8], from: usize| {
        body[from..].windows(needle.len()).position(|window| window == needle).unwrap() + from
    };
    let start = find(b"\r\n\r\n", find(b"name=\"file\"", 0)) + 4;
    let boundary = body[..find(b"\r\n", 0)].to_vec();
    body[start..find(&[b"\r\n", boundary.as_slice()].concat(), start)].to_vec()
}

#[test]
fn a_folder_is_packed_and_pushed_and_the_digests_are_compared() {
    let fake = Fake::start(|request| {
        let sent = bundle(&file_part(&request.body));
        Answer { status: 201, ..Answer::json(sent) }
    });
    let folder = folder();
    let path = folder.path().to_str().unwrap();
    let (code, stdout, stderr) = run(kernex_at(&fake, &["bundle", "push", path, "--output", "json"]));
    assert_eq!(code, 0, "{stderr}");
    let uploaded: Value = serde_json::from_str(&stdout).unwrap();
    let (code, stdout, _) = run(kernex_at(&fake, &["bundle", "check", path, "--output", "json"]));
    let checked: Value = serde_json::from_str(&stdout).unwrap();
    assert_eq!((code, &uploaded["checksum_sha256"]), (0, &checked["checksum_sha256"]));
    assert_eq!(fake.lines(), ["POST /api/v1/bundles"]);
}

#[test]
fn a_version_that_is_taken_is_a_conflict_with_a_hint() {
    let fake = Fake::start(|_| Answer::problem(409, "conflict", "detector 1.2.0 exists"));
    let (code, _, stderr) = run(kernex_at(&fake, &["bundle", "push", folder().path().to_str().unwrap()]));
    assert_eq!(code, 6, "{stderr}");
    assert!(stderr.contains("raise the version"), "{stderr}");
}

#[test]
fn a_bundle_that_would_be_refused_is_not_sent() {
    let fake = Fake::start(|_| Answer::bytes(500, Vec::new()));
    let folder = folder();
    fs::write(folder.path().join("manifest.json"), "{}").unwrap();
    let (code, _, stderr) = run(kernex_at(&fake, &["bundle", "push", folder.path().to_str().unwrap()]));
    assert_eq!(code, 1, "{stderr}");
    assert!(stderr.contains("version"), "{stderr}");
    assert!(fake.requests().is_empty());
}

#[test]
fn pack_writes_an_archive_that_check_accepts() {
    let fake = Fake::start(|_| Answer::bytes(500, Vec::new()));
    let (folder, out) = (folder(), tempfile::tempdir().unwrap());
    let arguments = [
        "bundle",
        "pack",
        folder.path().to_str().unwrap(),
        "--to",
        out.path().to_str().unwrap(),
        "--format",
        "zst",
    ];
    let (code, stdout, stderr) = run(kernex_at(&fake, &arguments));
    assert_eq!(code, 0, "{stderr}");
    assert_eq!(Path::new(stdout.trim()), out.path().join("detector-1.2.0.tar.zst"));
    let (code, stdout, _) = run(kernex_at(&fake, &["bundle", "check", stdout.trim()]));
    assert!(code == 0 && stdout.contains("detector") && stdout.contains("tar.zst"), "{stdout}");
}

/// A control plane whose connection breaks after `cut_after` bytes of a bundle's answer, the first `breaks` times.
fn breaking(bytes: Vec<u8>, cut_after: usize, mut breaks: usize) -> Fake {
    Fake::start(move |request| {
        if request.line.contains("/bundles?") {
            return Answer::json(json!({"bundles": [bundle(&bytes)], "total": 1, "next_cursor": null}));
        }
        let range =
            request.header("range").map(|range| range["bytes=".len()..range.len() - 1].parse().unwrap());
        let first: usize = range.unwrap_or(0);
        let mut answer = Answer::bytes(if first > 0 { 206 } else { 200 }, bytes[first..].to_vec());
        if first > 0 {
            answer
                .headers
                .push(("Content-Range", format!("bytes {first}-{}/{}", bytes.len() - 1, bytes.len())));
        }
        if breaks > 0 {
            breaks -= 1;
            answer.cut_after = Some(cut_after);
        }
        answer
    })
}

fn pull(fake: &Fake, to: &Path) -> (i32, String, String) {
    run(kernex_at(fake, &["bundle", "pull", "detector@1.2.0", "--to", to.to_str().unwrap()]))
}

#[test]
fn a_broken_download_goes_on_where_it_stopped() {
    let bytes = noise(300_000);
    let out = tempfile::tempdir().unwrap();
    let fake = breaking(bytes.clone(), 100_000, 2);
    let (code, stdout, stderr) = pull(&fake, out.path());
    assert_eq!(code, 0, "{stderr}");
    assert_eq!(fs::read(stdout.trim()).unwrap(), bytes);
    let ranges: Vec<_> =
        fake.requests().iter().map(|request| request.header("range").map(str::to_owned)).collect();
    assert_eq!(ranges, [None, None, Some("bytes=100000-".to_owned()), Some("bytes=200000-".to_owned())]);
    let if_range = fake.requests()[2].header("if-range").map(str::to_owned);
    assert_eq!(if_range, Some(format!("\"{}\"", Digest::of(&bytes))));
}

#[test]
fn a_download_that_was_given_up_goes_on_in_the_next_run() {
    let bytes = noise(300_000);
    let out = tempfile::tempdir().unwrap();
    let fake = breaking(bytes.clone(), 0, usize::MAX);
    let file = out.path().join("x.tar.gz");
    assert_eq!(pull(&fake, &file).0, 9);
    assert!(!file.exists());
    let partial = fs::read_dir(out.path()).unwrap().next().unwrap().unwrap().path();
    fs::write(&partial, &bytes[..250_000]).unwrap();
    let fake = breaking(bytes.clone(), 0, 0);
    assert_eq!(pull(&fake, &file).0, 0);
    assert_eq!(fake.requests()[1].header("range"), Some("bytes=250000-"));
    assert_eq!(sha256_file(&file).unwrap().0, Digest::of(&bytes));
    assert_eq!(fs::read_dir(out.path()).unwrap().count(), 1, "nothing else is left");
}

#[test]
fn bytes_with_another_digest_are_thrown_away() {
    let out = tempfile::tempdir().unwrap();
    let fake = Fake::start(|request| {
        if request.line.contains("/bundles?") {
            return Answer::json(json!({"bundles": [bundle(b"right")], "total": 1, "next_cursor": null}));
        }
        Answer::bytes(200, b"wrong".to_vec())
    });
    let (code, _, stderr) = pull(&fake, out.path());
    assert_eq!(code, 1, "{stderr}");
    assert!(stderr.contains("SHA-256"), "{stderr}");
    assert_eq!(fs::read_dir(out.path()).unwrap().count(), 0);
}

#[test]
fn a_damaged_bundle_has_an_exit_code() {
    let fake = Fake::start(|request| match request.line.contains("/verify") {
        true => Answer::json(json!({"valid": false, "checksum_sha256": "00"})),
        false => Answer::json(json!({"bundles": [bundle(b"x")], "total": 1, "next_cursor": null})),
    });
    let (code, stdout, stderr) = run(kernex_at(&fake, &["bundle", "verify", "detector@1.2.0"]));
    assert_eq!((code, stdout.trim()), (1, "00"), "{stderr}");
    assert!(stderr.contains("damaged"), "{stderr}");
}
