//! `KERNEX-DEVICE-V1`: how a device signs a request, and how the control plane checks it (protocol, section 1).

mod canonical;
mod key;
mod public_key;

pub use canonical::{CanonicalRequest, InvalidField};
pub use key::{KeyAlgorithm, SigningKey, SigningKeyError};
pub use public_key::{InvalidPublicKey, PublicKey, SignatureAlgorithm};

/// Names the device.
pub const DEVICE_ID_HEADER: &str = "x-device-id";
/// When the request was signed, Unix milliseconds; also the replay counter.
pub const TIMESTAMP_HEADER: &str = "x-device-timestamp";
/// The signature, base64, standard or url-safe.
pub const SIGNATURE_HEADER: &str = "x-device-signature";
/// The answer to a challenge, where one is asked for.
pub const CHALLENGE_HEADER: &str = "x-device-challenge";
/// On every answer: the server's time, Unix milliseconds.
pub const SERVER_TIME_HEADER: &str = "x-kernex-time";
/// On a POST that creates: the same key and body give the first answer again.
pub const IDEMPOTENCY_KEY_HEADER: &str = "idempotency-key";

/// A request's timestamp may differ from the server's clock by this much.
pub const MAX_SKEW_MILLIS: i64 = 300_000;
/// What stands for the device id while registering, and for the challenge when there is none.
pub const NONE: &str = "-";

/// The text form of a signature in its header: base64url without padding.
pub fn encode_signature(signature: &[u8]) -> String {
    use base64::Engine as _;
    base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(signature)
}

/// Reads a signature: base64, standard or url-safe, padded or not.
pub fn decode_signature(text: &str) -> Option<Vec<u8>> {
    use base64::{Engine as _, alphabet, engine};
    const CONFIG: engine::GeneralPurposeConfig =
        engine::GeneralPurposeConfig::new().with_decode_padding_mode(engine::DecodePaddingMode::Indifferent);
    let alphabet = if text.contains(['-', '_']) { &alphabet::URL_SAFE } else { &alphabet::STANDARD };
    engine::GeneralPurpose::new(alphabet, CONFIG).decode(text).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_signature_is_read_in_every_spelling_of_base64() {
        for text in ["-_-_AA==", "-_-_AA", "+/+/AA==", "+/+/AA"] {
            assert_eq!(decode_signature(text).as_deref(), Some(&[0xfb, 0xff, 0xbf, 0][..]), "{text}");
        }
        for text in ["-_+/", "****", "A", "AA==="] {
            assert_eq!(decode_signature(text), None, "{text}");
        }
    }
}
