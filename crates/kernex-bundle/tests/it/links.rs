//! Symbolic links, by opt-in.

use std::{fs, os::unix::fs::symlink, path::Path};

use kernex_bundle::{
    ArchiveError, LinkProblem, PackError, PackOptions, PathProblem, inspect, pack, pack_to_file, unpack,
};

use crate::build::{BOTH, Tar, compress, listing};

const LINKS: &[u8] = br#"{"version":"1","links":true}"#;
const NO_LINKS: &[u8] = br#"{"version":"1"}"#;
const LIMITS: kernex_bundle::Limits = kernex_bundle::Limits { max_entries: 100, max_unpacked_bytes: 1 << 20 };

/// With the manifest first, last, and in a folder with everything else.
fn layouts(manifest: &[u8], tar: &dyn Fn(Tar, &str) -> Tar) -> [Tar; 3] {
    [
        tar(Tar::new().file("manifest.json", manifest), ""),
        tar(Tar::new(), "").file("manifest.json", manifest),
        tar(Tar::new().folder("m/"), "m/").file("m/manifest.json", manifest),
    ]
}

/// Refused for the right reason, and nothing came to be beside the destination; no link in it either.
fn refused(case: &str, manifest: &[u8], tar: impl Fn(Tar, &str) -> Tar, expected: fn(&ArchiveError) -> bool) {
    for (layout, tar) in layouts(manifest, &tar).into_iter().enumerate() {
        for format in BOTH {
            let archive = compress(&tar.clone().end(), format);
            let error = inspect(&archive[..], &LIMITS).expect_err(case);
            assert!(expected(&error), "{case}, layout {layout}: {error:?}");
            let parent = tempfile::tempdir().unwrap();
            let error = unpack(&archive[..], &parent.path().join("dest"), &LIMITS).expect_err(case);
            assert!(expected(&error), "{case}, layout {layout}: {error:?}");
            for path in listing(parent.path()) {
                assert!(path.starts_with("dest/"), "{case}: {path}");
                let metadata = parent.path().join(&path).symlink_metadata().unwrap();
                assert!(!metadata.is_symlink(), "{case}: {path}");
            }
        }
    }
}

macro_rules! problem {
    ($problem:pat) => {
        |e| matches!(e, ArchiveError::UnsafeLink { problem: $problem, .. })
    };
}

#[test]
fn links_that_stay_inside_are_made() {
    let tar = |tar: Tar, prefix: &str| {
        let at = |name: &str| format!("{prefix}{name}");
        tar.link(&at("early"), b'2', "lib/libx.so.1.2")
            .link(&at("alone/there"), b'2', "../lib")
            .file(&at("lib/libx.so.1.2"), b"elf")
            .link(&at("lib/libx.so.1"), b'2', "libx.so.1.2")
            .link(&at("lib/libx.so"), b'2', "./libx.so.1")
            .link(&at("a/up"), b'2', "../lib/libx.so")
            .link(&at("a/b/folder"), b'2', "..")
            .pax(&[("linkpath", "../a/x")])
            .link(&at("a/named"), b'2', "cut")
            .file(&at("a/x"), b"x")
    };
    for tar in layouts(LINKS, &tar) {
        for format in BOTH {
            let archive = compress(&tar.clone().end(), format);
            let dest = tempfile::tempdir().unwrap();
            let unpacked = unpack(&archive[..], dest.path(), &LIMITS).unwrap();
            let inspection = inspect(&archive[..], &LIMITS).unwrap();
            assert_eq!(inspection.links, unpacked.inspection.links);
            assert_eq!(inspection.links.len(), 7);
            assert_eq!(inspection.files.len(), 3);
            for (path, target) in &inspection.links {
                assert_eq!(fs::read_link(unpacked.root.join(path)).unwrap(), Path::new(target));
            }
            for path in ["early", "lib/libx.so", "a/up", "alone/there/libx.so.1.2", "a/b/folder/up"] {
                assert_eq!(fs::read(unpacked.root.join(path)).unwrap(), b"elf", "{path}");
            }
            assert_eq!(fs::read(unpacked.root.join("a/named")).unwrap(), b"x");
        }
    }
}

