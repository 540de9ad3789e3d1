//! Packing folders.

use std::{fs, os::unix::fs::PermissionsExt, path::Path};

use kernex_bundle::{
    ArchiveFormat, Digest, Limits, PackError, PackOptions, Packed, inspect, pack, pack_to_file, sha256_file,
    unpack,
};

use crate::build::{BOTH, listing};

fn folder() -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    fs::create_dir_all(dir.path().join("a/b")).unwrap();
    fs::create_dir(dir.path().join("empty")).unwrap();
    let manifest = r#"{"version":"1.0.0","name":"m","deploy":{"script":"./deploy.sh"}}"#;
    fs::write(dir.path().join("manifest.json"), manifest).unwrap();
    fs::write(dir.path().join("deploy.sh"), "#!/bin/sh\n").unwrap();
    fs::set_permissions(dir.path().join("deploy.sh"), fs::Permissions::from_mode(0o700)).unwrap();
    fs::write(dir.path().join("a/b/weights"), vec![7; 300_000]).unwrap();
    fs::write(dir.path().join("a").join("n".repeat(200)), "long").unwrap();
    dir
}

fn options(format: ArchiveFormat) -> PackOptions<'static> {
    PackOptions { format, ..PackOptions::default() }
}

fn pack_bytes(dir: &Path, options: &PackOptions<'_>) -> Result<(Vec<u8>, Packed), PackError> {
    let mut bytes = Vec::new();
    let packed = pack(dir, &mut bytes, options, &mut |_, _| {})?;
    Ok((bytes, packed))
}

#[test]
fn what_was_packed_is_what_is_unpacked() {
    let dir = folder();
    for format in BOTH {
        let (bytes, packed) = pack_bytes(dir.path(), &options(format)).unwrap();
        assert_eq!(packed.sha256, Digest::of(&bytes));
        assert_eq!(packed.size_bytes, bytes.len() as u64);
        let inspection = inspect(&bytes[..], &Limits::default()).unwrap();
        assert_eq!(inspection.manifest.as_ref(), Some(&packed.manifest));
        assert_eq!((inspection.format, inspection.entries), (format, packed.entries));
        assert_eq!(inspection.unpacked_bytes, packed.unpacked_bytes);

        let dest = tempfile::tempdir().unwrap();
        let unpacked = unpack(&bytes[..], dest.path(), &Limits::default()).unwrap();
        assert_eq!(listing(&unpacked.root), listing(dir.path()));
        assert_eq!(fs::read(dest.path().join("a/b/weights")).unwrap(), vec![7; 300_000]);
        let mode = |name: &str| fs::metadata(dest.path().join(name)).unwrap().permissions().mode() & 0o7777;
        assert_eq!((mode("deploy.sh"), mode("manifest.json"), mode("empty")), (0o755, 0o644, 0o755));
    }
}

#[test]
fn the_same_files_give_the_same_bytes() {
    let (one, two) = (folder(), folder());
    let old = fs::File::open(two.path().join("a/b/weights")).unwrap();
    old.set_modified(std::time::UNIX_EPOCH).unwrap();
    fs::set_permissions(two.path().join("manifest.json"), fs::Permissions::from_mode(0o600)).unwrap();
    for format in BOTH {
        let first = pack_bytes(one.path(), &options(format)).unwrap().0;
        assert_eq!(first, pack_bytes(one.path(), &options(format)).unwrap().0);
        assert_eq!(first, pack_bytes(two.path(), &options(format)).unwrap().0);
    }
}

#[test]
fn the_file_is_named_after_the_bundle_and_never_holds_itself() {
    let dir = folder();
    for (format, name) in [(ArchiveFormat::Gzip, "m-1.0.0.tar.gz"), (ArchiveFormat::Zstd, "m-1.0.0.tar.zst")]
    {
        let out = dir.path().join(name);
        let first = pack_to_file(dir.path(), dir.path(), &options(format), &mut |_, _| {}).unwrap();
        assert_eq!(first.path.as_deref(), Some(out.as_path()));
        assert_eq!(sha256_file(&out).unwrap(), (first.sha256, first.size_bytes));
        fs::write(dir.path().join(format!("{name}.part")), "left by a crash").unwrap();
        let second = pack_to_file(dir.path(), dir.path(), &options(format), &mut |_, _| {}).unwrap();
        let third = pack_to_file(dir.path(), &out, &options(format), &mut |_, _| {}).unwrap();
        assert_eq!((first.sha256, first.sha256), (second.sha256, third.sha256));
        fs::remove_file(&out).unwrap();
    }
    assert!(!listing(dir.path()).iter().any(|name| name.contains("part")));
}

