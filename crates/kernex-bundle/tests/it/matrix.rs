//! Bundles damaged in every region: each is refused for a reason that lies in the archive, or, where the change means
//! nothing, gives exactly the original; and nothing is ever made outside of the destination.

use std::{
    collections::BTreeMap,
    fs,
    os::unix::fs::{PermissionsExt, symlink},
    path::Path,
    sync::atomic::{AtomicUsize, Ordering},
    thread,
};

use kernex_bundle::{
    ArchiveError, ArchiveFormat, Difference, Limits, Manifest, PackOptions, PathProblem, Unpacked, inspect,
    pack, unpack,
};

use crate::{
    build::{BOTH, Tar, compress, decompress, listing, with_checksum},
    edges,
};

/// What the bundle's author means: the manifest, and every other path with its mode and content.
type Tree = BTreeMap<String, (u32, Vec<u8>)>;

/// A good bundle and what it unpacks to.
struct Original {
    format: ArchiveFormat,
    archive: Vec<u8>,
    tar: Vec<u8>,
    manifest: Manifest,
    tree: Tree,
}

/// Counts what was tried.
pub(crate) struct Count(AtomicUsize);

impl Count {
    pub(crate) fn one(&self) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}

#[test]
fn damaged_bundles_are_refused_or_unharmed() {
    let count = Count(AtomicUsize::new(0));
    let originals: Vec<_> = BOTH.into_iter().map(original).collect();
    let parts: [fn(&Original, &Count); 6] =
        [changed_bytes, cut_off, changed_headers, changed_contents, cut_tar, joined_and_swapped];
    thread::scope(|scope| {
        scope.spawn(|| edges::check_all(&count));
        scope.spawn(|| hostile_entries(&count));
        for original in &originals {
            let count = &count;
            scope.spawn(move || parts.iter().for_each(|part| part(original, count)));
        }
    });
    let cases = count.0.into_inner();
    println!("{cases} damaged bundles");
    assert!(cases >= 1000, "only {cases} cases");
}

fn original(format: ArchiveFormat) -> Original {
    let dir = tempfile::tempdir().unwrap();
    let manifest =
        r#"{"version":"1.0.0","name":"m","links":true,"deploy":{"script":"./deploy.sh","timeout_secs":60}}"#;
    fs::write(dir.path().join("manifest.json"), manifest).unwrap();
    fs::write(dir.path().join("deploy.sh"), "#!/bin/sh\nexit 0\n").unwrap();
    fs::set_permissions(dir.path().join("deploy.sh"), fs::Permissions::from_mode(0o755)).unwrap();
    fs::create_dir(dir.path().join("lib")).unwrap();
    let noise: Vec<u8> = (0..700u32).map(|i| (i.wrapping_mul(2_654_435_761) >> 13) as u8).collect();
    fs::write(dir.path().join("lib/weights"), noise).unwrap();
    symlink("weights", dir.path().join("lib/latest")).unwrap();
    let options = PackOptions { format, ..PackOptions::default() };
    let mut archive = Vec::new();
    let packed = pack(dir.path(), &mut archive, &options, &mut |_, _| {}).unwrap();
    let dest = tempfile::tempdir().unwrap();
    let unpacked = unpack(&archive[..], dest.path(), &Limits::default()).unwrap();
    let tar = decompress(&archive, format);
    Original { format, archive, tar, manifest: packed.manifest, tree: tree(&unpacked.root) }
}

fn tree(root: &Path) -> Tree {
    let entry = |name: String| {
        let path = root.join(&name);
        let metadata = path.symlink_metadata().unwrap();
        let content = if metadata.is_symlink() {
            fs::read_link(&path).unwrap().into_os_string().into_encoded_bytes()
        } else if metadata.is_dir() {
            Vec::new()
        } else {
            fs::read(&path).unwrap()
        };
        (name, (metadata.permissions().mode(), content))
    };
    listing(root).into_iter().map(entry).collect()
}

/// Reads a damaged archive in both ways. What is accepted is as the original is, or says itself that it is another.
fn try_one(case: &str, original: &Original, archive: &[u8], count: &Count) -> Result<(), ArchiveError> {
    count.one();
    let parent = tempfile::tempdir().unwrap();
    fs::write(parent.path().join("neighbour"), "here before").unwrap();
    let unpacked = unpack(archive, &parent.path().join("dest"), &Limits::default());
    assert_inside(case, parent.path());
    let inspected = inspect(archive, &Limits::default());
    assert_eq!(inspected.is_ok(), unpacked.is_ok(), "{case}: {inspected:?}, {unpacked:?}");
    match unpacked {
        Ok(unpacked) => assert_unharmed(case, original, &unpacked),
        Err(error) => {
            assert!(is_of_the_archive(&error), "{case}: {error:?}");
            return Err(error);
        }
    }
    Ok(())
}

