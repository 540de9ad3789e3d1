//! The device's key: made here, kept here, never overwritten.

use std::{io, path::Path, sync::Arc};

use kernex_api::signing::{KeyAlgorithm, PublicKey, SigningKey};

use crate::{Error, disk};

/// A key file is at most this large.
const MAX_KEY_BYTES: u64 = 64 * 1024;

/// Reads the device's key, or makes one if there is none; says so first, because RSA takes its time.
pub async fn load_or_generate(path: &Path, algorithm: KeyAlgorithm) -> Result<Arc<SigningKey>, Error> {
    if let Some(key) = load(path)? {
        return Ok(Arc::new(key));
    }
    if algorithm == KeyAlgorithm::Rsa4096 {
        tracing::info!(
            "making an RSA key with 4096 bits; this takes seconds, on a small board up to a minute"
        );
    }
    let path = path.to_owned();
    let key = tokio::task::spawn_blocking(move || generate(&path, algorithm));
    let key = key.await.map_err(|_| Error::Setting("making the key was interrupted".to_owned()))??;
    Ok(Arc::new(key))
}

/// Reads the device's key, if there is one.
pub fn load(path: &Path) -> Result<Option<SigningKey>, Error> {
    let bytes = match disk::read_limited(path, MAX_KEY_BYTES) {
        Ok(bytes) => bytes,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(source) => return Err(Error::File { action: "read", path: path.to_owned(), source }),
    };
    let key = SigningKey::from_pem(&String::from_utf8_lossy(&bytes));
    key.map(Some).map_err(|source| Error::Key { path: path.to_owned(), source })
}

/// SHA-256 of the public key, as the control plane shows it.
pub fn fingerprint(key: &SigningKey) -> Result<String, kernex_client::Error> {
    let der = key.public_key_der()?;
    Ok(hex::encode(aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, &der)))
}

/// The same fingerprint from a registered key's PEM; both sides must agree.
pub fn fingerprint_of_public(pem: &str) -> Option<String> {
    PublicKey::from_pem(pem, None).ok().map(|key| key.fingerprint())
}

fn generate(path: &Path, algorithm: KeyAlgorithm) -> Result<SigningKey, Error> {
    if let Some(folder) = path.parent() {
        disk::make_dir(folder, 0o700).map_err(Error::file("create", folder))?;
    }
    let failed = |source| Error::Key { path: path.to_owned(), source };
    let key = SigningKey::generate(algorithm).map_err(failed)?;
    disk::create_atomic(path, key.to_pem().as_bytes()).map_err(Error::file("create", path))?;
    Ok(key)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    #[tokio::test]
    async fn a_key_is_made_once_and_stays() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("keys/device.pem");
        let one = load_or_generate(&path, KeyAlgorithm::Ed25519).await.unwrap();
        let two = load_or_generate(&path, KeyAlgorithm::Rsa4096).await.unwrap();
        assert_eq!(fingerprint(&one).unwrap(), fingerprint(&two).unwrap());
        let public = one.public_key_pem().unwrap();
        assert_eq!(fingerprint_of_public(&public), Some(fingerprint(&one).unwrap()));
        assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        assert_eq!(std::fs::metadata(path.parent().unwrap()).unwrap().permissions().mode() & 0o777, 0o700);
    }

    #[tokio::test]
    async fn a_damaged_key_is_an_error_and_is_kept() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("device.pem");
        std::fs::write(&path, "not a key").unwrap();
        assert!(load_or_generate(&path, KeyAlgorithm::Ed25519).await.is_err());
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "not a key");
    }
}
