//! The storage key: wraps the keys of bundles, in this process or in HashiCorp Vault.

use std::sync::{Arc, PoisonError, RwLock};

use aws_lc_rs::aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use kernex_blobs::{ContentKey, WrapKeys};
use uuid::Uuid;

use super::{
    ring::{KeyRing, RingKey},
    vault::Vault,
};

const LOCAL: &str = "local";

/// Wraps keys of bundles. What was wrapped by one kind can be unwrapped while the other one is in use.
#[derive(Clone, Debug)]
pub struct StorageKeys {
    ring: Arc<RwLock<KeyRing>>,
    vault: Option<Vault>,
}

impl StorageKeys {
    /// With the keys of a ring; new ones are wrapped by Vault where there is one.
    pub fn new(ring: KeyRing, vault: Option<Vault>) -> Self {
        Self { ring: Arc::new(RwLock::new(ring)), vault }
    }

    /// Takes the ring as it is now on the disk.
    pub fn replace(&self, ring: KeyRing) {
        *self.ring.write().unwrap_or_else(PoisonError::into_inner) = ring;
    }

    fn keys(&self) -> Vec<RingKey> {
        let ring = self.ring.read().unwrap_or_else(PoisonError::into_inner);
        ring.honoured(None, kernex_core::Timestamp::from_millis(0))
    }

    fn current(&self) -> RingKey {
        self.ring.read().unwrap_or_else(PoisonError::into_inner).current().clone()
    }
}

impl WrapKeys for StorageKeys {
    fn wrap(&self, key: &ContentKey, blob: Uuid) -> Result<String, String> {
        if let Some(vault) = &self.vault {
            return vault.wrap(key, blob);
        }
        let current = self.current();
        let mut nonce = [0; NONCE_LEN];
        aws_lc_rs::rand::fill(&mut nonce).map_err(|_| "there are no random bytes".to_owned())?;
        let mut bytes = key.to_vec();
        let sealing = cipher(&current)?;
        sealing
            .seal_in_place_append_tag(Nonce::assume_unique_for_key(nonce), about(blob), &mut bytes)
            .map_err(|_| "the key cannot be wrapped".to_owned())?;
        Ok(format!("{LOCAL}:{}:{}{}", current.id(), hex::encode(nonce), hex::encode(bytes)))
    }

    fn unwrap(&self, wrapped: &str, blob: Uuid) -> Result<ContentKey, String> {
        if wrapped.starts_with(super::vault::PREFIX) {
            let vault = self.vault.as_ref();
            return vault.ok_or("it was wrapped by Vault, which is not configured")?.unwrap(wrapped, blob);
        }
        let damaged = || "the key file is damaged".to_owned();
        let mut parts = wrapped.splitn(3, ':');
        let (Some(LOCAL), Some(id), Some(sealed)) = (parts.next(), parts.next(), parts.next()) else {
            return Err(damaged());
        };
        let key = self.keys().into_iter().find(|key| key.id() == id);
        let key =
            key.ok_or_else(|| format!("it was wrapped with the storage key {id}, which is not there"))?;
        let sealed = hex::decode(sealed).map_err(|_| damaged())?;
        let (nonce, bytes) = sealed.split_at_checked(NONCE_LEN).ok_or_else(damaged)?;
        let (nonce, mut bytes) =
            (Nonce::try_assume_unique_for_key(nonce).map_err(|_| damaged())?, bytes.to_vec());
        let plain = cipher(&key)?.open_in_place(nonce, about(blob), &mut bytes);
        let plain = plain.map_err(|_| "the key file was changed, or belongs to another bundle".to_owned())?;
        ContentKey::try_from(&*plain).map_err(|_| damaged())
    }

    fn is_current(&self, wrapped: &str) -> bool {
        match &self.vault {
            Some(vault) => vault.is_current(wrapped),
            None => wrapped.starts_with(&format!("{LOCAL}:{}:", self.current().id())),
        }
    }
}

fn cipher(key: &RingKey) -> Result<LessSafeKey, String> {
    let key =
        UnboundKey::new(&AES_256_GCM, &key.bytes).map_err(|_| "the storage key is no key".to_owned())?;
    Ok(LessSafeKey::new(key))
}

fn about(blob: Uuid) -> Aad<String> {
    Aad::from(format!("kernex bundle key v1 {blob}"))
}

#[cfg(test)]
mod tests {
    use kernex_core::Timestamp;

    use super::*;

    #[test]
    fn a_wrapped_key_opens_for_its_bundle_only_and_with_retired_keys_too() {
        let folder = tempfile::tempdir().unwrap();
        let path = KeyRing::path(folder.path(), "storage");
        let ring = KeyRing::load(&path, [7; 32]).unwrap();
        let keys = StorageKeys::new(ring.clone(), None);
        let (bundle, other) = (Uuid::from_u128(1), Uuid::from_u128(2));
        let wrapped = keys.wrap(&[9; 32], bundle).unwrap();
        assert_eq!(keys.unwrap(&wrapped, bundle).unwrap(), [9; 32]);
        assert!(keys.unwrap(&wrapped, other).is_err());
        assert!(keys.is_current(&wrapped));
        assert!(!wrapped.contains(&hex::encode([9; 32])));
        keys.replace(ring.rotate(&path, Timestamp::from_millis(5)).unwrap());
        assert!(!keys.is_current(&wrapped));
        assert_eq!(keys.unwrap(&wrapped, bundle).unwrap(), [9; 32]);
        let again = keys.wrap(&[9; 32], bundle).unwrap();
        assert!(keys.is_current(&again));
        for bad in [
            "",
            "local",
            "local::",
            "vault:v1:x",
            &again[..again.len() - 2],
            &again.replace("local", "remote"),
        ] {
            assert!(keys.unwrap(bad, bundle).is_err(), "{bad}");
        }
    }
}
