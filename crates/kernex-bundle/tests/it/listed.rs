//! Manifests that list the bundle's files.

use std::fs;

use kernex_bundle::{
    ArchiveError, BundleFiles, Difference, Digest, Limits, Manifest, PackOptions, check_references, inspect,
    pack, unpack,
};
use serde_json::{Value, json};

use crate::build::{BOTH, Tar, compress};

fn listed(path: &str, content: &[u8], mode: Option<&str>) -> Value {
    json!({ "path": path, "size_bytes": content.len(), "sha256": Digest::of(content).to_string(), "mode": mode })
}

fn manifest(files: &[Value]) -> Vec<u8> {
    json!({ "version": "1", "files": files }).to_string().into_bytes()
}

/// `inspect` and `unpack`, with the manifest first, last and in a folder, say the same.
fn check(files: &[Value], tar: fn(Tar, &str) -> Tar, expected: fn(&Result<(), ArchiveError>) -> bool) {
    let manifest = manifest(files);
    let layouts: [&dyn Fn() -> Tar; 3] = [
        &|| tar(Tar::new().file("manifest.json", &manifest), ""),
        &|| tar(Tar::new(), "").file("manifest.json", &manifest),
        &|| tar(Tar::new().folder("m/"), "m/").file("m/manifest.json", &manifest),
    ];
    for (layout, make) in layouts.iter().enumerate() {
        for format in BOTH {
            let archive = compress(&make().end(), format);
            let dest = tempfile::tempdir().unwrap();
            let unpacked = unpack(&archive[..], dest.path(), &Limits::default()).map(drop);
            let inspected = inspect(&archive[..], &Limits::default()).map(drop);
            assert!(expected(&inspected), "layout {layout}, {format}: {inspected:?}");
            assert!(expected(&unpacked), "layout {layout}, {format}: {unpacked:?}");
        }
    }
}

fn two_files(tar: Tar, prefix: &str) -> Tar {
    tar.file(&format!("{prefix}a"), b"alpha").program(&format!("{prefix}b/run"), b"beta")
}

#[test]
fn files_as_listed_pass() {
    let both = [listed("a", b"alpha", Some("0644")), listed("b/run", b"beta", Some("0755"))];
    check(&both, two_files, Result::is_ok);
    check(&[listed("b/run", b"beta", None), listed("./a", b"alpha", None)], two_files, Result::is_ok);
    check(&[], |tar, prefix| tar.folder(&format!("{prefix}empty/")), Result::is_ok);
}

macro_rules! refused {
    ($variant:ident $(, $difference:pat)?) => {
        |result| match result {
            Err(ArchiveError::$variant { entry, .. }) if entry.is_empty() => false,
            $(Err(ArchiveError::$variant { difference, .. }) => matches!(difference, $difference),)?
            #[allow(unreachable_patterns)]
            Err(ArchiveError::$variant { .. }) => true,
            _ => false,
        }
    };
}

#[test]
fn files_that_are_not_as_listed_are_refused() {
    let (a, run) = (listed("a", b"alpha", None), listed("b/run", b"beta", Some("0755")));
    check(std::slice::from_ref(&a), two_files, refused!(NotListed));
    check(&[], two_files, refused!(NotListed));
    check(&[a.clone(), run.clone(), listed("c", b"", None)], two_files, refused!(ListedFileMissing));
    check(&[a.clone(), run.clone(), listed("b", b"", None)], two_files, refused!(ListedFileMissing));
    check(
        &[listed("a", b"alphb", None), run.clone()],
        two_files,
        refused!(ListedFileDiffers, Difference::Content),
    );
    check(
        &[listed("a", b"alph", None), run],
        two_files,
        refused!(ListedFileDiffers, Difference::Size { listed: 4, found: 5 }),
    );
    check(
        &[a.clone(), listed("b/run", b"beta", Some("0644"))],
        two_files,
        refused!(ListedFileDiffers, Difference::Mode { listed_executable: false }),
    );
    let tar = Tar::new().file("manifest.json", &manifest(&[a])).file("a", b"other");
    let error = inspect(&compress(&tar.end(), BOTH[0])[..], &Limits::default()).unwrap_err();
    assert_eq!(
        error.to_string(),
        "`a` is not the file that the manifest lists: its SHA-256 is another".to_owned()
    );
}

