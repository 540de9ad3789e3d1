//! Archives that were cut off, damaged or added to.

use kernex_bundle::{ArchiveError, ArchiveFormat, Limits, inspect};

use crate::build::{BOTH, Tar, compress, decompress};

fn good() -> Vec<u8> {
    let noise: Vec<u8> = (0..5000u32).map(|i| (i.wrapping_mul(2_654_435_761) >> 13) as u8).collect();
    Tar::new().file("manifest.json", br#"{"version":"1"}"#).file("noise", &noise).end()
}

fn check(archive: &[u8]) -> Result<(), ArchiveError> {
    inspect(archive, &Limits::default()).map(drop)
}

#[test]
fn an_archive_cut_off_anywhere_is_refused() {
    for format in BOTH {
        let archive = compress(&good(), format);
        assert!(check(&archive).is_ok());
        for length in 0..archive.len() {
            match check(&archive[..length]) {
                Err(ArchiveError::NotAnArchive) if length < 4 => {}
                Err(ArchiveError::Truncated) => {}
                other => panic!("{format} cut to {length} of {}: {other:?}", archive.len()),
            }
        }
    }
}

#[test]
fn a_tar_cut_off_anywhere_is_refused() {
    let tar = good();
    for length in (0..tar.len()).step_by(97) {
        let result = check(&compress(&tar[..length], ArchiveFormat::Gzip));
        assert!(matches!(result, Err(ArchiveError::Truncated)), "{length}: {result:?}");
    }
}

/// Deflate has bits that mean nothing, and several ways to say the same; what the checksum covers is the content.
#[test]
fn a_changed_bit_is_noticed_or_changes_nothing() {
    let tar = good();
    for format in BOTH {
        let archive = compress(&tar, format);
        for at in 0..archive.len() {
            let mut changed = archive.clone();
            changed[at] ^= 1 << (at % 8);
            if check(&changed).is_ok() {
                assert_eq!(decompress(&changed, format), tar, "{format} changed at {at}");
            }
        }
    }
}

#[test]
fn what_follows_the_archive_is_refused() {
    for format in BOTH {
        let archive = compress(&good(), format);
        for tail in [&b"x"[..], b"\0", &[0; 600], b"more and more"] {
            assert!(check(&[&archive, tail].concat()).is_err(), "{format} with {tail:?}");
        }
        let second = compress(&Tar::new().file("b", b"x").end(), format);
        let result = check(&[&archive[..], &second].concat());
        assert!(matches!(result, Err(ArchiveError::TrailingData)), "{format}: {result:?}");
        let hidden = compress(&[good(), Tar::new().file("b", b"x").end()].concat(), format);
        assert!(matches!(check(&hidden), Err(ArchiveError::TrailingData)), "{format}");
        let zeros = compress(&[good(), vec![0; 2 << 20]].concat(), format);
        assert!(matches!(check(&zeros), Err(ArchiveError::TrailingData)), "{format}");
    }
}

#[test]
fn padding_after_the_end_is_normal() {
    for format in BOTH {
        let mut tar = good();
        tar.resize(tar.len().next_multiple_of(10_240), 0);
        assert!(check(&compress(&tar, format)).is_ok());
    }
}

#[test]
fn an_archive_in_parts_that_were_compressed_one_by_one_is_read_as_one() {
    for format in BOTH {
        let tar = good();
        let (a, b) = tar.split_at(700);
        assert!(check(&[compress(a, format), compress(b, format)].concat()).is_ok());
    }
}

#[test]
fn an_archive_without_files_is_refused() {
    for tar in [Tar::new(), Tar::new().folder("./"), Tar::new().folder("a/").folder("a/b/")] {
        assert!(matches!(check(&compress(&tar.end(), ArchiveFormat::Gzip)), Err(ArchiveError::Empty)));
    }
}

#[test]
fn a_header_that_was_changed_is_refused() {
    let tar = good();
    for at in (0..512).step_by(3) {
        let mut changed = tar.clone();
        changed[at] = changed[at].wrapping_add(1);
        assert!(check(&compress(&changed, ArchiveFormat::Gzip)).is_err(), "{at}");
    }
}
