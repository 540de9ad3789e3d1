//! The installation's secrets: the secret key, from which keys are derived, and the rings of keys that can be changed while the
//! server runs. `docs/runbooks/rotate-secrets.md` says how.

pub mod private_file;
mod ring;
pub mod rotate;
mod source;
mod storage;
mod vault;
mod weak;

use std::{
    path::PathBuf,
    sync::{Arc, PoisonError, RwLock},
};

use anyhow::Context as _;
use aws_lc_rs::{aead, digest, hkdf, hmac};
use kernex_core::Timestamp;

pub use ring::{KeyRing, RingKey};
pub use source::{credential, secret_value};
pub use storage::StorageKeys;
pub use vault::{Vault, VaultSettings};
pub use weak::refuse_weak;

use crate::{Settings, audit::AuditSigner, auth::TokenKeys};

/// What a key is for; each has a ring of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Purpose {
    /// Signs access tokens; the old key is honoured until the last of its tokens has expired.
    Token,
    /// Proves download addresses; the old key is honoured until the last of its addresses has expired.
    Download,
    /// Wraps the keys of bundles and seals small secrets in the database; old keys open what they closed.
    Storage,
}

impl Purpose {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Token, Self::Download, Self::Storage];

    /// The word for it in file names and records.
    pub fn word(self) -> &'static str {
        match self {
            Self::Token => "token",
            Self::Download => "download",
            Self::Storage => "storage",
        }
    }

    /// What the key that nobody changed is derived with.
    fn label(self) -> &'static [u8] {
        match self {
            Self::Token => b"access tokens v2",
            Self::Download => b"download addresses v1",
            Self::Storage => b"storage v1",
        }
    }
}

/// The keys in use. Cheap to clone; every clone sees a changed key.
#[derive(Clone)]
pub struct Secrets(Arc<Inner>);

struct Inner {
    root: hkdf::Prk,
    folder: PathBuf,
    token_keep_secs: i64,
    download_keep_secs: i64,
    keys: RwLock<Arc<Keys>>,
    storage: StorageKeys,
    audit: AuditSigner,
    vault: Option<Vault>,
    webhooks: hmac::Key,
}

struct Keys {
    rings: [KeyRing; 3],
    tokens: TokenKeys,
    downloads: Vec<hmac::Key>,
    sealing: Vec<aead::LessSafeKey>,
}

impl std::fmt::Debug for Secrets {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Secrets(…)")
    }
}

impl Secrets {
    /// Reads the secret and the other keys, or makes them at first start.
    pub fn load_or_create(settings: &Settings, vault: Option<Vault>, now: Timestamp) -> anyhow::Result<Self> {
        let folder = settings.keys_dir();
        private_file::make_private_dir(&folder)?;
        let audit = AuditSigner::load_or_create(&folder)?;
        let root = root(settings)?;
        let rings = load_rings(&root, &folder)?;
        let (token_keep_secs, download_keep_secs) =
            (i64::from(settings.token_ttl_secs), i64::from(settings.download_ttl_secs));
        let [_, _, storage] = rings.clone();
        let storage = StorageKeys::new(storage, vault.clone().filter(Vault::has_transit));
        let keys = RwLock::new(Arc::new(Keys::new(rings, token_keep_secs, download_keep_secs, now)?));
        let webhooks = webhooks_key(&root)?;
        Ok(Self(Arc::new(Inner {
            root,
            folder,
            token_keep_secs,
            download_keep_secs,
            keys,
            storage,
            audit,
            vault,
            webhooks,
        })))
    }

    /// Takes the keys as they are now on the disk, and lets go of those whose time is over. Whether a key was changed. Blocks.
    pub fn refresh(&self, now: Timestamp) -> anyhow::Result<bool> {
        let inner = &self.0;
        let rings = load_rings(&inner.root, &inner.folder)?;
        let changed = rings != self.keys().rings;
        if changed {
            inner.storage.replace(rings[2].clone());
        }
        let keys = Keys::new(rings, inner.token_keep_secs, inner.download_keep_secs, now)?;
        *inner.keys.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(keys);
        Ok(changed)
    }

