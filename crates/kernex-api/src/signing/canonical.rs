//! The text that is signed.

use aws_lc_rs::digest;

use super::NONE;

/// What of a request is signed.
#[derive(Clone, Copy, Debug)]
pub struct CanonicalRequest<'a> {
    /// `GET`, `POST`, …
    pub method: &'a str,
    /// The path, raw, as sent.
    pub path: &'a str,
    /// The query, raw, without the `?`; empty when there is none.
    pub query: &'a str,
    /// The device's id as sent, or [`NONE`] while registering.
    pub device_id: &'a str,
    /// The timestamp as sent.
    pub timestamp: &'a str,
    /// The challenge, when there is one.
    pub challenge: Option<&'a str>,
    /// The body's bytes.
    pub body: &'a [u8],
}

/// A field holds a byte below 0x20 or 0x7f.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the {0} holds a control character")]
pub struct InvalidField(pub &'static str);

impl CanonicalRequest<'_> {
    /// The text to sign: eight lines, each ended by `\n`.
    pub fn text(&self) -> Result<String, InvalidField> {
        let challenge = self.challenge.unwrap_or(NONE);
        let fields = [
            ("method", self.method),
            ("path", self.path),
            ("query", self.query),
            ("device id", self.device_id),
            ("timestamp", self.timestamp),
            ("challenge", challenge),
        ];
        let mut text = String::with_capacity(384);
        text.push_str("KERNEX-DEVICE-V1\n");
        for (name, field) in fields {
            if field.bytes().any(|byte| byte < 0x20 || byte == 0x7f) {
                return Err(InvalidField(name));
            }
            text.push_str(field);
            text.push('\n');
        }
        text.push_str(&hex::encode(digest::digest(&digest::SHA256, self.body)));
        text.push('\n');
        Ok(text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const REQUEST: CanonicalRequest<'static> = CanonicalRequest {
        method: "POST",
        path: "/api/v1/devices/register",
        query: "",
        device_id: NONE,
        timestamp: "1767225600123",
        challenge: None,
        body: b"",
    };

    #[test]
    fn the_text_is_the_protocols_eight_lines() {
        assert_eq!(
            REQUEST.text().unwrap(),
            "KERNEX-DEVICE-V1\nPOST\n/api/v1/devices/register\n\n-\n1767225600123\n-\n\
             e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855\n"
        );
    }

    #[test]
    fn no_field_can_smuggle_a_line() {
        let path = CanonicalRequest { path: "/a\nGET", ..REQUEST };
        assert_eq!(path.text(), Err(InvalidField("path")));
        let challenge = CanonicalRequest { challenge: Some("\x7f"), ..REQUEST };
        assert_eq!(challenge.text(), Err(InvalidField("challenge")));
    }
}
