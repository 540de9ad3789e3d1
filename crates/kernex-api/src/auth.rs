//! Users: registering, logging in, sessions, who am I.

use kernex_core::{OrganizationId, Permission, Role, SessionId, Timestamp, UserId};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// Names the organisation that a request is for; without it, it is for that of the login.
pub const ORGANIZATION_HEADER: &str = "x-kernex-organization";
/// Has to come, with any value, with a request that changes something and carries a browser's cookie.
pub const CSRF_HEADER: &str = "x-kernex-csrf";

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
    /// A secret that gets the next access token from `POST /auth/refresh`, until the session ends.
    #[serde(default)]
    pub refresh_token: String,
    /// When the session ends, used or not.
    pub session_expires_at: Timestamp,
}

/// The next access token of a login.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct RefreshRequest {
    /// What the login gave.
    pub refresh_token: String,
}

/// An organisation that somebody belongs to.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct OrganizationOfUser {
    /// Its id.
    pub id: OrganizationId,
    /// Its name.
    pub name: String,
    /// The role in it.
    pub role: Role,
    /// The devices at which the rights end, as a selector; absent for all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub device_selector: Option<String>,
}

/// What a request was proved with.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum CredentialKind {
    /// The cookie of a browser.
    BrowserSession,
    /// An access token.
    AccessToken,
    /// An API key.
    ApiKey,
}

/// Who is asking, and what they may do.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Me {
    /// The user's id.
    pub id: UserId,
    /// The user's name.
    pub username: String,
    /// Where to reach the person.
    pub email: Option<String>,
    /// The role in the organisation that the request is for.
    pub role: Role,
    /// The organisation that the request is for.
    pub org_id: OrganizationId,
    /// The devices at which the rights end, as a selector; absent for all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub device_selector: Option<String>,
    /// What the request may do: the role's rights as far as the credentials reach.
    pub permissions: Vec<Permission>,
    /// What the request was proved with.
    pub credential: CredentialKind,
    /// Every organisation that the user belongs to.
    pub organizations: Vec<OrganizationOfUser>,
    /// Whether the user looks after the whole installation.
    pub installation_admin: bool,
    /// Whether a second factor is asked for at the login.
    pub second_factor: bool,
    /// Whether the password has to be changed before anything else.
    pub must_change_password: bool,
    /// Since when.
    pub created_at: Timestamp,
}

/// What a login is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum SessionKind {
    /// A program.
    Token,
    /// A browser.
    Browser,
}

/// One login.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Session {
    /// Its id.
    pub id: SessionId,
    /// What for.
    pub kind: SessionKind,
    /// Whether it is the one that asks.
    pub current: bool,
    /// The organisation that it works in.
    pub org_id: OrganizationId,
    /// When it began.
    pub created_at: Timestamp,
    /// When it was last used, to the minute.
    pub last_used_at: Timestamp,
    /// When it ends, used or not.
    pub expires_at: Timestamp,
    /// Where the login came from.
    pub address: Option<String>,
    /// Which program it was, as it says itself.
    pub user_agent: Option<String>,
}

/// A user's logins, newest first.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct SessionList {
    /// The sessions.
    pub sessions: Vec<Session>,
}

/// How many logins were ended.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct EndedSessions {
    /// So many.
    pub ended: u64,
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
