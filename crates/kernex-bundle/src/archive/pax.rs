//! Extended headers of the PAX format: what they may say, and the three things that are taken from them.
//!
//! Records are read by their length, as POSIX has it: a value may hold a line end, which the `tar` crate's iterator
//! takes for the end of the record.

use super::{ArchiveError, error::shown};

/// What the headers before an entry say about it.
#[derive(Debug, Default)]
pub(super) struct Extensions {
    pub(super) path: Option<Vec<u8>>,
    pub(super) size: Option<u64>,
    /// What a link says.
    pub(super) link: Option<Vec<u8>>,
    /// An attribute that must not stand there; the entry's name is known only later.
    pub(super) refused: Option<String>,
}

/// Reads a header that describes the next entry.
pub(super) fn read_local(data: &[u8], into: &mut Extensions) -> Result<(), ArchiveError> {
    each_record(data, |key, value| {
        match key {
            b"path" if into.path.is_some() => return Err(ambiguous("path")),
            b"path" => into.path = Some(value.to_vec()),
            b"size" if into.size.is_some() => return Err(ambiguous("size")),
            b"size" => into.size = Some(decimal(value)?),
            b"linkpath" if into.link.is_some() => return Err(ambiguous("target")),
            b"linkpath" => into.link = Some(value.to_vec()),
            _ if is_harmless(key) => {}
            _ => into.refused = Some(shown(key)),
        }
        Ok(())
    })
}

/// Reads a header that describes all entries after it. Such a header may hold comments, as the ones of `git archive`
/// do; extractors differ on everything else.
pub(super) fn read_global(data: &[u8]) -> Result<(), ArchiveError> {
    each_record(data, |key, _| {
        if is_harmless(key) {
            return Ok(());
        }
        Err(ArchiveError::UnsupportedAttribute { entry: "(all)".to_owned(), attribute: shown(key) })
    })
}

/// Times, owners and attributes that are never restored, and so do no harm.
fn is_harmless(key: &[u8]) -> bool {
    const KEYS: &[&[u8]] =
        &[b"mtime", b"atime", b"ctime", b"uid", b"gid", b"uname", b"gname", b"comment", b"charset"];
    const FAMILIES: &[&[u8]] = &[b"SCHILY.", b"LIBARCHIVE.", b"RHT.", b"MSWINDOWS."];
    // Rights that a program would have on the machine where the archive was made, and not on a device: better said.
    const PRIVILEGES: &[&[u8]] =
        &[b"SCHILY.xattr.security.capability", b"LIBARCHIVE.xattr.security.capability"];
    !PRIVILEGES.contains(&key)
        && (KEYS.contains(&key) || FAMILIES.iter().any(|family| key.starts_with(family)))
}

/// Calls `visit` for each `length key=value\n`.
fn each_record(
    mut data: &[u8],
    mut visit: impl FnMut(&[u8], &[u8]) -> Result<(), ArchiveError>,
) -> Result<(), ArchiveError> {
    while !data.is_empty() {
        let (record, rest) =
            split_record(data).ok_or_else(|| ArchiveError::corrupt("a PAX header is malformed"))?;
        let equals = record.iter().position(|b| *b == b'=');
        let (key, value) = match equals {
            Some(at) if at > 0 => (&record[..at], &record[at + 1..]),
            _ => return Err(ArchiveError::corrupt("a PAX header is malformed")),
        };
        visit(key, value)?;
        data = rest;
    }
    Ok(())
}

/// Cuts the first record off: its `key=value`, and what follows it.
fn split_record(data: &[u8]) -> Option<(&[u8], &[u8])> {
    let digits = data.iter().take(8).position(|b| *b == b' ')?;
    let length = decimal(&data[..digits]).ok().and_then(|n| usize::try_from(n).ok())?;
    let record = data.get(digits + 1..length)?;
    Some((record.strip_suffix(b"\n")?, &data[length..]))
}

fn decimal(text: &[u8]) -> Result<u64, ArchiveError> {
    let digits = Some(text).filter(|t| !t.is_empty() && t.iter().all(u8::is_ascii_digit));
    digits
        .and_then(|t| std::str::from_utf8(t).ok())
        .and_then(|t| t.parse().ok())
        .ok_or_else(|| ArchiveError::corrupt("a number in a PAX header is malformed"))
}

fn ambiguous(what: &str) -> ArchiveError {
    ArchiveError::corrupt(format!("an entry has more than one {what}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(data: &[u8]) -> Result<Extensions, ArchiveError> {
        let mut extensions = Extensions::default();
        read_local(data, &mut extensions).map(|()| extensions)
    }

    #[test]
    fn path_and_size_are_taken_and_values_may_hold_line_ends() {
        let read = read(b"9 path=a\n9 size=5\n24 SCHILY.xattr.x=a\nb=c\n").unwrap();
        assert_eq!(read.path.as_deref(), Some(&b"a"[..]));
        assert_eq!(read.size, Some(5));
        assert_eq!(read.refused, None);
    }

    #[test]
    fn attributes_that_change_the_content_are_refused() {
        let sparse = b"22 GNU.sparse.major=1\n";
        assert_eq!(read(sparse).unwrap().refused.as_deref(), Some("GNU.sparse.major"));
        assert!(read_global(sparse).is_err());
        assert!(read_global(b"14 linkpath=a\n").is_err());
        let capability = b"41 SCHILY.xattr.security.capability=\x01\0\0\x02\n";
        assert!(read(capability).unwrap().refused.is_some());
        assert!(read_global(b"9 path=a\n").is_err());
        assert!(read_global(b"14 comment=ab\n").is_ok());
    }

    #[test]
    fn malformed_records_are_errors() {
        for data in [
            &b"8 path=a\n"[..],
            b"11 path=a\n",
            b"path=a\n",
            b" path=a\n",
            b"+9 path=a\n",
            b"99999999999999999999 path=a\n",
            b"0 ",
            b"5 =a\n",
            b"9 path=a\0",
            b"9 size=x\n",
            b"10 size=-1\n",
            b"9 path=a\n9 path=b\n",
            b"13 linkpath=\n14 linkpath=b\n",
        ] {
            assert!(read(data).is_err(), "{}", data.escape_ascii());
        }
    }
}