#[test]
fn links_without_the_opt_in_are_refused() {
    let tar = |tar: Tar, prefix: &str| {
        tar.file(&format!("{prefix}a"), b"x").link(&format!("{prefix}link"), b'2', "a")
    };
    for manifest in [NO_LINKS, br#"{"version":"1","links":false}"#, br#"{"version":"1","links":null}"#] {
        refused("link", manifest, tar, |e| matches!(e, ArchiveError::UnsupportedEntry { .. }));
    }
    let without_manifest = compress(&tar(Tar::new(), "").end(), BOTH[0]);
    let error = inspect(&without_manifest[..], &LIMITS).unwrap_err();
    assert_eq!(error.to_string(), "entry `link` is a symbolic link; only files and folders are allowed");
    // The manifest itself may not come through a link.
    let linked = Tar::new().file("real.json", LINKS).link("manifest.json", b'2', "real.json");
    let error = inspect(&compress(&linked.end(), BOTH[0])[..], &LIMITS).unwrap_err();
    assert!(matches!(error, ArchiveError::UnsupportedEntry { .. }));
}

#[test]
fn links_that_leave_are_refused() {
    for target in ["/etc/passwd", "/", "a//etc/../..", "..//etc/passwd"] {
        refused(
            target,
            LINKS,
            |tar, prefix| tar.file("f", b"").link(&format!("{prefix}a/link"), b'2', target),
            |e| {
                matches!(
                    e,
                    ArchiveError::UnsafeLink {
                        problem: LinkProblem::Target(PathProblem::Absolute | PathProblem::EmptyComponent)
                            | LinkProblem::Leaves,
                        ..
                    } | ArchiveError::UnsupportedEntry { .. }
                )
            },
        );
    }
    for target in ["../..", "..", "../../x", "../../../etc/passwd", "../../dest", "../"] {
        let tar = |tar: Tar, prefix: &str| {
            tar.file(&format!("{prefix}x"), b"").link(&format!("{prefix}a/l"), b'2', target)
        };
        refused(target, LINKS, tar, problem!(LinkProblem::Leaves | LinkProblem::Target(_)));
    }
    for target in ["b/../../../x", "b/..", "./.", "", "b/", "b\\c", "b//c"] {
        let tar = |tar: Tar, prefix: &str| {
            tar.file(&format!("{prefix}a/b/c"), b"").link(&format!("{prefix}a/l"), b'2', target)
        };
        refused(target, LINKS, tar, problem!(LinkProblem::Target(_)));
    }
    let long = "../".repeat(400);
    let tar = |tar: Tar, prefix: &str| tar.pax(&[("linkpath", &long)]).link(&format!("{prefix}l"), b'2', "x");
    refused("long", LINKS, tar, problem!(LinkProblem::Target(PathProblem::TooLong)));
    let tar = |mut tar: Tar, prefix: &str| {
        tar.header(format!("{prefix}l").as_bytes(), b'2', 0o777, 0, b"good\0/../evil");
        tar.file(&format!("{prefix}good"), b"")
    };
    refused("NUL", LINKS, tar, problem!(LinkProblem::Target(PathProblem::Control)));
}

#[test]
fn a_link_in_the_top_folder_stays_in_it() {
    for (path, target) in [("m/link", "../._x"), ("m/a/link", "../../._x"), ("._link", "m/manifest.json")] {
        let tar = Tar::new().file("m/manifest.json", LINKS).file("._x", b"").link(path, b'2', target);
        let error = inspect(&compress(&tar.end(), BOTH[0])[..], &LIMITS).unwrap_err();
        assert!(matches!(error, ArchiveError::UnsafeLink { problem: LinkProblem::Leaves, .. }), "{error:?}");
    }
}

