//! What `kernex login` keeps: `credentials.json`, readable by its owner only.

use std::{
    fs::{self, DirBuilder, File, OpenOptions},
    io::{ErrorKind, Write as _},
    os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _, PermissionsExt as _},
    path::{Path, PathBuf},
    time::Duration,
};

use anyhow::{Context as _, Result};
use kernex_api::auth::LoginResponse;
use kernex_client::{Login, Token};
use kernex_core::Timestamp;
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
    /// The access token that the control plane gave.
    pub(crate) token: Token,
    /// The secret that gets the next one; logins of older programs have none.
    pub(crate) refresh_token: Option<Token>,
    /// When the access token ends, Unix milliseconds.
    pub(crate) expires_at: Timestamp,
}

impl Credentials {
    /// What a login gave.
    pub(crate) fn of(url: String, username: String, answer: &LoginResponse, now: Timestamp) -> Self {
        Self {
            url,
            username,
            token: Token::new(answer.access_token.clone()),
            refresh_token: Some(Token::new(answer.refresh_token.clone())),
            expires_at: now.plus_secs(i64::try_from(answer.expires_in).unwrap_or(0)),
        }
    }

    /// The login as the client takes it, if it can be renewed.
    pub(crate) fn login(&self, now: Timestamp) -> Option<Login> {
        let left = u64::try_from(self.expires_at.as_millis() - now.as_millis()).unwrap_or(0);
        Some(Login {
            access_token: self.token.clone(),
            refresh_token: self.refresh_token.clone()?,
            lasts: Duration::from_millis(left),
        })
    }
}

#[derive(Serialize, Deserialize)]
struct OnDisk {
    url: String,
    username: String,
    token: String,
    #[serde(default)]
    refresh_token: Option<String>,
    #[serde(default)]
    expires_at: i64,
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
        Ok(Some(Credentials {
            url: stored.url,
            username: stored.username,
            token: Token::new(stored.token),
            refresh_token: stored.refresh_token.map(Token::new),
            expires_at: Timestamp::from_millis(stored.expires_at),
        }))
    }

    /// Keeps a login; the file is complete or as it was before.
    pub(crate) fn save(&self, credentials: &Credentials) -> Result<()> {
        let text = serde_json::to_string_pretty(&OnDisk {
            url: credentials.url.clone(),
            username: credentials.username.clone(),
            token: credentials.token.expose().to_owned(),
            refresh_token: credentials.refresh_token.as_ref().map(|token| token.expose().to_owned()),
            expires_at: credentials.expires_at.as_millis(),
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
            refresh_token: Some(Token::new(format!("{token} renewed"))),
            expires_at: Timestamp::from_millis(1_800_000_000_000),
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