/// What the list of files does not cover: the manifest itself, where a change shows in what it says, and the names of
/// folders and links, which only whole headers can change. The digest of the whole archive covers it.
fn assert_unharmed(case: &str, original: &Original, unpacked: &Unpacked) {
    let mut found = tree(&unpacked.root);
    let mut expected = original.tree.clone();
    if unpacked.inspection.manifest.as_ref() != Some(&original.manifest) {
        assert!(case.contains("manifest"), "{case}: another manifest was accepted");
        found.remove("manifest.json");
        expected.remove("manifest.json");
    } else if found.get("manifest.json") != expected.get("manifest.json") {
        // Other white space.
        assert!(case.contains("manifest"), "{case}");
        found.remove("manifest.json");
        expected.remove("manifest.json");
    }
    if case.ends_with("checksum fixed") || case.ends_with("block") {
        let is_file = |_: &String, (mode, _): &mut (u32, Vec<u8>)| *mode & 0o170_000 == 0o100_000;
        found.retain(is_file);
        expected.retain(is_file);
    }
    let names = |tree: &Tree| tree.keys().cloned().collect::<Vec<_>>();
    assert_eq!(names(&found), names(&expected), "{case}");
    assert!(found == expected, "{case}");
}

fn assert_inside(case: &str, parent: &Path) {
    let mut outside = listing(parent);
    outside.retain(|path| !path.starts_with("dest/"));
    assert_eq!(outside, ["neighbour"], "{case}");
    assert_eq!(fs::read_to_string(parent.join("neighbour")).unwrap(), "here before", "{case}");
}

/// Not an error of reading or of the disk: those would be tried again.
fn is_of_the_archive(error: &ArchiveError) -> bool {
    !matches!(
        error,
        ArchiveError::Read(_)
            | ArchiveError::Write { .. }
            | ArchiveError::DiskFull
            | ArchiveError::DestinationNotEmpty { .. }
    )
}

/// Every byte of the compressed archive: one bit of it, and of every fourth byte all.
fn changed_bytes(original: &Original, count: &Count) {
    let mut unharmed = Vec::new();
    for at in 0..original.archive.len() {
        let masks = [1 << (at % 8), 0xff];
        for mask in &masks[..if at % 4 == 0 { 2 } else { 1 }] {
            let mut archive = original.archive.clone();
            archive[at] ^= *mask;
            match try_one(&format!("{} byte {at} ^ {mask:#x}", original.format), original, &archive, count) {
                Ok(()) => unharmed.push(at),
                Err(ArchiveError::NotAnArchive) => assert!(at < 4, "{at}"),
                Err(_) => {}
            }
        }
    }
    // What both formats have that means nothing: time, system and level in gzip's header, unused bits.
    unharmed.dedup();
    assert!(unharmed.len() <= 16, "{}: {unharmed:?}", original.format);
}

fn cut_off(original: &Original, count: &Count) {
    for length in 0..original.archive.len() {
        let case = format!("{} cut to {length}", original.format);
        match try_one(&case, original, &original.archive[..length], count) {
            Err(ArchiveError::NotAnArchive) if length < 4 => {}
            Err(ArchiveError::Truncated) => {}
            other => panic!("{case}: {other:?}"),
        }
    }
}

/// Bytes of tar headers: with the old checksum always noticed, with the right one judged for what they say.
fn changed_headers(original: &Original, count: &Count) {
    for start in headers(&original.tar) {
        for at in (0..512).step_by(7).chain(148..157) {
            for fixed in [false, true] {
                let mut tar = original.tar.clone();
                let block = &mut tar[start..start + 512];
                block[at] = block[at].wrapping_add(1);
                if fixed {
                    let block: &mut [u8; 512] = block.try_into().unwrap();
                    *block = with_checksum(*block);
                }
                let checksum = if fixed { "checksum fixed" } else { "wrong checksum" };
                let case = format!("{} header {start} byte {at}, {checksum}", original.format);
                let result = try_one(&case, original, &compress(&tar, original.format), count);
                match (fixed, at) {
                    (false, 0..148 | 157..) => {
                        assert!(matches!(result, Err(ArchiveError::Corrupt { .. })), "{case}: {result:?}");
                    }
                    // The type.
                    (true, 156) => assert!(result.is_err(), "{case}"),
                    // The size decides where the next header is.
                    (true, 124..135) => assert!(result.is_err(), "{case}"),
                    _ => {}
                }
            }
        }
    }
}

