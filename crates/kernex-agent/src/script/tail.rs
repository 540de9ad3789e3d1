//! The end of a stream of output.

/// Keeps the last bytes of what is pushed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tail {
    bytes: Vec<u8>,
    limit: usize,
}

impl Tail {
    /// Keeps at most `limit` bytes.
    pub fn new(limit: usize) -> Self {
        Self { bytes: Vec::new(), limit }
    }

    /// Adds bytes at the end.
    pub fn push(&mut self, bytes: &[u8]) {
        self.bytes.extend_from_slice(bytes);
        let surplus = self.bytes.len().saturating_sub(self.limit);
        self.bytes.drain(..surplus);
    }

    /// The text, whatever the bytes are.
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.bytes).into_owned()
    }

    /// The last lines within a number of bytes, without control characters but line breaks.
    pub fn quoted(&self, max_bytes: usize) -> String {
        let text: String =
            self.text().trim_end().chars().filter(|c| *c == '\n' || *c == '\t' || !c.is_control()).collect();
        let mut start = text.len().saturating_sub(max_bytes);
        while !text.is_char_boundary(start) {
            start += 1;
        }
        text[start..].to_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_end_is_kept_and_it_is_quoted_as_text() {
        let mut tail = Tail::new(10);
        tail.push(b"0123456789");
        tail.push(b"a\x1bb\n");
        assert_eq!(tail.text(), "456789a\x1bb\n");
        assert_eq!(tail.quoted(100), "456789ab");
        assert_eq!(tail.quoted(3), "9ab");
        let mut umlauts = Tail::new(100);
        umlauts.push("äöü".as_bytes());
        umlauts.push(&[0xff]);
        assert_eq!(umlauts.quoted(4), "\u{fffd}", "no character is cut in half");
    }
}