#[test]
fn a_manifest_given_takes_the_place_of_the_folders() {
    let dir = folder();
    let given = br#"{"version":"2.0.0"}"#;
    let options = PackOptions { manifest: Some(given), ..PackOptions::default() };
    let (bytes, packed) = pack_bytes(dir.path(), &options).unwrap();
    assert_eq!(packed.manifest.version.as_str(), "2.0.0");
    assert_eq!(inspect(&bytes[..], &Limits::default()).unwrap().manifest, Some(packed.manifest));
    fs::remove_file(dir.path().join("manifest.json")).unwrap();
    assert_eq!(pack_bytes(dir.path(), &options).unwrap().0, bytes);
    assert!(matches!(pack_bytes(dir.path(), &PackOptions::default()), Err(PackError::NoManifest { .. })));
}

#[test]
fn progress_ends_at_the_total() {
    let dir = folder();
    let mut seen = Vec::new();
    pack(dir.path(), std::io::sink(), &PackOptions::default(), &mut |done, total| seen.push((done, total)))
        .unwrap();
    let total = seen[0].1;
    assert!(total > 300_000 && seen[0].0 == 0);
    assert!(seen.is_sorted());
    assert_eq!(seen.last(), Some(&(total, total)));
}

#[test]
fn what_no_reader_takes_is_not_packed() {
    let check = |prepare: &dyn Fn(&Path), expected: &str| {
        let dir = folder();
        prepare(dir.path());
        let limits = Limits { max_entries: 40, max_unpacked_bytes: 400_000 };
        let error = pack_bytes(dir.path(), &PackOptions { limits, ..PackOptions::default() })
            .unwrap_err()
            .to_string();
        assert!(error.contains(expected), "{error}");
    };
    check(&|dir| std::os::unix::fs::symlink("/etc/passwd", dir.join("link")).unwrap(), "is a symbolic link");
    check(&|dir| drop(std::os::unix::net::UnixListener::bind(dir.join("s")).unwrap()), "is a socket");
    check(&|dir| fs::write(dir.join("a\nb"), "").unwrap(), "has a control character in its path");
    check(&|dir| fs::write(dir.join("a/Con.txt"), "").unwrap(), "is a device name on Windows");
    check(&|dir| fs::write(dir.join("DEPLOY.sh"), "").unwrap(), "differ only in upper and lower case");
    check(&|dir| fs::write(dir.join("big"), vec![0; 100_000]).unwrap(), "more than 400000 bytes");
    check(&|dir| (0..40).for_each(|i| fs::write(dir.join(i.to_string()), "").unwrap()), "more than 40 files");
    check(
        &|dir| fs::remove_file(dir.join("deploy.sh")).unwrap(),
        "`./deploy.sh` is not a file of the bundle",
    );
    check(&|dir| fs::write(dir.join("manifest.json"), "{}").unwrap(), "manifest.json: version is missing");
    check(&|dir| fs::create_dir_all(dir.join("d/".repeat(33))).unwrap(), "more than 32 parts");
}

#[test]
fn a_failed_pack_leaves_no_file() {
    let dir = folder();
    let out = tempfile::tempdir().unwrap();
    fs::write(dir.path().join("manifest.json"), "{}").unwrap();
    assert!(pack_to_file(dir.path(), out.path(), &PackOptions::default(), &mut |_, _| {}).is_err());
    assert!(listing(out.path()).is_empty());
    let missing = dir.path().join("missing");
    assert!(matches!(pack_bytes(&missing, &PackOptions::default()), Err(PackError::Read { .. })));
}
