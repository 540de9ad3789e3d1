//! Bundle names.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// A bundle's name: 1 to 64 of `a–z 0–9 . _ -`, and neither `.` nor `..`; `default` when a bundle gives none.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, ToSchema)]
#[serde(try_from = "String", into = "String")]
#[schema(value_type = String, min_length = 1, max_length = 64, pattern = "^[a-z0-9._-]{1,64}$", example = "default")]
pub struct BundleName(String);

/// Why a text is no bundle name.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("bundle name `{text}` is not allowed: 1 to 64 of a-z 0-9 . _ - are")]
pub struct InvalidName {
    /// The text, cut to 80 characters.
    pub text: String,
}

impl BundleName {
    /// The name as written.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl Default for BundleName {
    fn default() -> Self {
        Self("default".to_owned())
    }
}

impl FromStr for BundleName {
    type Err = InvalidName;
    fn from_str(text: &str) -> Result<Self, InvalidName> {
        let allowed = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b"._-".contains(&b);
        if !(1..=64).contains(&text.len()) || !text.bytes().all(allowed) || text == "." || text == ".." {
            return Err(InvalidName { text: text.chars().take(80).collect() });
        }
        Ok(Self(text.to_owned()))
    }
}

impl TryFrom<String> for BundleName {
    type Error = InvalidName;
    fn try_from(text: String) -> Result<Self, InvalidName> {
        text.parse()
    }
}

impl From<BundleName> for String {
    fn from(name: BundleName) -> Self {
        name.0
    }
}

impl fmt::Display for BundleName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_allowed_characters_and_lengths_pass() {
        for good in ["default", "qwen-1.5b_x", &"a".repeat(64)] {
            assert!(good.parse::<BundleName>().is_ok(), "{good}");
        }
        for bad in ["", ".", "..", "Upper", "a/b", "a b", "\u{e9}", &"a".repeat(65)] {
            assert!(bad.parse::<BundleName>().is_err(), "{bad}");
        }
    }
}
