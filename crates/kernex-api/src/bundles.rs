//! Bundles.

use kernex_core::{BundleId, BundleName, BundleVersion, Timestamp};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// One bundle.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Bundle {
    /// The bundle's id.
    pub bundle_id: BundleId,
    /// The bundle's name.
    pub name: BundleName,
    /// The bundle's version; with the name unique within the organisation.
    pub version: BundleVersion,
    /// SHA-256 of the archive's bytes, lower-case hex.
    pub checksum_sha256: String,
    /// Size of the archive.
    pub size_bytes: u64,
    /// `gz` or `zst`.
    pub format: String,
    /// The manifest's description.
    pub description: Option<String>,
    /// Who uploaded it.
    pub uploaded_by: String,
    /// When it was uploaded.
    pub created_at: Timestamp,
}

/// One page of bundles, newest first.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct BundleList {
    /// The bundles.
    pub bundles: Vec<Bundle>,
    /// How many there are in all.
    pub total: u64,
    /// Where the next page begins.
    pub next_cursor: Option<String>,
}

/// What an upload gives.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct UploadedBundle {
    /// The bundle's id.
    pub bundle_id: BundleId,
    /// The bundle's name.
    pub name: BundleName,
    /// The bundle's version.
    pub version: BundleVersion,
    /// SHA-256 of the archive's bytes, lower-case hex.
    pub checksum_sha256: String,
    /// Size of the archive.
    pub size_bytes: u64,
}

/// What to check the stored bytes against, beside what the upload computed.
#[derive(Clone, Debug, Default, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct VerifyBundleRequest {
    /// A digest that the bytes are expected to have.
    #[serde(default)]
    pub checksum_sha256: Option<String>,
}

/// Whether the stored bytes are those that were uploaded.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct BundleVerification {
    /// They are.
    pub valid: bool,
    /// SHA-256 of the bytes as they were read now, lower-case hex.
    pub checksum_sha256: String,
}