/// Where the headers of entries are.
fn headers(tar: &[u8]) -> Vec<usize> {
    let mut found = Vec::new();
    let mut at = 0;
    while tar[at] != 0 {
        found.push(at);
        let size = std::str::from_utf8(&tar[at + 124..at + 135]).unwrap();
        at += 512 + usize::from_str_radix(size, 8).unwrap().next_multiple_of(512);
    }
    found
}

/// Contents of files, the manifest with its list among them, and what lies between entries.
fn changed_contents(original: &Original, count: &Count) {
    let headers = headers(&original.tar);
    let ends = headers.iter().skip(1).copied().chain([original.tar.len()]);
    for (start, end) in headers.iter().copied().zip(ends) {
        let name = original.tar[start..start + 100].split(|b| *b == 0).next().unwrap();
        let name = String::from_utf8_lossy(name).into_owned();
        let size = std::str::from_utf8(&original.tar[start + 124..start + 135]).unwrap();
        let content_end = start + 512 + usize::from_str_radix(size, 8).unwrap();
        for at in (start + 512..end).step_by(11) {
            let mut tar = original.tar.clone();
            tar[at] ^= 1;
            let case = format!("{} {name} byte {at}", original.format);
            let result = try_one(&case, original, &compress(&tar, original.format), count);
            if at < content_end && name != "manifest.json" {
                let is_noticed = matches!(
                    result,
                    Err(ArchiveError::ListedFileDiffers { difference: Difference::Content, .. })
                );
                assert!(is_noticed, "{case}: {result:?}");
            }
        }
    }
    changed_digests(original, count);
}

/// Every digit of the digests in the manifest's list.
fn changed_digests(original: &Original, count: &Count) {
    let text = String::from_utf8_lossy(&original.tar[512..]).into_owned();
    for (key, _) in text.match_indices("\"sha256\":\"") {
        for digit in 0..64 {
            let at = 512 + key + "\"sha256\":\"".len() + digit;
            for other in [b'0', b'f', b'x'] {
                if original.tar[at] == other {
                    continue;
                }
                let mut tar = original.tar.clone();
                tar[at] = other;
                let case = format!("{} manifest's digest, {at}", original.format);
                let result = try_one(&case, original, &compress(&tar, original.format), count);
                let is_right = match other {
                    b'x' => matches!(result, Err(ArchiveError::Manifest(_))),
                    _ => matches!(
                        result,
                        Err(ArchiveError::ListedFileDiffers { difference: Difference::Content, .. })
                    ),
                };
                assert!(is_right, "{case}: {result:?}");
            }
        }
    }
}

fn cut_tar(original: &Original, count: &Count) {
    for length in (0..original.tar.len()).step_by(61) {
        let case = format!("{} of a tar cut to {length}", original.format);
        let result = try_one(&case, original, &compress(&original.tar[..length], original.format), count);
        assert!(matches!(result, Err(ArchiveError::Truncated)), "{case}: {result:?}");
    }
}

/// Whole blocks of the tar left out, doubled or swapped, and other data behind it.
fn joined_and_swapped(original: &Original, count: &Count) {
    let blocks: Vec<&[u8]> = original.tar.chunks(512).collect();
    for at in 0..blocks.len() - 2 {
        let without = [&blocks[..at], &blocks[at + 1..]].concat().concat();
        let doubled = [&blocks[..=at], &blocks[at..]].concat().concat();
        let mut swapped = blocks.clone();
        swapped.swap(at, at + 1);
        for (case, tar) in [("without", without), ("doubled", doubled), ("swapped", swapped.concat())] {
            let case = format!("{} {at} {case} block", original.format);
            let _ = try_one(&case, original, &compress(&tar, original.format), count);
        }
    }
    for tail in [&b"x"[..], b"\0\0\0\0", &original.archive, &[0x1f, 0x8b], &[0x28, 0xb5, 0x2f, 0xfd]] {
        let archive = [&original.archive, tail].concat();
        let result = try_one(&format!("{} and more", original.format), original, &archive, count);
        assert!(result.is_err());
    }
}

