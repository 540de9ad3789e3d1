//! Whatever the bytes, reading ends with a result and stays inside.

use kernex_bundle::{ArchiveFormat, Limits, Manifest, inspect, unpack};
use proptest::prelude::*;

use crate::build::{Tar, compress, listing};

const LIMITS: Limits = Limits { max_entries: 50, max_unpacked_bytes: 10_000 };

fn format() -> impl Strategy<Value = ArchiveFormat> {
    prop_oneof![Just(ArchiveFormat::Gzip), Just(ArchiveFormat::Zstd)]
}

fn component() -> impl Strategy<Value = String> {
    prop_oneof![
        4 => "[a-cA-C]{1,2}",
        1 => Just("..".to_owned()),
        1 => Just(".".to_owned()),
        1 => Just(String::new()),
        1 => any::<String>().prop_map(|text| text.chars().take(8).collect()),
    ]
}

fn path() -> impl Strategy<Value = String> {
    prop::collection::vec(component(), 1..5).prop_map(|parts| parts.join("/"))
}

/// Archives with entries of all kinds, links out of the destination among them.
fn tar() -> impl Strategy<Value = Tar> {
    let kind =
        prop_oneof![8 => Just(b'0'), 4 => Just(b'5'), 4 => Just(b'2'), 1 => Just(b'1'), 1 => any::<u8>()];
    let entry = (path(), kind, any::<bool>(), prop::collection::vec(any::<u8>(), 0..600));
    prop::collection::vec(entry, 0..8).prop_map(|entries| {
        entries.into_iter().fold(Tar::new(), |tar, (path, kind, is_long, content)| match kind {
            b'1' => tar.link("aa", kind, "../../outside"),
            b'2' if is_long => tar.pax(&[("linkpath", &path)]).link("b/B/a", kind, ""),
            b'2' => tar.link("aa", kind, &path[..path.floor_char_boundary(100)]),
            _ if is_long => tar.pax(&[("path", &path)]).entry(b"x", kind, 0o755, &content),
            _ => {
                let name = &path.as_bytes()[..path.len().min(100)];
                tar.entry(name, kind, 0o644, if kind == b'5' { b"" } else { &content })
            }
        })
    })
}

proptest! {
    #[test]
    fn random_bytes_never_panic(bytes in prop::collection::vec(any::<u8>(), 0..2000)) {
        let _ = inspect(&bytes[..], &LIMITS);
        let gzip = [&[0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 0xff][..], &bytes].concat();
        let _ = inspect(&gzip[..], &LIMITS);
        let zstd = [&[0x28, 0xb5, 0x2f, 0xfd][..], &bytes].concat();
        let _ = inspect(&zstd[..], &LIMITS);
        let _ = Manifest::parse(&bytes);
    }

    #[test]
    fn random_tar_bytes_never_panic(bytes in prop::collection::vec(any::<u8>(), 0..2000), format in format()) {
        let _ = inspect(&compress(&bytes, format)[..], &LIMITS);
    }

    #[test]
    fn a_damaged_tar_never_panics(tar in tar(), at in any::<prop::sample::Index>(), byte in any::<u8>()) {
        let mut bytes = tar.end();
        let at = at.index(bytes.len());
        bytes[at] = byte;
        let _ = inspect(&compress(&bytes, ArchiveFormat::Gzip)[..], &LIMITS);
    }

    #[test]
    fn nothing_is_created_outside_and_both_readers_agree(tar in tar(), format in format(), links in any::<bool>()) {
        let tar = if links { tar.file("manifest.json", br#"{"version":"1","links":true}"#) } else { tar };
        let archive = compress(&tar.end(), format);
        let parent = tempfile::tempdir().unwrap();
        std::fs::create_dir(parent.path().join("outside")).unwrap();
        let dest = parent.path().join("x/dest");
        let unpacked = unpack(&archive[..], &dest, &LIMITS);
        let inspected = inspect(&archive[..], &LIMITS);
        let inside = |path: &String| path.starts_with("x/") || path == "outside/";
        prop_assert!(listing(parent.path()).iter().all(inside));
        prop_assert_eq!(unpacked.is_ok(), inspected.is_ok());
        if let (Ok(unpacked), Ok(inspected)) = (unpacked, inspected) {
            let mut on_disk = listing(&unpacked.root);
            on_disk.retain(|path| !path.ends_with('/'));
            let root = unpacked.root.canonicalize().unwrap();
            for link in inspected.links.keys() {
                let leads_to = root.join(link).canonicalize().unwrap();
                prop_assert!(leads_to.starts_with(&root) && leads_to != root);
            }
            let mut expected: Vec<_> = inspected.files.into_keys().chain(inspected.links.into_keys()).collect();
            expected.sort();
            prop_assert_eq!(on_disk, expected);
        }
    }
}