/// A manifest in a folder without a list must not switch the check off for one at the root with a list.
#[test]
fn the_manifest_at_the_root_has_the_last_word() {
    let root = manifest(&[listed("m/manifest.json", br#"{"version":"2"}"#, None), listed("m/x", b"x", None)]);
    let tar = |content: &[u8]| {
        let tar = Tar::new().file("m/manifest.json", br#"{"version":"2"}"#).file("m/x", content);
        compress(&tar.file("manifest.json", &root).end(), BOTH[1])
    };
    let inspection = inspect(&tar(b"x")[..], &Limits::default()).unwrap();
    assert_eq!(inspection.manifest.unwrap().version.as_str(), "1");
    assert!(matches!(
        inspect(&tar(b"y")[..], &Limits::default()),
        Err(ArchiveError::ListedFileDiffers { .. })
    ));
}

#[test]
fn a_list_that_makes_no_sense_is_refused() {
    let good = listed("a", b"x", None);
    let with = |field: &str, value: Value| {
        let mut file = good.clone();
        file[field] = value;
        file
    };
    for (files, message) in [
        (vec![good.clone(), good.clone()], "files.1.path: `a` is there twice"),
        (vec![good.clone(), with("path", json!("./a"))], "files.1.path: `a` is there twice"),
        (
            vec![with("path", json!("manifest.json"))],
            "files.0.path: `manifest.json` is the manifest itself, which is not in its list",
        ),
        (vec![with("path", json!("../a"))], "`../a` in files has a `..` in its path"),
        (
            vec![with("sha256", json!("AB"))],
            "files.0.sha256: `AB` is not allowed, needed is 64 lower-case hexadecimal digits",
        ),
        (vec![with("size_bytes", json!(-1))], "files.0.size_bytes: -1 is too small, at least 0 needed"),
        (vec![with("mode", json!("4755"))], "files.0.mode: `4755` is none of 0644, 0755"),
        (vec![json!({ "path": "a" })], "files.0: size_bytes is missing"),
    ] {
        let error = Manifest::parse(&manifest(&files)).unwrap_err().to_string();
        assert_eq!(error, message);
    }
}

#[test]
fn a_copy_beside_the_archive_needs_no_list_but_one_it_has_must_be_the_same() {
    let parse = |text: &[u8]| Manifest::parse(text).unwrap();
    let inside = parse(&manifest(&[listed("a", b"x", None)]));
    let without = parse(br#"{"version":"1"}"#);
    assert!(without.agrees_with(&inside).is_ok());
    assert!(inside.agrees_with(&inside).is_ok());
    for other in [&without, &parse(&manifest(&[])), &parse(&manifest(&[listed("a", b"y", None)]))] {
        let error = inside.agrees_with(other).unwrap_err().to_string();
        assert_eq!(error, "files: differs between the manifest given and the one in the archive");
    }
    let other_version = parse(br#"{"version":"2"}"#);
    assert!(other_version.agrees_with(&inside).is_err());
}

#[test]
fn a_manifest_from_elsewhere_is_compared_with_an_archive_that_has_none() {
    let archive = compress(&two_files(Tar::new(), "").end(), BOTH[0]);
    let files = inspect(&archive[..], &Limits::default()).unwrap().files;
    let both = [listed("a", b"alpha", None), listed("b/run", b"beta", None)];
    assert!(check_references(&Manifest::parse(&manifest(&both)).unwrap(), &files).is_ok());
    let one = Manifest::parse(&manifest(&both[..1])).unwrap();
    assert!(matches!(check_references(&one, &files), Err(ArchiveError::NotListed { .. })));
    let with_own = Tar::new().file("manifest.json", br#"{"version":"1"}"#).file("a", b"alpha");
    let files: BundleFiles =
        inspect(&compress(&with_own.end(), BOTH[0])[..], &Limits::default()).unwrap().files;
    assert!(files["a"].sha256.is_none(), "nobody asked for it");
    assert!(check_references(&one, &files).is_err());
}

#[test]
fn packing_writes_the_list_and_keeps_the_authors_text() {
    let dir = tempfile::tempdir().unwrap();
    let text = "{\n  \"version\": \"1\", \"metadata\": {\"a\": {}}\n}\n";
    fs::write(dir.path().join("manifest.json"), text).unwrap();
    fs::write(dir.path().join("weights \"é\".bin"), [7; 5000]).unwrap();
    let mut archive = Vec::new();
    let packed = pack(dir.path(), &mut archive, &PackOptions::default(), &mut |_, _| {}).unwrap();
    let list = packed.manifest.files.as_ref().unwrap();
    assert_eq!(list.len(), 1);
    assert_eq!((list[0].path.as_str(), list[0].size_bytes), ("weights \"é\".bin", 5000));
    assert_eq!((list[0].sha256, list[0].is_executable), (Digest::of(&[7; 5000]), Some(false)));
    let dest = tempfile::tempdir().unwrap();
    let unpacked = unpack(&archive[..], dest.path(), &Limits::default()).unwrap();
    assert_eq!(unpacked.inspection.manifest.as_ref(), Some(&packed.manifest));
    assert_eq!(unpacked.inspection.unpacked_bytes, packed.unpacked_bytes);
    let written = fs::read_to_string(dest.path().join("manifest.json")).unwrap();
    let start =
        "{\n  \"version\": \"1\", \"metadata\": {\"a\": {}},\n  \"files\": [\n    {\"path\":\"weights";
    assert!(written.starts_with(start), "{written}");
    assert_eq!(fs::read_to_string(dir.path().join("manifest.json")).unwrap(), text);

    // What was packed may be unpacked and packed again, list and all.
    let mut again = Vec::new();
    pack(dest.path(), &mut again, &PackOptions::default(), &mut |_, _| {}).unwrap();
    assert_eq!(again, archive);
    fs::write(dest.path().join("more"), "x").unwrap();
    let error = pack(dest.path(), std::io::sink(), &PackOptions::default(), &mut |_, _| {}).unwrap_err();
    assert_eq!(error.to_string(), "`more` is not in the manifest's list of files");
}

#[test]
fn packing_leaves_the_list_out_when_told_to_and_when_it_would_not_fit() {
    let dir = tempfile::tempdir().unwrap();
    fs::write(dir.path().join("manifest.json"), r#"{"version":"1","files":null}"#).unwrap();
    fs::write(dir.path().join("x"), "").unwrap();
    let pack = |options: &PackOptions<'_>| {
        pack(dir.path(), std::io::sink(), options, &mut |_, _| {}).unwrap().manifest
    };
    assert_eq!(pack(&PackOptions::default()).files.map(|files| files.len()), Some(1));
    assert_eq!(pack(&PackOptions { list_files: false, ..PackOptions::default() }).files, None);
    (0..2500).for_each(|i| fs::write(dir.path().join(format!("part-{i}")), "").unwrap());
    assert_eq!(pack(&PackOptions::default()).files, None);
}