/// The archives that extractors were measured with, most of which they took.
fn hostile_entries(count: &Count) {
    type Expected = fn(&ArchiveError) -> bool;
    macro_rules! error {
        ($($variant:ident)|+) => { |e| matches!(e, $(ArchiveError::$variant { .. })|+) };
    }
    macro_rules! problem {
        ($problem:ident) => {
            |e| matches!(e, ArchiveError::UnsafePath { problem: PathProblem::$problem, .. })
        };
    }
    let unsupported: Expected = error!(UnsupportedEntry);
    let limits = Limits { max_entries: 1000, ..Limits::default() };
    let deep = "d/".repeat(1600) + "x";
    let many = (0..1001).fold(Tar::new(), |tar, i| tar.file(&format!("f{i}"), b""));
    let mut cases: Vec<(String, Tar, Expected)> = vec![
        ("parent".into(), Tar::new().file("../evil", b"x"), problem!(Parent)),
        ("parent inside".into(), Tar::new().file("a/../../evil", b"x"), problem!(Parent)),
        ("PAX parent".into(), Tar::new().pax(&[("path", "../evil")]).file("a", b"x"), problem!(Parent)),
        ("GNU parent".into(), Tar::new().gnu_long_name("../evil").file("a", b"x"), problem!(Parent)),
        ("absolute".into(), Tar::new().file("/tmp/evil", b"x"), problem!(Absolute)),
        (
            "through a link".into(),
            Tar::new().link("l", b'2', "/tmp").file("l/evil", b"x"),
            error!(FileAndFolder),
        ),
        ("link outside".into(), Tar::new().link("l", b'2', "/etc/passwd").file("a", b""), unsupported),
        ("link up".into(), Tar::new().link("l", b'2', "../../x").file("a", b""), unsupported),
        ("hard link outside".into(), Tar::new().link("l", b'1', "/etc/passwd"), unsupported),
        ("set-user-id".into(), Tar::new().entry(b"a", b'0', 0o4755, b"x"), error!(PrivilegedMode)),
        ("set-group-id".into(), Tar::new().entry(b"a", b'0', 0o2755, b"x"), error!(PrivilegedMode)),
        ("sticky".into(), Tar::new().entry(b"a/", b'5', 0o1777, b""), error!(PrivilegedMode)),
        ("twice".into(), Tar::new().file("a", b"1").file("a", b"2"), error!(Duplicate)),
        ("case".into(), Tar::new().file("File", b"1").file("file", b"2"), error!(CaseCollision)),
        ("NUL".into(), Tar::new().file("good\0evil", b"x"), problem!(Control)),
        ("1,600 levels".into(), Tar::new().pax(&[("path", &deep)]).file("x", b"x"), problem!(TooLong)),
        ("1,001 files".into(), many, error!(TooManyEntries)),
        ("folder as file".into(), Tar::new().file("a/b", b"").file("a", b""), error!(FileAndFolder)),
        ("nothing".into(), Tar::new(), error!(Empty)),
    ];
    for kind in [b'3', b'4', b'6', b'7', b'S', b'M', b'V', b'D', b'Z', b'N', b'A', b'9', 0xff] {
        cases.push((format!("type {kind}"), Tar::new().link("thing", kind, ""), unsupported));
    }
    for name in ["a\\b", "a\nb", "a//b", "a/./b", "NUL", "com1.txt", "a/", "", "a\u{7f}"] {
        cases.push((format!("name {name:?}"), Tar::new().file(name, b"x"), error!(UnsafePath)));
    }
    for key in ["GNU.sparse.major", "SCHILY.xattr.security.capability", "linkpath", "hdrcharset"] {
        let tar = Tar::new().pax(&[(key, "1")]).file("a", b"x");
        cases.push((format!("attribute {key}"), tar, error!(UnsupportedAttribute)));
    }
    for (case, tar, expected) in cases {
        let tar = tar.end();
        for format in BOTH {
            count.one();
            let archive = compress(&tar, format);
            let error = inspect(&archive[..], &limits).expect_err(&case);
            assert!(expected(&error), "{case} as {format}: {error:?}");
            let parent = tempfile::tempdir().unwrap();
            fs::write(parent.path().join("neighbour"), "here before").unwrap();
            let error = unpack(&archive[..], &parent.path().join("dest"), &limits).expect_err(&case);
            assert!(expected(&error), "{case} as {format}: {error:?}");
            assert_inside(&case, parent.path());
        }
    }
}
