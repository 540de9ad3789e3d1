//! The installation's secret key, from which the keys for tokens and download addresses are derived.

use std::{
    fs::OpenOptions,
    io::{self, Write as _},
    os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _},
    path::Path,
    sync::Arc,
};

use anyhow::{Context as _, bail};
use aws_lc_rs::{aead, digest, hkdf, hmac};

use crate::auth::TokenKeys;

pub mod private_file;

use crate::audit::AuditSigner;

const MIN_BYTES: usize = 32;

/// Keys derived from the secret, each for one purpose.
#[derive(Clone)]
pub struct Secrets {
    tokens: TokenKeys,
    sealing: Arc<aead::LessSafeKey>,
    download: hmac::Key,
    audit: AuditSigner,
}

impl std::fmt::Debug for Secrets {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Secrets(…)")
    }
}

impl Secrets {
    /// Reads the secret from its file and the other keys from a folder, or makes them at first start.
    pub fn load_or_create(path: &Path, folder: &Path) -> anyhow::Result<Self> {
        private_file::make_private_dir(folder)?;
        let audit = AuditSigner::load_or_create(folder)?;
        let secret = match std::fs::read(path) {
            Ok(secret) => secret,
            Err(error) if error.kind() == io::ErrorKind::NotFound => create(path)?,
            Err(error) => {
                return Err(error).with_context(|| format!("cannot read the secret key {}", path.display()));
            }
        };
        let secret = secret.trim_ascii();
        if secret.len() < MIN_BYTES {
            bail!("the secret key {} is shorter than {MIN_BYTES} bytes", path.display());
        }
        Self::derive(secret, audit)
    }

    fn derive(secret: &[u8], audit: AuditSigner) -> anyhow::Result<Self> {
        let salt = hkdf::Salt::new(hkdf::HKDF_SHA256, b"kernex");
        let key = salt.extract(secret);
        let derive = |purpose: &[u8]| -> anyhow::Result<[u8; 32]> {
            let mut bytes = [0; 32];
            key.expand(&[purpose], hkdf::HKDF_SHA256)
                .and_then(|okm| okm.fill(&mut bytes))
                .ok()
                .context("cannot derive a key")?;
            Ok(bytes)
        };
        Ok(Self {
            tokens: TokenKeys::new(&[derive(b"access tokens v2")?])?,
            sealing: aead::UnboundKey::new(&aead::AES_256_GCM, &derive(b"sealed values v1")?)
                .map(|key| Arc::new(aead::LessSafeKey::new(key)))
                .ok()
                .context("cannot make a key")?,
            download: hmac::Key::new(hmac::HMAC_SHA256, &derive(b"download addresses v1")?),
            audit,
        })
    }

    /// The keys that sign and check access tokens.
    pub fn token_keys(&self) -> &TokenKeys {
        &self.tokens
    }

    /// A small secret in a form that may lie in the database. It opens only for the same purpose.
    pub fn seal(&self, purpose: &str, secret: &[u8]) -> anyhow::Result<String> {
        let mut nonce = [0; aead::NONCE_LEN];
        aws_lc_rs::rand::fill(&mut nonce).ok().context("there is no randomness")?;
        let mut bytes = secret.to_vec();
        let (sealed_nonce, about) = (aead::Nonce::assume_unique_for_key(nonce), aead::Aad::from(purpose));
        self.sealing.seal_in_place_append_tag(sealed_nonce, about, &mut bytes).ok().context("cannot seal")?;
        Ok(hex::encode([&nonce[..], &bytes].concat()))
    }

    /// The secret that was sealed for this purpose.
    pub fn open(&self, purpose: &str, sealed: &str) -> anyhow::Result<Vec<u8>> {
        let sealed = hex::decode(sealed).context("a sealed value is damaged")?;
        let (nonce, bytes) = sealed.split_at_checked(aead::NONCE_LEN).context("a sealed value is damaged")?;
        let nonce =
            aead::Nonce::try_assume_unique_for_key(nonce).ok().context("a sealed value is damaged")?;
        let mut bytes = bytes.to_vec();
        let opened = self.sealing.open_in_place(nonce, aead::Aad::from(purpose), &mut bytes);
        let length = opened.ok().context("a sealed value is damaged, or was sealed with another key")?.len();
        bytes.truncate(length);
        Ok(bytes)
    }

    /// Signs checkpoints of the audit log.
    pub fn audit_signer(&self) -> &AuditSigner {
        &self.audit
    }

    /// The proof that a download address was made here.
    pub fn sign_download(&self, text: &str) -> String {
        hex::encode(hmac::sign(&self.download, text.as_bytes()))
    }

    /// Whether a download address was made here.
    pub fn verify_download(&self, text: &str, proof: &str) -> bool {
        hex::decode(proof).is_ok_and(|proof| hmac::verify(&self.download, text.as_bytes(), &proof).is_ok())
    }
}

fn create(path: &Path) -> anyhow::Result<Vec<u8>> {
    let secret = random_token();
    let temporary = path.with_extension("key.new");
    let write = || -> io::Result<()> {
        let _ = std::fs::remove_file(&temporary);
        let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&temporary)?;
        file.set_permissions(std::fs::Permissions::from_mode(0o600))?;
        file.write_all(secret.as_bytes())?;
        file.sync_all()?;
        // A link does not replace what another server made in the meantime.
        match std::fs::hard_link(&temporary, path) {
            Err(error) if error.kind() != io::ErrorKind::AlreadyExists => return Err(error),
            _ => {}
        }
        std::fs::remove_file(&temporary)?;
        if let Some(folder) = path.parent() {
            std::fs::File::open(folder)?.sync_all()?;
        }
        Ok(())
    };
    write().with_context(|| format!("cannot make the secret key {}", path.display()))?;
    std::fs::read(path).with_context(|| format!("cannot read the secret key {}", path.display()))
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
    use super::*;

    #[test]
    fn the_secret_is_made_once_and_only_its_owner_reads_it() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("secret.key");
        let first = Secrets::load_or_create(&path, folder.path()).unwrap();
        let again = Secrets::load_or_create(&path, folder.path()).unwrap();
        assert_eq!(first.token_keys().current().id(), again.token_keys().current().id());
        let sealed = first.seal("totp", b"secret").unwrap();
        assert_eq!(again.open("totp", &sealed).unwrap(), b"secret");
        assert!(again.open("other", &sealed).is_err() && again.open("totp", "00").is_err());
        assert_ne!(sealed, first.seal("totp", b"secret").unwrap());
        assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        let proof = first.sign_download("a");
        assert!(again.verify_download("a", &proof) && !again.verify_download("b", &proof));
        assert_eq!(format!("{first:?}"), "Secrets(…)");
    }

    #[test]
    fn a_short_secret_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("secret.key");
        std::fs::write(&path, "secret\n").unwrap();
        let error = Secrets::load_or_create(&path, folder.path()).unwrap_err().to_string();
        assert!(error.contains("shorter than 32 bytes"), "{error}");
    }
}
