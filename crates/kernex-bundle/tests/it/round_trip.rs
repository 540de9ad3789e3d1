//! Archives as people make them, inspected and unpacked.

use std::{fs, os::unix::fs::PermissionsExt, path::Path};

use kernex_bundle::{ArchiveError, ArchiveFormat, Limits, Manifest, check_references, inspect, unpack};

use crate::build::{BOTH, Tar, compress, listing};

const MANIFEST: &[u8] =
    br#"{"version":"1.2.0","deploy":{"script":"./deploy.sh"},"workload":{"command":["./bin/run"]}}"#;

fn mode(path: &Path) -> u32 {
    fs::metadata(path).unwrap().permissions().mode() & 0o7777
}

/// The bundle's files below a folder, as archives of `tar -C dir .`, `tar dir` and ours have them.
fn bundle(prefix: &str) -> Tar {
    let tar = if prefix.is_empty() { Tar::new() } else { Tar::new().folder(prefix) };
    let at = |name: &str| format!("{prefix}{name}");
    tar.file(&at("manifest.json"), MANIFEST)
        .program(&at("deploy.sh"), b"#!/bin/sh\n")
        .entry(at("bin/run").as_bytes(), b'0', 0o7_00, b"run")
        .entry(at("secret").as_bytes(), b'0', 0o600, b"s")
        .entry(at("closed/").as_bytes(), b'5', 0, b"")
}

#[test]
fn the_manifest_is_found_at_the_root_and_under_one_folder() {
    for format in BOTH {
        for (prefix, top) in
            [("", None), ("./", None), ("model-1.2.0/", Some("model-1.2.0")), ("././m/", Some("m"))]
        {
            let archive = compress(&bundle(prefix).end(), format);
            let inspection = inspect(&archive[..], &Limits::default()).unwrap();
            assert_eq!(inspection.top_folder.as_deref(), top, "{prefix}");
            assert_eq!(inspection.format, format);
            assert_eq!(inspection.manifest.unwrap().version.as_str(), "1.2.0");
            assert_eq!(inspection.unpacked_bytes, MANIFEST.len() as u64 + 14);
            let names: Vec<_> = inspection.files.keys().map(String::as_str).collect();
            assert_eq!(names, ["bin/run", "deploy.sh", "manifest.json", "secret"], "{prefix}");

            let dest = tempfile::tempdir().unwrap();
            let unpacked = unpack(&archive[..], dest.path(), &Limits::default()).unwrap();
            assert_eq!(unpacked.root, dest.path().join(top.unwrap_or("")), "{prefix}");
            let expected = ["bin/", "bin/run", "closed/", "deploy.sh", "manifest.json", "secret"];
            assert_eq!(listing(&unpacked.root), expected, "{prefix}");
            assert_eq!(fs::read(unpacked.root.join("manifest.json")).unwrap(), MANIFEST);
            for (path, expected) in
                [("bin/run", 0o755), ("deploy.sh", 0o755), ("secret", 0o644), ("closed", 0o755)]
            {
                assert_eq!(mode(&unpacked.root.join(path)), expected, "{path}");
            }
        }
    }
}

#[test]
fn attribute_files_of_macos_do_not_hide_the_top_folder() {
    let tar = Tar::new()
        .file("._m", b"attributes")
        .file("m/._manifest.json", b"x")
        .file("m/manifest.json", MANIFEST);
    let tar = tar.program("m/deploy.sh", b"").program("m/bin/run", b"").end();
    let dest = tempfile::tempdir().unwrap();
    let unpacked = unpack(&compress(&tar, ArchiveFormat::Gzip)[..], dest.path(), &Limits::default()).unwrap();
    assert_eq!(unpacked.root, dest.path().join("m"));
    assert!(unpacked.inspection.files.keys().eq([
        "._manifest.json",
        "bin/run",
        "deploy.sh",
        "manifest.json"
    ]));
}

#[test]
fn a_folder_without_a_manifest_is_no_root() {
    let dest = tempfile::tempdir().unwrap();
    let archive = compress(&Tar::new().file("models/a.bin", b"a").end(), ArchiveFormat::Zstd);
    let unpacked = unpack(&archive[..], dest.path(), &Limits::default()).unwrap();
    assert_eq!(unpacked.root, dest.path());
    assert!(unpacked.inspection.manifest.is_none());
    assert!(unpacked.inspection.files.contains_key("models/a.bin"));
}

