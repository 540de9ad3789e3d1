//! Registration tokens: they let a device in without an operator's approval.

use std::collections::BTreeMap;

use kernex_core::{RegistrationTokenId, Timestamp};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// A new token.
#[derive(Clone, Debug, Default, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct CreateRegistrationTokenRequest {
    /// Seconds until it expires, 60 to 31536000; 3600 when absent.
    #[serde(default)]
    pub ttl_secs: Option<u32>,
    /// How many devices may register with it, 1 to 100000; 1 when absent.
    #[serde(default)]
    pub uses: Option<u32>,
    /// Tags that a device which registers with it gets.
    #[serde(default)]
    pub tags: BTreeMap<String, String>,
}

/// A token as it is shown, once.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct CreatedRegistrationToken {
    /// The token's id.
    pub id: RegistrationTokenId,
    /// The secret; the server keeps only its digest.
    pub token: String,
    /// When it ends.
    pub expires_at: Timestamp,
}

/// A token as it is listed.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct RegistrationToken {
    /// The token's id.
    pub id: RegistrationTokenId,
    /// When it ends.
    pub expires_at: Timestamp,
    /// How many devices may still register with it.
    pub uses_left: u32,
    /// Tags that a device which registers with it gets.
    pub tags: BTreeMap<String, String>,
    /// Who made it.
    pub created_by: String,
    /// When it was made.
    pub created_at: Timestamp,
}

/// All tokens that have not ended.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct RegistrationTokenList {
    /// Newest first.
    pub registration_tokens: Vec<RegistrationToken>,
}