    fn keys(&self) -> Arc<Keys> {
        self.0.keys.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// The keys that sign and check access tokens.
    pub fn token_keys(&self) -> TokenKeys {
        self.keys().tokens.clone()
    }

    /// A small secret in a form that may lie in the database. It opens only for the same purpose.
    pub fn seal(&self, purpose: &str, secret: &[u8]) -> anyhow::Result<String> {
        let mut nonce = [0; aead::NONCE_LEN];
        aws_lc_rs::rand::fill(&mut nonce).ok().context("there is no randomness")?;
        let mut bytes = secret.to_vec();
        let (sealed_nonce, about) = (aead::Nonce::assume_unique_for_key(nonce), aead::Aad::from(purpose));
        let keys = self.keys();
        keys.sealing[0]
            .seal_in_place_append_tag(sealed_nonce, about, &mut bytes)
            .ok()
            .context("cannot seal")?;
        Ok(hex::encode([&nonce[..], &bytes].concat()))
    }

    /// The secret that was sealed for this purpose, with the present key or one before it.
    pub fn open(&self, purpose: &str, sealed: &str) -> anyhow::Result<Vec<u8>> {
        let sealed = hex::decode(sealed).context("a sealed value is damaged")?;
        let (nonce, bytes) = sealed.split_at_checked(aead::NONCE_LEN).context("a sealed value is damaged")?;
        let nonce: [u8; aead::NONCE_LEN] = nonce.try_into().context("a sealed value is damaged")?;
        let open = |key: &aead::LessSafeKey| {
            let mut bytes = bytes.to_vec();
            let (nonce, about) = (aead::Nonce::assume_unique_for_key(nonce), aead::Aad::from(purpose));
            key.open_in_place(nonce, about, &mut bytes).ok().map(|plain| plain.to_vec())
        };
        let opened = self.keys().sealing.iter().find_map(open);
        opened.context("a sealed value is damaged, or was sealed with another key")
    }

    /// Wraps the keys of bundles.
    pub fn storage(&self) -> &StorageKeys {
        &self.0.storage
    }

    /// The connection to Vault, if one is configured.
    pub fn vault(&self) -> Option<&Vault> {
        self.0.vault.as_ref()
    }

    /// Signs checkpoints of the audit log.
    pub fn audit_signer(&self) -> &AuditSigner {
        &self.0.audit
    }

    /// The secret of a webhook; what is said of it makes it another one's.
    pub fn webhook_secret(&self, of: &str) -> String {
        format!("whsec_{}", hex::encode(hmac::sign(&self.0.webhooks, of.as_bytes())))
    }

    /// The proof that a download address was made here.
    pub fn sign_download(&self, text: &str) -> String {
        hex::encode(hmac::sign(&self.keys().downloads[0], text.as_bytes()))
    }

    /// Whether a download address was made here.
    pub fn verify_download(&self, text: &str, proof: &str) -> bool {
        let Ok(proof) = hex::decode(proof) else { return false };
        self.keys().downloads.iter().any(|key| hmac::verify(key, text.as_bytes(), &proof).is_ok())
    }
}

impl Keys {
    fn new(
        rings: [KeyRing; 3],
        token_keep_secs: i64,
        download_keep_secs: i64,
        now: Timestamp,
    ) -> anyhow::Result<Self> {
        let tokens = rings[0].honoured(Some(token_keep_secs), now);
        let downloads = rings[1].honoured(Some(download_keep_secs), now);
        let tokens: Vec<_> = tokens.into_iter().map(|key| key.bytes).collect();
        let storage = rings[2].honoured(None, now);
        Ok(Self {
            tokens: TokenKeys::new(&tokens)?,
            downloads: downloads.iter().map(|key| hmac::Key::new(hmac::HMAC_SHA256, &key.bytes)).collect(),
            sealing: storage.iter().map(|key| sealing_key(&key.bytes)).collect::<anyhow::Result<_>>()?,
            rings,
        })
    }
}

/// The storage key wraps the keys of bundles; what seals small secrets is derived from it.
fn sealing_key(storage: &[u8; 32]) -> anyhow::Result<aead::LessSafeKey> {
    let key = hkdf::Salt::new(hkdf::HKDF_SHA256, b"kernex").extract(storage);
    let derived = key.expand(&[b"sealed values v1"], &aead::AES_256_GCM).ok();
    Ok(aead::LessSafeKey::new(derived.context("cannot derive a key")?.into()))
}

/// The secret that everything else is derived from as long as nobody changed it.
/// The key from which webhooks' secrets are derived; it changes only with the secret key itself, so that receivers keep theirs.
fn webhooks_key(root: &hkdf::Prk) -> anyhow::Result<hmac::Key> {
    let mut bytes = [0; 32];
    root.expand(&[b"webhook secrets v1"], hkdf::HKDF_SHA256)
        .and_then(|okm| okm.fill(&mut bytes))
        .ok()
        .context("cannot derive a key")?;
    Ok(hmac::Key::new(hmac::HMAC_SHA256, &bytes))
}

fn root(settings: &Settings) -> anyhow::Result<hkdf::Prk> {
    let salt = hkdf::Salt::new(hkdf::HKDF_SHA256, b"kernex");
    if let Some(secret) = &settings.secret_key {
        let secret = secret.expose().trim();
        refuse_weak("the secret key", secret.as_bytes())?;
        return Ok(salt.extract(secret.as_bytes()));
    }
    let path = &settings.secret_key_file;
    let secret = private_file::read_or_create(path, || Ok(random_token().into_bytes()))?;
    let secret = secret.trim_ascii();
    refuse_weak(&format!("the secret key {}", path.display()), secret)?;
    Ok(salt.extract(secret))
}

fn load_rings(root: &hkdf::Prk, folder: &std::path::Path) -> anyhow::Result<[KeyRing; 3]> {
    let load = |purpose: Purpose| -> anyhow::Result<KeyRing> {
        let mut derived = [0; 32];
        root.expand(&[purpose.label()], hkdf::HKDF_SHA256)
            .and_then(|okm| okm.fill(&mut derived))
            .ok()
            .context("cannot derive a key")?;
        KeyRing::load(&KeyRing::path(folder, purpose.word()), derived)
    };
    Ok([load(Purpose::Token)?, load(Purpose::Download)?, load(Purpose::Storage)?])
}

/// A fresh secret with 256 bits, as text.
pub fn random_token() -> String {
    use base64::Engine as _;
    let mut bytes = [0; 32];
    // aws-lc's generator fails only when the operating system has none, and then nothing here may go on.
    #[expect(clippy::expect_used, reason = "without randomness no secret may be made")]
    aws_lc_rs::rand::fill(&mut bytes).expect("the operating system gives random bytes");
    base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(bytes)
}

/// What the database keeps of a secret.
pub fn sha256_hex(text: &str) -> String {
    hex::encode(digest::digest(&digest::SHA256, text.as_bytes()))
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;
    use crate::config::Options;

    fn settings(folder: &std::path::Path) -> Settings {
        Settings::resolve(Options { data_dir: Some(folder.to_owned()), ..Options::default() }).unwrap()
    }

    fn at(secs: i64) -> Timestamp {
        Timestamp::from_millis(1_800_000_000_000).plus_secs(secs)
    }

    #[test]
    fn the_secret_is_made_once_and_only_its_owner_reads_it() {
        let folder = tempfile::tempdir().unwrap();
        let settings = settings(folder.path());
        let first = Secrets::load_or_create(&settings, None, at(0)).unwrap();
        let again = Secrets::load_or_create(&settings, None, at(0)).unwrap();
        assert_eq!(first.token_keys().ids(), again.token_keys().ids());
        for file in ["secret.key", "keys/audit-signing.pem"] {
            let mode = std::fs::metadata(folder.path().join(file)).unwrap().permissions().mode();
            assert_eq!(mode & 0o777, 0o600, "{file}");
        }
        let mode = std::fs::metadata(folder.path().join("keys")).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o700);
        let proof = first.sign_download("a");
        assert!(again.verify_download("a", &proof) && !again.verify_download("b", &proof));
        assert_eq!(format!("{first:?}"), "Secrets(…)");
    }