#[test]
fn a_manifest_in_one_of_several_folders_is_not_the_bundles() {
    for tar in [
        Tar::new().file("a/manifest.json", b"not JSON").file("b/x", b""),
        Tar::new().file("b/x", b"").file("a/manifest.json", b"not JSON"),
        Tar::new().file("a/b/manifest.json", b"not JSON"),
    ] {
        let inspection = inspect(&compress(&tar.end(), ArchiveFormat::Gzip)[..], &Limits::default()).unwrap();
        assert!(inspection.manifest.is_none() && inspection.top_folder.is_none());
    }
}

#[test]
fn a_wrong_manifest_refuses_the_archive() {
    let large = [&br#"{"version":"1","description":""#[..], &vec![b'x'; 300 << 10], b"\"}"].concat();
    for (manifest, message) in [
        (
            &b"{"[..],
            "manifest.json: the manifest is not valid JSON: EOF while parsing an object at line 1 column 1",
        ),
        (b"{}", "manifest.json: version is missing"),
        (&large, "manifest.json: the manifest is larger than 256 KiB"),
    ] {
        let archive = compress(&Tar::new().file("manifest.json", manifest).end(), ArchiveFormat::Gzip);
        let error = inspect(&archive[..], &Limits::default()).unwrap_err();
        assert_eq!(error.to_string(), message);
    }
}

#[test]
fn files_that_the_manifest_names_must_be_there() {
    for (manifest, field) in [
        (r#"{"version":"1","deploy":{"script":"deploy.sh"}}"#, "deploy.script"),
        (r#"{"version":"1","deploy":{"script":"./folder"}}"#, "deploy.script"),
        (r#"{"version":"1","rollback":{"script":"./r"}}"#, "rollback.script"),
        (r#"{"version":"1","workload":{"command":["./w"]}}"#, "workload.command[0]"),
        (r#"{"version":"1","health":{"command":["./h"]}}"#, "health.command[0]"),
    ] {
        let tar = Tar::new().folder("folder/").file("manifest.json", manifest.as_bytes());
        let error = inspect(&compress(&tar.end(), ArchiveFormat::Gzip)[..], &Limits::default()).unwrap_err();
        assert!(matches!(&error, ArchiveError::MissingFile(m) if m.field == field), "{error}");
    }
    let elsewhere = Manifest::parse(br#"{"version":"1","workload":{"command":["python3","x.py"]}}"#).unwrap();
    assert!(check_references(&elsewhere, &Default::default()).is_ok());
    let missing = Manifest::parse(br#"{"version":"1","deploy":{"script":"a\u001bb"}}"#);
    assert!(missing.is_err());
}

#[test]
fn long_names_and_harmless_attributes_are_read() {
    let long = ["n".repeat(120), "m".repeat(120)].join("/");
    let tar = Tar::new()
        .extended(b'g', &[("comment", "made by git archive")])
        .gnu_long_name(&format!("a/{long}"))
        .file("cut", b"1")
        .pax(&[
            ("path", &format!("b/{long}")),
            ("mtime", "1.5"),
            ("LIBARCHIVE.xattr.com.apple.provenance", "A\nB"),
        ])
        .file("cut", b"2");
    let inspection = inspect(&compress(&tar.end(), ArchiveFormat::Gzip)[..], &Limits::default()).unwrap();
    assert_eq!(inspection.files.keys().map(|k| &k[..1]).collect::<Vec<_>>(), ["a", "b"]);
    assert_eq!(inspection.files.keys().map(String::len).collect::<Vec<_>>(), [243, 243]);
}

#[test]
fn the_destination_must_be_empty() {
    let dest = tempfile::tempdir().unwrap();
    fs::write(dest.path().join("old"), "x").unwrap();
    let archive = compress(&bundle("").end(), ArchiveFormat::Gzip);
    let error = unpack(&archive[..], dest.path(), &Limits::default()).unwrap_err();
    assert!(matches!(error, ArchiveError::DestinationNotEmpty { .. }));
    assert_eq!(listing(dest.path()), ["old"]);
}

#[test]
fn a_destination_that_cannot_be_written_is_no_fault_of_the_archive() {
    let dest = tempfile::tempdir().unwrap();
    let file = dest.path().join("file");
    fs::write(&file, "x").unwrap();
    let archive = compress(&bundle("").end(), ArchiveFormat::Gzip);
    let error = unpack(&archive[..], &file.join("below"), &Limits::default()).unwrap_err();
    assert!(matches!(error, ArchiveError::Write { .. }), "{error:?}");
}
