//! Archives that must be refused, in both compressions, by `inspect` and `unpack` alike.

use std::time::{Duration, Instant};

use kernex_bundle::{ArchiveError, Limits, PathProblem, inspect, unpack};

use crate::build::{BOTH, Tar, compress, listing};

const LIMITS: Limits = Limits { max_entries: 1000, max_unpacked_bytes: 1 << 20 };

/// Refused for the right reason, and nothing came to be beside the destination.
fn check(case: &str, tar: &[u8], expected: fn(&ArchiveError) -> bool) {
    for format in BOTH {
        let archive = compress(tar, format);
        let error = inspect(&archive[..], &LIMITS).expect_err(case);
        assert!(expected(&error), "{case} as {format}: {error:?}");
        assert!(error.to_string().chars().count() < 400, "{case}: {error}");
        let parent = tempfile::tempdir().unwrap();
        let error = unpack(&archive[..], &parent.path().join("dest"), &LIMITS).expect_err(case);
        assert!(expected(&error), "{case} as {format}: {error:?}");
        assert!(listing(parent.path()).iter().all(|path| path.starts_with("dest/")), "{case}");
    }
}

macro_rules! problem {
    ($problem:ident) => {
        |e| matches!(e, ArchiveError::UnsafePath { problem: PathProblem::$problem, .. })
    };
}

macro_rules! error {
    ($variant:ident) => {
        |e| matches!(e, ArchiveError::$variant { .. })
    };
}

#[test]
fn paths_that_leave_the_bundle_are_refused() {
    check("parent", &Tar::new().file("../evil", b"x").end(), problem!(Parent));
    check("parent inside", &Tar::new().file("a/../../evil", b"x").end(), problem!(Parent));
    check("parent of a dot", &Tar::new().file("./../evil", b"x").end(), problem!(Parent));
    check("parent folder", &Tar::new().folder("../evil/").end(), problem!(Parent));
    check(
        "parent by PAX",
        &Tar::new().pax(&[("path", "../evil")]).file("good", b"x").end(),
        problem!(Parent),
    );
    check("parent by GNU", &Tar::new().gnu_long_name("../evil").file("good", b"x").end(), problem!(Parent));
    check("absolute", &Tar::new().file("/tmp/evil", b"x").end(), problem!(Absolute));
    check(
        "absolute by PAX",
        &Tar::new().pax(&[("path", "/tmp/evil")]).file("a", b"x").end(),
        problem!(Absolute),
    );
    check("absolute after dot", &Tar::new().file(".//tmp/evil", b"x").end(), problem!(Absolute));
}

#[test]
fn paths_that_mean_different_things_in_different_places_are_refused() {
    check("empty", &Tar::new().file("", b"x").end(), problem!(EmptyComponent));
    check("empty part", &Tar::new().file("a//b", b"x").end(), problem!(EmptyComponent));
    check("file like a folder", &Tar::new().file("a/", b"x").end(), problem!(EmptyComponent));
    check("dot inside", &Tar::new().file("a/./b", b"x").end(), problem!(Dot));
    check("backslash", &Tar::new().file("a\\..\\b", b"x").end(), problem!(Backslash));
    check("line end", &Tar::new().file("a\nb", b"x").end(), problem!(Control));
    check("escape", &Tar::new().file("a\x1b[2J", b"x").end(), problem!(Control));
    check("NUL in the name", &Tar::new().file("good\0/../evil", b"x").end(), problem!(Control));
    check("NUL by PAX", &Tar::new().pax(&[("path", "good\0evil")]).file("a", b"x").end(), problem!(Control));
    check("NUL by GNU", &Tar::new().gnu_long_name("good\0evil").file("a", b"x").end(), problem!(Control));
    check("not UTF-8", &Tar::new().entry(b"a\xff", b'0', 0o644, b"x").end(), problem!(NotUtf8));
    check("device name", &Tar::new().file("a/NUL.txt", b"x").end(), problem!(DeviceName));
}

