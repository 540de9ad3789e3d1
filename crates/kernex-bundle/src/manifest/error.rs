//! What can be wrong with a manifest, in sentences.

/// Why a manifest is not accepted.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ManifestError {
    /// More than 256 KiB.
    #[error("the manifest is larger than 256 KiB")]
    TooLarge,
    /// Not JSON, or nested too deep.
    #[error("the manifest is not valid JSON: {reason}")]
    NotJson {
        /// What the parser says, with line and column.
        reason: String,
    },
    /// A field is missing, unknown or has a wrong value.
    #[error("{}{reason}", prefix(pointer))]
    Invalid {
        /// The field as a JSON pointer; empty for the manifest as a whole.
        pointer: String,
        /// What is wrong with it.
        reason: String,
    },
    /// Two copies of the manifest differ.
    #[error("{field}: differs between the manifest given and the one in the archive")]
    Disagrees {
        /// The first field that differs.
        field: String,
    },
}

impl ManifestError {
    /// `field` in the dotted form `workload.command[0]`.
    pub(crate) fn invalid(field: &str, reason: impl Into<String>) -> Self {
        let mut pointer = String::new();
        for part in field.split(['.', '[']).filter(|part| !part.is_empty()) {
            pointer.push('/');
            pointer.push_str(part.trim_end_matches(']'));
        }
        Self::Invalid { pointer, reason: reason.into() }
    }
}

impl From<serde_json::Error> for ManifestError {
    fn from(error: serde_json::Error) -> Self {
        Self::NotJson { reason: error.to_string() }
    }
}

/// `/deploy/script` as `deploy.script: `.
fn prefix(pointer: &str) -> String {
    if pointer.is_empty() {
        return String::new();
    }
    let path: Vec<_> =
        pointer.split('/').skip(1).map(|part| part.replace("~1", "/").replace("~0", "~")).collect();
    format!("{}: ", cut(&path.join(".")))
}

/// A text from the manifest as it may stand in a message.
pub(crate) fn cut(text: &str) -> String {
    crate::archive::shown(text.as_bytes())
}