#[test]
fn nothing_goes_through_a_link() {
    let is_both: fn(&ArchiveError) -> bool = |e| matches!(e, ArchiveError::FileAndFolder { .. });
    for target in ["/tmp", "..", "real"] {
        let at = |prefix: &str, name: &str| format!("{prefix}{name}");
        let file = |tar: Tar, prefix: &str| {
            tar.folder(&at(prefix, "real/"))
                .link(&at(prefix, "door"), b'2', target)
                .file(&at(prefix, "door/evil"), b"x")
        };
        refused("file through a link", LINKS, file, is_both);
        let before = |tar: Tar, prefix: &str| {
            tar.folder(&at(prefix, "real/")).file(&at(prefix, "door/evil"), b"x").link(
                &at(prefix, "door"),
                b'2',
                target,
            )
        };
        refused("link over a folder", LINKS, before, is_both);
        let folder = |tar: Tar, prefix: &str| {
            tar.folder(&at(prefix, "real/"))
                .link(&at(prefix, "door"), b'2', target)
                .folder(&at(prefix, "door/"))
        };
        refused("folder over a link", LINKS, folder, is_both);
        let nested = |tar: Tar, prefix: &str| {
            tar.folder(&at(prefix, "real/")).link(&at(prefix, "door"), b'2', target).link(
                &at(prefix, "door/in"),
                b'2',
                "x",
            )
        };
        refused("link through a link", LINKS, nested, is_both);
        let twice = |tar: Tar, prefix: &str| {
            tar.link(&at(prefix, "door"), b'2', target).file(&at(prefix, "door"), b"x")
        };
        refused("file over a link", LINKS, twice, |e| matches!(e, ArchiveError::Duplicate { .. }));
        let case = |tar: Tar, prefix: &str| {
            tar.link(&at(prefix, "door"), b'2', target).file(&at(prefix, "Door/evil"), b"x")
        };
        refused("other case", LINKS, case, |e| matches!(e, ArchiveError::CaseCollision { .. }));
    }
    let target_through = |tar: Tar, prefix: &str| {
        tar.file(&format!("{prefix}real/x"), b"").link(&format!("{prefix}door"), b'2', "real").link(
            &format!("{prefix}far"),
            b'2',
            "door/x",
        )
    };
    refused("target through a link", LINKS, target_through, problem!(LinkProblem::LeadsNowhere));
}

#[test]
fn chains_end_at_a_file_or_folder() {
    let nowhere = |tar: Tar, prefix: &str| {
        tar.link(&format!("{prefix}a"), b'2', "b").link(&format!("{prefix}b"), b'2', "missing")
    };
    refused("chain to nothing", LINKS, nowhere, problem!(LinkProblem::LeadsNowhere));
    let out = |tar: Tar, prefix: &str| {
        tar.link(&format!("{prefix}a"), b'2', "b").link(&format!("{prefix}b"), b'2', "../../etc/passwd")
    };
    refused("chain that leaves", LINKS, out, problem!(LinkProblem::Leaves));
    let itself = |tar: Tar, prefix: &str| tar.link(&format!("{prefix}a"), b'2', "a");
    refused("itself", LINKS, itself, problem!(LinkProblem::Chain));
    let circle = |tar: Tar, prefix: &str| {
        tar.link(&format!("{prefix}a"), b'2', "b").link(&format!("{prefix}b"), b'2', "a")
    };
    refused("circle", LINKS, circle, problem!(LinkProblem::Chain));
    let long = |tar: Tar, prefix: &str| {
        let last = tar.file(&format!("{prefix}l9"), b"");
        (0..9).fold(last, |tar, i| tar.link(&format!("{prefix}l{i}"), b'2', &format!("l{}", i + 1)))
    };
    refused("nine links", LINKS, long, problem!(LinkProblem::Chain));
    let eight = (1..9).fold(Tar::new().file("manifest.json", LINKS).file("l9", b""), |tar, i| {
        tar.link(&format!("l{i}"), b'2', &format!("l{}", i + 1))
    });
    assert!(inspect(&compress(&eight.end(), BOTH[0])[..], &LIMITS).is_ok());
}

