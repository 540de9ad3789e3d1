//! `Range` of RFC 9110, section 14: which bytes a request asks for.

/// More ranges in one request are not worth answering one by one: the whole is sent instead.
const MAX_RANGES: usize = 16;

/// A part of the bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct ByteRange {
    pub(super) start: u64,
    pub(super) length: u64,
}

impl ByteRange {
    /// As `Content-Range` says it.
    pub(super) fn content_range(&self, size: u64) -> String {
        format!("bytes {}-{}/{size}", self.start, self.start + self.length - 1)
    }
}

/// What to answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Wanted {
    /// All bytes: no range, or one that does not follow the rules and is to be ignored.
    Whole,
    /// These parts, at least one.
    Parts(Vec<ByteRange>),
    /// None of the ranges lies within the bytes.
    Unsatisfiable,
}

/// Reads a `Range` header for so many bytes.
pub(super) fn parse(header: &str, size: u64) -> Wanted {
    let Some(list) = header.strip_prefix("bytes=") else { return Wanted::Whole };
    let mut parts = Vec::new();
    for (index, spec) in list.split(',').map(str::trim).enumerate() {
        if index == MAX_RANGES {
            return Wanted::Whole;
        }
        match range(spec, size) {
            None => return Wanted::Whole,
            Some(None) => {}
            Some(Some(part)) => parts.push(part),
        }
    }
    // Ranges that overlap could ask for many times the bytes there are.
    if parts.iter().map(|part| part.length).sum::<u64>() > size {
        return Wanted::Whole;
    }
    if parts.is_empty() { Wanted::Unsatisfiable } else { Wanted::Parts(parts) }
}

/// `None`: not a range; `Some(None)`: outside the bytes.
fn range(spec: &str, size: u64) -> Option<Option<ByteRange>> {
    let (first, last) = spec.split_once('-')?;
    if first.is_empty() {
        let suffix = number(last)?.min(size);
        return Some((suffix > 0).then_some(ByteRange { start: size - suffix, length: suffix }));
    }
    let start = number(first)?;
    let end = if last.is_empty() { u64::MAX } else { number(last)? };
    if end < start {
        return None;
    }
    Some((start < size).then(|| ByteRange { start, length: end.min(size - 1) - start + 1 }))
}

/// Digits only: `parse` alone would take a sign.
fn number(text: &str) -> Option<u64> {
    text.bytes().all(|byte| byte.is_ascii_digit()).then(|| text.parse().ok()).flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_are_read_as_the_rfc_says() {
        let part = |start, length| ByteRange { start, length };
        for (header, wanted) in [
            ("bytes=0-0", Wanted::Parts(vec![part(0, 1)])),
            ("bytes=2-4", Wanted::Parts(vec![part(2, 3)])),
            ("bytes=7-", Wanted::Parts(vec![part(7, 3)])),
            ("bytes=-3", Wanted::Parts(vec![part(7, 3)])),
            ("bytes=-99", Wanted::Parts(vec![part(0, 10)])),
            ("bytes=8-99", Wanted::Parts(vec![part(8, 2)])),
            ("bytes=0-1, 4-5,-1", Wanted::Parts(vec![part(0, 2), part(4, 2), part(9, 1)])),
            ("bytes=0-1,20-30", Wanted::Parts(vec![part(0, 2)])),
            ("bytes=0-9,0-9", Wanted::Whole),
            ("bytes=10-", Wanted::Unsatisfiable),
            ("bytes=-0", Wanted::Unsatisfiable),
            ("bytes=5-4", Wanted::Whole),
            ("bytes=a-b", Wanted::Whole),
            ("bytes=+1-2", Wanted::Whole),
            ("bytes=", Wanted::Whole),
            ("items=0-1", Wanted::Whole),
            ("bytes=99999999999999999999-", Wanted::Whole),
        ] {
            assert_eq!(parse(header, 10), wanted, "{header}");
        }
        let many = format!("bytes={}", ["0-0"; 17].join(","));
        assert_eq!(parse(&many, 10), Wanted::Whole);
        assert_eq!(parse("bytes=0-", 0), Wanted::Unsatisfiable);
    }
}
