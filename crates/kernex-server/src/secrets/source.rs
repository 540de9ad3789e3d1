//! Where a secret comes from: a setting, a file that a setting names, or a credential that systemd hands over.

use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail};

/// Largest file of a secret.
const MAX_BYTES: u64 = 64 * 1024;

/// The file of a credential of systemd (`LoadCredential=`), if it handed one over.
pub fn credential(name: &str) -> Option<PathBuf> {
    credential_in(std::env::var_os("CREDENTIALS_DIRECTORY").as_deref().map(Path::new), name)
}

fn credential_in(folder: Option<&Path>, name: &str) -> Option<PathBuf> {
    folder.filter(|folder| folder.is_absolute()).map(|folder| folder.join(name)).filter(|path| path.is_file())
}

/// The value of a secret: the setting's own, or the contents of the file that it names, or those of the credential. Setting it
/// twice is an error: one of them would be forgotten when the secret changes.
pub fn secret_value(
    name: &str,
    value: Option<String>,
    file: Option<&Path>,
    credential_name: &str,
) -> anyhow::Result<Option<String>> {
    if value.is_some() && file.is_some() {
        bail!("{name} and {name}_file are both set; set one of them");
    }
    if value.is_some() {
        return Ok(value);
    }
    let found = file.map(Path::to_owned).or_else(|| credential(credential_name));
    found.map(|path| read(name, &path)).transpose()
}

fn read(name: &str, path: &Path) -> anyhow::Result<String> {
    use std::io::Read as _;
    let mut text = String::new();
    let file =
        std::fs::File::open(path).with_context(|| format!("cannot read {name}_file {}", path.display()))?;
    file.take(MAX_BYTES)
        .read_to_string(&mut text)
        .with_context(|| format!("cannot read {name}_file {}", path.display()))?;
    Ok(text.trim_end_matches(['\r', '\n']).to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_credential_of_systemd_is_found_by_its_name() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("kernex-database-url"), "postgres://x\n").unwrap();
        assert!(credential_in(Some(folder.path()), "kernex-database-url").is_some());
        assert!(credential_in(Some(folder.path()), "other").is_none());
        assert!(credential_in(None, "kernex-database-url").is_none());
        assert!(credential_in(Some(Path::new("relative")), "kernex-database-url").is_none());
    }

    #[test]
    fn a_file_gives_its_text_without_the_line_break() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("x");
        std::fs::write(&path, "hunter2\r\n").unwrap();
        let value = |value: Option<&str>, file| secret_value("token", value.map(str::to_owned), file, "none");
        assert_eq!(value(None, Some(&path)).unwrap().as_deref(), Some("hunter2"));
        assert_eq!(value(Some("a"), None).unwrap().as_deref(), Some("a"));
        assert_eq!(value(None, None).unwrap(), None);
        let both = value(Some("a"), Some(&path)).unwrap_err().to_string();
        assert!(both.contains("token and token_file are both set"), "{both}");
        let missing = format!("{:#}", value(None, Some(Path::new("/nonexistent"))).unwrap_err());
        assert!(missing.contains("token_file"), "{missing}");
    }
}
