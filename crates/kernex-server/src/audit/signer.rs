//! The key that signs checkpoints. It is made at first start and stays on the machine; its public half is what auditors keep.

use std::{path::Path, sync::Arc};

use anyhow::Context as _;
use kernex_api::signing::{KeyAlgorithm, PublicKey, SigningKey};
use kernex_core::{Timestamp, audit::AuditCheckpoint};
use kernex_store::ChainHead;

use crate::secrets::private_file::read_or_create;

/// Signs checkpoints.
#[derive(Clone, Debug)]
pub struct AuditSigner {
    key: Arc<SigningKey>,
    public_key: Arc<PublicKey>,
    public_key_pem: Arc<str>,
}

impl AuditSigner {
    /// Reads the key from a folder, or makes it there.
    pub fn load_or_create(folder: &Path) -> anyhow::Result<Self> {
        let path = folder.join("audit-signing.pem");
        let pem =
            read_or_create(&path, || Ok(SigningKey::generate(KeyAlgorithm::Ed25519)?.to_pem().into_bytes()))?;
        let key = String::from_utf8(pem).ok().and_then(|pem| SigningKey::from_pem(&pem).ok());
        let key = key.with_context(|| format!("{} is no private key", path.display()))?;
        let public_key_pem = key.public_key_pem()?;
        let public_key = PublicKey::from_pem(&public_key_pem, None).context("the audit key's public half")?;
        Ok(Self {
            key: Arc::new(key),
            public_key: Arc::new(public_key),
            public_key_pem: public_key_pem.into(),
        })
    }

    /// The public half.
    pub fn public_key(&self) -> &PublicKey {
        &self.public_key
    }

    /// The public half, PEM.
    pub fn public_key_pem(&self) -> &str {
        &self.public_key_pem
    }

    /// Signs the end of a chain.
    pub fn sign(&self, head: &ChainHead, now: Timestamp) -> anyhow::Result<AuditCheckpoint> {
        let mut checkpoint = AuditCheckpoint {
            org_id: head.org_id,
            sequence: head.sequence,
            hash: head.hash.clone(),
            signed_at: now,
            key_id: self.public_key.fingerprint(),
            signature: String::new(),
        };
        checkpoint.signature = hex::encode(self.key.sign_bytes(checkpoint.signed_text().as_bytes())?);
        Ok(checkpoint)
    }
}
