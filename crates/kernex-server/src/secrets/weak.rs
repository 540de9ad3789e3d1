//! Secrets that are none: too short, too simple, or printed somewhere.

use anyhow::bail;

/// Bytes that a secret must have.
const MIN_BYTES: usize = 32;
/// Different bytes that it must have: 32 random hex digits have fewer than 10 once in some millions.
const MIN_DIFFERENT: usize = 10;

/// Beginnings and parts of what people leave in configuration files; compared in lower case.
const KNOWN: [&str; 22] = [
    "changeme",
    "change-me",
    "change_me",
    "change this",
    "replaceme",
    "replace-me",
    "replace_me",
    "your-secret",
    "your_secret",
    "yoursecret",
    "supersecret",
    "super-secret",
    "super_secret",
    "secretkey",
    "secret-key",
    "secret_key",
    "mysecret",
    "my-secret",
    "example",
    "placeholder",
    "insecure",
    "password",
];

/// Refuses a secret that somebody could guess; `name` says which one it is.
pub fn refuse_weak(name: &str, secret: &[u8]) -> anyhow::Result<()> {
    if secret.len() < MIN_BYTES {
        bail!("{name} is shorter than {MIN_BYTES} bytes; make one with `openssl rand -base64 48`");
    }
    let mut seen = [false; 256];
    secret.iter().for_each(|byte| seen[usize::from(*byte)] = true);
    if seen.iter().filter(|seen| **seen).count() < MIN_DIFFERENT || is_sequence(secret) {
        bail!("{name} is too simple to be a secret; make one with `openssl rand -base64 48`");
    }
    let text = String::from_utf8_lossy(secret).to_lowercase();
    if KNOWN.iter().any(|known| text.contains(known)) {
        bail!("{name} is a well-known one from an example; make one with `openssl rand -base64 48`");
    }
    Ok(())
}

/// Whether nearly every byte follows from the one before: `abcdefgh…`, `0123456789…`, or a short text again and again.
fn is_sequence(secret: &[u8]) -> bool {
    let steps = secret.windows(2).filter(|pair| pair[1].wrapping_sub(pair[0]) <= 1).count();
    let repeats =
        |length: usize| secret.len() > length && secret.iter().skip(length).zip(secret).all(|(a, b)| a == b);
    steps * 4 > secret.len() * 3 || (1..=16).any(repeats)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn short_simple_and_known_secrets_are_refused_and_random_ones_are_not() {
        for weak in [
            "short",
            "",
            "0123456789012345678901234567890",
            "00000000000000000000000000000000",
            "abcdefghijklmnopqrstuvwxyzabcdef",
            "0123456789abcdef0123456789abcdef",
            "changeme-changeme-changeme-1234567890",
            "my-very-own-CHANGE_ME-value-0192837465",
            "this-is-a-placeholder-0192837465abc",
            "Password1Password1Password1Passw0rd",
        ] {
            assert!(refuse_weak("the secret", weak.as_bytes()).is_err(), "{weak}");
        }
        for _ in 0..200 {
            let token = super::super::random_token();
            assert!(refuse_weak("the secret", token.as_bytes()).is_ok());
            let digits = super::super::sha256_hex(&token);
            assert!(refuse_weak("the secret", digits.as_bytes()).is_ok(), "{digits}");
        }
    }

    #[test]
    fn the_refusal_does_not_repeat_the_secret() {
        let error =
            refuse_weak("the secret", b"changeme-0192837465-abcdefgh-hunter2").unwrap_err().to_string();
        assert!(!error.contains("hunter2") && error.contains("the secret"), "{error}");
    }
}
