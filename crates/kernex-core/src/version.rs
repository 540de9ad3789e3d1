//! Bundle versions.

mod sort_key;

use std::{cmp::Ordering, fmt, str::FromStr};

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

pub use sort_key::sort_key;

/// A bundle's version: 1 to 64 of `A–Z a–z 0–9 . _ + -`, and neither `.` nor `..`.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
#[serde(try_from = "String", into = "String")]
#[schema(value_type = String, min_length = 1, max_length = 64, pattern = "^[A-Za-z0-9._+-]{1,64}$", example = "1.2.0")]
pub struct BundleVersion(String);

/// Why a text is no version.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("version `{text}` is not allowed: 1 to 64 of A-Z a-z 0-9 . _ + - are")]
pub struct InvalidVersion {
    /// The text, cut to 80 characters.
    pub text: String,
}

impl BundleVersion {
    /// The version as written.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Compares as semantic versions (a leading `v` is ignored) when both are such, otherwise not at all.
    pub fn compare_semver(&self, other: &Self) -> Option<Ordering> {
        Some(self.semver()?.cmp(&other.semver()?))
    }

    fn semver(&self) -> Option<semver::Version> {
        semver::Version::parse(self.0.strip_prefix('v').unwrap_or(&self.0)).ok()
    }
}

impl FromStr for BundleVersion {
    type Err = InvalidVersion;
    fn from_str(text: &str) -> Result<Self, InvalidVersion> {
        let allowed = |b: u8| b.is_ascii_alphanumeric() || b"._+-".contains(&b);
        if !(1..=64).contains(&text.len()) || !text.bytes().all(allowed) || text == "." || text == ".." {
            return Err(InvalidVersion { text: text.chars().take(80).collect() });
        }
        Ok(Self(text.to_owned()))
    }
}

impl TryFrom<String> for BundleVersion {
    type Error = InvalidVersion;
    fn try_from(text: String) -> Result<Self, InvalidVersion> {
        text.parse()
    }
}

impl From<BundleVersion> for String {
    fn from(version: BundleVersion) -> Self {
        version.0
    }
}

impl fmt::Display for BundleVersion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_allowed_characters_and_lengths_pass() {
        for good in ["1", "1.2.0", "v1.2.0-rc.1+build_5", &"9".repeat(64)] {
            assert_eq!(good.parse::<BundleVersion>().unwrap().as_str(), good);
        }
        for bad in
            ["", ".", "..", "1/2", "../1", "1 2", "1\n", "é", "a\\b", &"9".repeat(65), &"9".repeat(300)]
        {
            assert!(bad.parse::<BundleVersion>().is_err(), "{bad}");
        }
    }

    #[test]
    fn semantic_versions_compare_as_such_and_others_not_at_all() {
        let compare = |a: &str, b: &str| {
            a.parse::<BundleVersion>().unwrap().compare_semver(&b.parse::<BundleVersion>().unwrap())
        };
        assert_eq!(compare("1.10.0", "v1.9.0"), Some(Ordering::Greater));
        assert_eq!(compare("1.0.0-rc.1", "1.0.0"), Some(Ordering::Less));
        assert_eq!(compare("1.0.0", "nightly"), None);
    }
}