#[test]
fn links_devices_and_unknown_things_are_refused() {
    for (case, kind) in [
        ("hard link", b'1'),
        ("symbolic link", b'2'),
        ("character device", b'3'),
        ("block device", b'4'),
        ("named pipe", b'6'),
        ("contiguous file", b'7'),
        ("sparse file", b'S'),
        ("unknown type", b'Z'),
        ("multi-volume", b'M'),
        ("volume label", b'V'),
        ("GNU folder dump", b'D'),
    ] {
        check(case, &Tar::new().link("thing", kind, "/etc/passwd").end(), error!(UnsupportedEntry));
    }
    let through = Tar::new().link("door", b'2', "/tmp").file("door/evil", b"x");
    check("file through a link", &through.end(), error!(FileAndFolder));
    let manifest = br#"{"version":"1"}"#;
    let through =
        Tar::new().file("manifest.json", manifest).link("door", b'2', "/tmp").file("door/evil", b"x");
    check("file through a link that is not allowed", &through.end(), error!(UnsupportedEntry));
}

#[test]
fn privileges_are_refused() {
    for mode in [0o4755, 0o2755, 0o1755, 0o7000] {
        check("special bits", &Tar::new().entry(b"a", b'0', mode, b"x").end(), error!(PrivilegedMode));
        check(
            "special bits of a folder",
            &Tar::new().entry(b"a/", b'5', mode, b"").end(),
            error!(PrivilegedMode),
        );
        check(
            "special bits of the root",
            &Tar::new().entry(b"./", b'5', mode, b"").end(),
            error!(PrivilegedMode),
        );
    }
    let capability = Tar::new().pax(&[("SCHILY.xattr.security.capability", "x")]).file("a", b"x");
    check("capability", &capability.end(), error!(UnsupportedAttribute));
    let sparse = Tar::new().pax(&[("GNU.sparse.major", "1"), ("GNU.sparse.name", "../x")]).file("a", b"x");
    check("sparse by PAX", &sparse.end(), error!(UnsupportedAttribute));
    let global = Tar::new().extended(b'g', &[("path", "../x")]).file("a", b"x");
    check("path for all", &global.end(), error!(UnsupportedAttribute));
}

#[test]
fn names_that_clash_are_refused() {
    check("twice", &Tar::new().file("a", b"1").file("a", b"2").end(), error!(Duplicate));
    check("twice, with a dot", &Tar::new().file("a", b"1").file("./a", b"2").end(), error!(Duplicate));
    check("case", &Tar::new().file("File", b"1").file("file", b"2").end(), error!(CaseCollision));
    check("case of a folder", &Tar::new().file("A/x", b"1").file("a/y", b"2").end(), error!(CaseCollision));
    check("case beyond ASCII", &Tar::new().file("É", b"1").file("é", b"2").end(), error!(CaseCollision));
    check("file as folder", &Tar::new().file("a", b"1").file("a/b", b"2").end(), error!(FileAndFolder));
    check("folder as file", &Tar::new().file("a/b", b"1").file("a", b"2").end(), error!(FileAndFolder));
    check("file then folder", &Tar::new().file("a", b"1").folder("a/").end(), error!(FileAndFolder));
}

/// The archive that costs common extractors 50 seconds of CPU.
#[test]
fn a_path_of_1600_levels_is_refused_at_once() {
    let deep = "d/".repeat(1600) + "x";
    for tar in [Tar::new().pax(&[("path", &deep)]), Tar::new().gnu_long_name(&deep)] {
        let started = Instant::now();
        check("deep", &tar.file("x", b"x").end(), problem!(TooLong));
        assert!(started.elapsed() < Duration::from_secs(2));
    }
    let deep = "d/".repeat(32) + "x";
    check("33 levels", &Tar::new().pax(&[("path", &deep)]).file("x", b"x").end(), problem!(TooDeep));
    let long_name = "x".repeat(256);
    check(
        "long name",
        &Tar::new().pax(&[("path", &long_name)]).file("x", b"").end(),
        problem!(ComponentTooLong),
    );
}