#[test]
fn hard_links_and_oddities_stay_refused() {
    let hard = |tar: Tar, prefix: &str| {
        tar.file(&format!("{prefix}a"), b"").link(&format!("{prefix}b"), b'1', &format!("{prefix}a"))
    };
    refused("hard link", LINKS, hard, |e| matches!(e, ArchiveError::UnsupportedEntry { .. }));
    let file = |tar: Tar, prefix: &str| tar.pax(&[("linkpath", "x")]).file(&format!("{prefix}a"), b"");
    refused("file with a target", LINKS, file, |e| matches!(e, ArchiveError::UnsupportedAttribute { .. }));
    let content = |tar: Tar, prefix: &str| tar.entry(format!("{prefix}a").as_bytes(), b'2', 0o777, b"x");
    refused("link with content", LINKS, content, |e| matches!(e, ArchiveError::Corrupt { .. }));
    let special = |tar: Tar, prefix: &str| tar.entry(format!("{prefix}a").as_bytes(), b'2', 0o4777, b"");
    refused("special bits", LINKS, special, |e| matches!(e, ArchiveError::PrivilegedMode { .. }));
    let script = br#"{"version":"1","links":true,"deploy":{"script":"./run"}}"#;
    let linked = |tar: Tar, prefix: &str| {
        tar.program(&format!("{prefix}real"), b"").link(&format!("{prefix}run"), b'2', "real")
    };
    refused("script through a link", script, linked, |e| matches!(e, ArchiveError::MissingFile(_)));
}

#[test]
fn packing_takes_links_along_when_the_manifest_allows_them() {
    let dir = tempfile::tempdir().unwrap();
    let name = "n".repeat(120);
    fs::create_dir(dir.path().join("lib")).unwrap();
    fs::write(dir.path().join("lib").join(&name), "elf").unwrap();
    symlink(&name, dir.path().join("lib/short")).unwrap();
    symlink(format!("../lib/{name}"), dir.path().join("lib").join("l".repeat(130))).unwrap();
    symlink("lib", dir.path().join("lib64")).unwrap();
    let write = |manifest: &[u8]| fs::write(dir.path().join("manifest.json"), manifest).unwrap();
    write(NO_LINKS);
    let refused = |expected: &str| {
        let error = pack(dir.path(), std::io::sink(), &PackOptions::default(), &mut |_, _| {}).unwrap_err();
        assert!(error.to_string().contains(expected), "{error}");
        error
    };
    assert!(matches!(refused("is a symbolic link"), PackError::NotAFile { .. }));
    write(LINKS);
    for format in BOTH {
        let out = tempfile::tempdir().unwrap();
        let options = PackOptions { format, ..PackOptions::default() };
        let packed = pack_to_file(dir.path(), out.path(), &options, &mut |_, _| {}).unwrap();
        assert_eq!(packed.manifest.files.as_ref().map(Vec::len), Some(1));
        let dest = tempfile::tempdir().unwrap();
        let archive = fs::File::open(packed.path.unwrap()).unwrap();
        let unpacked = unpack(archive, dest.path(), &LIMITS).unwrap();
        assert_eq!(listing(dest.path()), listing(dir.path()));
        for path in unpacked.inspection.links.keys() {
            let link = |dir: &Path| fs::read_link(dir.join(path)).unwrap();
            assert_eq!(link(dest.path()), link(dir.path()));
        }
        assert_eq!(fs::read_to_string(dest.path().join("lib64/short")).unwrap(), "elf");
    }
    symlink("/etc/passwd", dir.path().join("out")).unwrap();
    assert!(refused("link `out` to `/etc/passwd` has an absolute path").to_string().len() < 100);
}