    #[test]
    fn a_weak_secret_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let settings = settings(folder.path());
        for (secret, expected) in
            [("secret\n", "shorter than 32 bytes"), ("changeme-0192837465-changeme-fghjkl", "well-known")]
        {
            private_file::replace(&settings.secret_key_file, secret.as_bytes()).unwrap();
            let error = Secrets::load_or_create(&settings, None, at(0)).unwrap_err().to_string();
            assert!(error.contains(expected), "{error}");
        }
    }

    #[test]
    fn a_running_server_takes_a_changed_key_and_honours_the_old_one_for_its_time() {
        let folder = tempfile::tempdir().unwrap();
        let settings = settings(folder.path());
        let running = Secrets::load_or_create(&settings, None, at(0)).unwrap();
        let (proof, tokens) = (running.sign_download("a"), running.token_keys());
        let sealed = running.seal("totp", b"JBSWY3DPEHPK3PXP").unwrap();
        assert!(!running.refresh(at(1)).unwrap());
        rotate::rotate(&settings, Purpose::Download, at(2)).unwrap();
        rotate::rotate(&settings, Purpose::Token, at(2)).unwrap();
        rotate::rotate(&settings, Purpose::Storage, at(2)).unwrap();
        assert_eq!(running.token_keys().ids(), tokens.ids(), "nothing changes before it looks");
        assert!(running.refresh(at(5)).unwrap());
        assert_ne!(running.sign_download("a"), proof);
        assert!(running.verify_download("a", &proof), "what was handed out is honoured");
        assert_eq!(running.token_keys().ids()[1..], tokens.ids()[..]);
        assert_eq!(running.open("totp", &sealed).unwrap(), b"JBSWY3DPEHPK3PXP");
        assert!(running.open("webhook", &sealed).is_err(), "it opens for its purpose only");
        let over = i64::from(settings.download_ttl_secs.max(settings.token_ttl_secs)) + 2;
        assert!(!running.refresh(at(over)).unwrap());
        assert!(!running.verify_download("a", &proof), "its time is over");
        assert_eq!(running.token_keys().ids().len(), 1);
        assert!(running.open("totp", &sealed).is_ok(), "what was sealed opens for ever");
    }
}
