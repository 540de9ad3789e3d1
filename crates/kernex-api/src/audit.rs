//! The audit log. The records themselves are [`kernex_core::audit`]'s, because their form is hashed.

use aws_lc_rs::digest;
use kernex_core::audit::{AuditCheckpoint, AuditRecord};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::signing::PublicKey;

/// One page of records.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct AuditList {
    /// Newest first.
    pub records: Vec<AuditRecord>,
    /// For the next page; absent on the last one.
    pub next_cursor: Option<String>,
}

/// A place in a chain.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ChainEnd {
    /// The record, 0 before the first.
    pub sequence: u64,
    /// Its hash.
    pub hash: String,
}

/// A key that signs checkpoints.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct AuditPublicKey {
    /// SHA-256 of the key's SPKI, lower-case hex.
    pub key_id: String,
    /// The key, SPKI in PEM.
    pub public_key_pem: String,
}

/// What a chain is verified against.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct AuditCheckpoints {
    /// The chain's last record.
    pub end: ChainEnd,
    /// The last record that was archived; what the API gives begins after it.
    pub archived: ChainEnd,
    /// Oldest first.
    pub checkpoints: Vec<AuditCheckpoint>,
    /// The keys of the server that answers.
    pub public_keys: Vec<AuditPublicKey>,
    /// For the next page; absent on the last one.
    pub next_cursor: Option<String>,
}

/// Whether one of the keys signed the checkpoint.
pub fn is_signed(checkpoint: &AuditCheckpoint, keys: &[PublicKey]) -> bool {
    let Ok(signature) = hex::decode(&checkpoint.signature) else { return false };
    let key = keys.iter().find(|key| key.fingerprint() == checkpoint.key_id);
    key.is_some_and(|key| key.verify(checkpoint.signed_text().as_bytes(), &signature))
}

/// SHA-256 as lower-case hex, for [`kernex_core::audit::ChainVerifier`].
pub fn sha256_hex(bytes: &[u8]) -> String {
    hex::encode(digest::digest(&digest::SHA256, bytes))
}
