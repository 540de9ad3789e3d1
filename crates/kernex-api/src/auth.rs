//! Users: registering, logging in, who am I.

use kernex_core::{OrganizationId, Role, Timestamp, UserId};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// Least length of a password, in characters.
pub const MIN_PASSWORD_CHARS: usize = 12;
/// Greatest length of a password, in bytes.
pub const MAX_PASSWORD_BYTES: usize = 256;

/// A new user.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct RegisterUserRequest {
    /// 1 to 64 of `a–z A–Z 0–9 . _ @ + -`; unique.
    pub username: String,
    /// Where to reach the person.
    #[serde(default)]
    pub email: Option<String>,
    /// 12 to 256 characters.
    pub password: String,
    /// What the user may do; the first user is always an admin.
    #[serde(default)]
    pub role: Option<Role>,
    /// The one-time secret of the bootstrap link; only for the first user.
    #[serde(default)]
    pub bootstrap_token: Option<String>,
}

/// A login.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct LoginRequest {
    /// The user's name.
    pub username: String,
    /// The user's password.
    pub password: String,
}

/// What a login gives.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct LoginResponse {
    /// A JWT for `Authorization: Bearer`.
    pub access_token: String,
    /// Always `bearer`.
    pub token_type: String,
    /// Seconds until it expires.
    pub expires_in: u64,
}

/// One user.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct User {
    /// The user's id.
    pub id: UserId,
    /// The user's name.
    pub username: String,
    /// Where to reach the person.
    pub email: Option<String>,
    /// What the user may do.
    pub role: Role,
    /// The organisation that the user belongs to.
    pub org_id: OrganizationId,
    /// Since when.
    pub created_at: Timestamp,
}