#[test]
fn bombs_are_stopped_by_the_limits() {
    let zeros = vec![0; 1 << 20];
    let full = Tar::new().file("a", &zeros);
    assert!(inspect(&compress(&full.clone().end(), BOTH[0])[..], &LIMITS).is_ok());
    check("one byte more", &full.file("b", b"x").end(), error!(TooLarge));

    // What the header says is refused before anything of it is read.
    let mut huge = Tar::new();
    huge.header(b"a", b'0', 0o644, 0o77777777777, b"");
    check("huge by header", &huge.0, error!(TooLarge));
    let huge = Tar::new().pax(&[("size", "18446744073709551615")]).file("a", b"x");
    check("huge by PAX", &huge.end(), error!(TooLarge));

    let many = |n: u32| (0..n).fold(Tar::new(), |tar, i| tar.file(&format!("f{i}"), b""));
    assert!(inspect(&compress(&many(1000).end(), BOTH[0])[..], &LIMITS).is_ok());
    check("many files", &many(1001).end(), error!(TooManyEntries));
    let implied = (0..100).fold(Tar::new(), |tar, i| tar.file(&format!("{i}/a/b/c/d/e/f/g/h/i/j"), b""));
    check("many folders inside of paths", &implied.end(), error!(TooManyEntries));
    let comments = (0..5000).fold(Tar::new(), |tar, _| tar.extended(b'g', &[("comment", "x")]));
    check("many comments", &comments.file("a", b"x").end(), error!(TooManyEntries));
    let roots = (0..5000).fold(Tar::new(), |tar, _| tar.folder("./"));
    check("many roots", &roots.file("a", b"x").end(), error!(TooManyEntries));
}

#[test]
fn a_gigabyte_of_zeros_is_refused_without_reading_it() {
    let mut head = Tar::new();
    head.header(b"zeros", b'0', 0o644, 1 << 30, b"");
    for format in BOTH {
        // Only the head is there: the size it claims is enough.
        let archive = compress(&head.0, format);
        assert!(matches!(inspect(&archive[..], &LIMITS), Err(ArchiveError::TooLarge { limit: 1_048_576 })));
    }
}

#[test]
fn extended_headers_that_fill_the_memory_or_contradict_are_refused() {
    let mut long_name = Tar::new();
    long_name.header(b"././@LongLink", b'L', 0, 1 << 32, b"");
    check("long name of 4 GiB", &long_name.0, error!(Corrupt));
    let mut pax = Tar::new();
    pax.header(b"PaxHeaders/x", b'x', 0o644, 1 << 32, b"");
    check("PAX header of 4 GiB", &pax.0, error!(Corrupt));
    let two = Tar::new().gnu_long_name("a").pax(&[("path", "b")]).file("c", b"x");
    let is_corrupt: fn(&ArchiveError) -> bool = error!(Corrupt);
    check("two names", &two.end(), is_corrupt);
    let two = Tar::new().gnu_long_name("a").gnu_long_name("b").file("c", b"x");
    check("two long names", &two.end(), is_corrupt);
    check(
        "two PAX names",
        &Tar::new().pax(&[("path", "a"), ("path", "b")]).file("c", b"x").end(),
        is_corrupt,
    );
    check("name of nothing", &Tar::new().file("a", b"x").gnu_long_name("b").end(), is_corrupt);
    check("content of a folder", &Tar::new().entry(b"a/", b'5', 0o755, b"x").end(), is_corrupt);
}

/// TARmageddon: a PAX size that differs from the header's. The PAX size counts, as POSIX has it, so that the inner
/// archive stays content.
#[test]
fn a_size_by_pax_hides_no_entries() {
    let inner = Tar::new().file("evil", b"x");
    let size = inner.0.len().to_string();
    let mut outer = Tar::new().pax(&[("size", &size)]);
    outer.header(b"inner.tar", b'0', 0o644, 0, b"");
    let tar = outer.content(&inner.0).file("after", b"y").end();
    for format in BOTH {
        let inspection = inspect(&compress(&tar, format)[..], &LIMITS).unwrap();
        assert_eq!(inspection.files.keys().collect::<Vec<_>>(), ["after", "inner.tar"]);
    }
}
