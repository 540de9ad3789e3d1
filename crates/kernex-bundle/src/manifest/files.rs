//! The list of a bundle's files: what it may say, and how it is written into a manifest.

use std::collections::BTreeSet;

use serde::{Deserialize, Deserializer};
#[cfg(unix)]
use serde_json::Value;

use super::error::{ManifestError, cut};
#[cfg(unix)]
use crate::inspect::BundleFiles;
use crate::{archive::EntryPath, digest::Digest, inspect::MANIFEST_NAME};

/// A file as the manifest lists it.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct ListedFile {
    /// Its path below the bundle's root.
    #[serde(deserialize_with = "path")]
    pub path: EntryPath,
    /// The size of its content.
    pub size_bytes: u64,
    /// The digest of its content.
    pub sha256: Digest,
    /// Whether its owner may run it, if the list says so.
    #[serde(rename = "mode", default, deserialize_with = "mode")]
    pub is_executable: Option<bool>,
}

/// No file may be there twice, and the manifest cannot hold its own digest.
pub(super) fn check(files: &[ListedFile]) -> Result<(), ManifestError> {
    let mut seen = BTreeSet::new();
    for (index, file) in files.iter().enumerate() {
        let problem = match file.path.as_str() {
            MANIFEST_NAME => "is the manifest itself, which is not in its list",
            path if !seen.insert(path) => "is there twice",
            _ => continue,
        };
        let reason = format!("`{}` {problem}", cut(file.path.as_str()));
        return Err(ManifestError::invalid(&format!("files[{index}].path"), reason));
    }
    Ok(())
}

/// A manifest's text with a list of these files. What its author wrote stays as it is.
#[cfg(unix)]
pub(crate) fn with_list(text: &[u8], manifest: &Value, files: &BundleFiles) -> Vec<u8> {
    let text = String::from_utf8_lossy(text);
    let text = text.trim_end();
    let mut own = text.strip_suffix('}').unwrap_or(text).trim_end().to_owned();
    if let Some(fields) = manifest.as_object().filter(|fields| fields.contains_key("files")) {
        // A `null` that would be there twice.
        let fields: Vec<_> = fields
            .iter()
            .filter(|(name, _)| *name != "files")
            .map(|(name, value)| format!("\n  {}: {value}", Value::from(name.as_str())))
            .collect();
        own = format!("{{{}", fields.join(","));
    }
    let lines = files.iter().filter(|(path, _)| *path != MANIFEST_NAME).filter_map(|(path, file)| {
        let mode = if file.is_executable { "0755" } else { "0644" };
        let (path, size, sha256) = (Value::from(path.as_str()), file.size_bytes, file.sha256?);
        Some(format!(r#"    {{"path":{path},"size_bytes":{size},"sha256":"{sha256}","mode":"{mode}"}}"#))
    });
    let lines = lines.collect::<Vec<_>>().join(",\n");
    format!("{own},\n  \"files\": [\n{lines}\n  ]\n}}\n").into_bytes()
}

fn path<'de, D: Deserializer<'de>>(deserializer: D) -> Result<EntryPath, D::Error> {
    let text = String::deserialize(deserializer)?;
    EntryPath::of_file(&text)
        .map_err(|problem| serde::de::Error::custom(format!("`{}` in files {problem}", cut(&text))))
}

fn mode<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<bool>, D::Error> {
    // The schema allows two modes only.
    Ok(Option::<String>::deserialize(deserializer)?.map(|mode| mode == "0755"))
}
