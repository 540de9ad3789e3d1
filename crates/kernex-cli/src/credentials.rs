//! What `kernex login` keeps: `credentials.json`, readable by its owner only.

use std::{
    fs::{self, DirBuilder, File, OpenOptions},
    io::{ErrorKind, Write as _},
    os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _, PermissionsExt as _},
    path::{Path, PathBuf},
};

use anyhow::{Context as _, Result};
use kernex_client::Token;
use serde::{Deserialize, Serialize};

use crate::output;

const FILE_NAME: &str = "credentials.json";

/// A login.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Credentials {
    /// The control plane's address.
    pub(crate) url: String,
    /// Who logged in.
    pub(crate) username: String,
    /// What the control plane gave.
    pub(crate) token: Token,
}

#[derive(Serialize, Deserialize)]
struct OnDisk {
    url: String,
    username: String,
    token: String,
}

/// Where logins are kept.
#[derive(Clone, Debug)]
pub(crate) struct CredentialStore {
    dir: PathBuf,
}

impl CredentialStore {
    /// `KERNEX_CONFIG_DIR`, or `kernex` in the user's configuration folder.
    pub(crate) fn from_env() -> Option<Self> {
        let own = std::env::var_os("KERNEX_CONFIG_DIR").filter(|dir| !dir.is_empty()).map(PathBuf::from);
        let dir = own.or_else(|| Some(directories::BaseDirs::new()?.config_dir().join("kernex")))?;
        Some(Self { dir })
    }

    #[cfg(test)]
    pub(crate) fn at(dir: &Path) -> Self {
        Self { dir: dir.to_owned() }
    }

    pub(crate) fn path(&self) -> PathBuf {
        self.dir.join(FILE_NAME)
    }

    /// The login, if there is one.
    pub(crate) fn load(&self) -> Result<Option<Credentials>> {
        let path = self.path();
        let text = match fs::read_to_string(&path) {
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
            text => text.with_context(|| format!("`{}` cannot be read", path.display()))?,
        };
        warn_if_others_can_read(&path);
        let stored: OnDisk = serde_json::from_str(&text)
            .map_err(|_| anyhow::anyhow!("`{}` is damaged; log in again or remove it", path.display()))?;
        Ok(Some(Credentials { url: stored.url, username: stored.username, token: Token::new(stored.token) }))
    }

    /// Keeps a login; the file is complete or as it was before.
    pub(crate) fn save(&self, credentials: &Credentials) -> Result<()> {
        let text = serde_json::to_string_pretty(&OnDisk {
            url: credentials.url.clone(),
            username: credentials.username.clone(),
            token: credentials.token.expose().to_owned(),
        })?;
        self.replace(&text)
            .with_context(|| format!("the login cannot be kept in `{}`", self.path().display()))
    }

    /// Forgets the login.
    pub(crate) fn remove(&self) -> Result<()> {
        match fs::remove_file(self.path()) {
            Err(error) if error.kind() != ErrorKind::NotFound => {
                Err(error).with_context(|| format!("`{}` cannot be removed", self.path().display()))
            }
            _ => Ok(()),
        }
    }

    fn replace(&self, text: &str) -> std::io::Result<()> {
        DirBuilder::new().recursive(true).mode(0o700).create(&self.dir)?;
        let temporary = self.dir.join(format!(".{FILE_NAME}.{}", std::process::id()));
        match fs::remove_file(&temporary) {
            Err(error) if error.kind() != ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&temporary)?;
        file.write_all(text.as_bytes())?;
        file.write_all(b"\n")?;
        file.sync_all()?;
        fs::rename(&temporary, self.path())?;
        File::open(&self.dir)?.sync_all()
    }
}

fn warn_if_others_can_read(path: &Path) {
    let mode = fs::metadata(path).map_or(0, |metadata| metadata.permissions().mode());
    if mode & 0o077 != 0 {
        output::say(&format!("warning: other users may read `{0}`; run `chmod 600 {0}`", path.display()));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn login(token: &str) -> Credentials {
        Credentials {
            url: "https://kx".to_owned(),
            username: "ada".to_owned(),
            token: Token::new(token.to_owned()),
        }
    }

    #[test]
    fn a_login_is_kept_for_its_owner_only_replaced_and_removed() {
        let folder = tempfile::tempdir().unwrap();
        let dir = folder.path().join("kernex");
        let store = CredentialStore::at(&dir);
        assert_eq!(store.load().unwrap(), None);
        store.save(&login("one")).unwrap();
        store.save(&login("two")).unwrap();
        assert_eq!(store.load().unwrap(), Some(login("two")));
        let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
        assert_eq!((mode(&dir), mode(&store.path())), (0o700, 0o600));
        assert_eq!(fs::read_dir(&dir).unwrap().count(), 1, "no temporary file is left");
        store.remove().unwrap();
        store.remove().unwrap();
        assert_eq!(store.load().unwrap(), None);
    }

    #[test]
    fn a_damaged_file_is_named_and_its_content_is_not_repeated() {
        let folder = tempfile::tempdir().unwrap();
        let store = CredentialStore::at(folder.path());
        fs::write(store.path(), "{\"token\": \"kx_secret\"").unwrap();
        let error = format!("{:#}", store.load().unwrap_err());
        assert!(error.contains("credentials.json") && !error.contains("kx_secret"), "{error}");
    }

    #[test]
    fn the_token_is_not_in_the_debug_text() {
        assert!(!format!("{:?}", login("kx_secret")).contains("kx_secret"));
    }
}
