//! The user behind a request.

use axum::extract::FromRequestParts;
use http::{header, request::Parts};
use kernex_api::{ErrorCode, auth::User};
use kernex_core::{ActorKind, OrganizationId, Role, SessionId};
use kernex_store::{AuditCaller, AuditScope, UserRecord};

use super::token;
use crate::{
    AppState,
    error::{ApiError, ApiResult},
};

/// A logged-in user.
#[derive(Clone, Debug)]
pub struct CurrentUser {
    /// The session that the token names.
    pub session_id: SessionId,
    /// The user.
    pub user: UserRecord,
}

impl CurrentUser {
    /// The organisation that the request is for.
    pub fn org(&self) -> OrganizationId {
        self.user.org_id
    }

    /// The name that records carry.
    pub fn name(&self) -> &str {
        &self.user.username
    }

    /// Tells the audit log who is behind the request.
    fn identify(&self) {
        AuditScope::identify(AuditCaller {
            org_id: self.org(),
            kind: ActorKind::User,
            id: Some(self.user.id.to_string()),
            name: Some(self.name().to_owned()),
            credential: Some(format!("session:{}", self.session_id)),
        });
    }

    /// Who this is, where several kinds of callers share a space of keys.
    pub fn actor(&self) -> String {
        format!("user:{}", self.user.id)
    }

    /// Demands that the user may change things.
    pub fn require_ops(&self) -> ApiResult<()> {
        self.require(&[Role::Admin, Role::Ops])
    }

    /// Demands an admin.
    pub fn require_admin(&self) -> ApiResult<()> {
        self.require(&[Role::Admin])
    }

    fn require(&self, roles: &[Role]) -> ApiResult<()> {
        if roles.contains(&self.user.role) {
            return Ok(());
        }
        let needed: Vec<_> = roles.iter().map(|role| role.as_str()).collect();
        let detail = format!("this needs the role {}; you are {}", needed.join(" or "), self.user.role);
        Err(ApiError::forbidden(ErrorCode::Forbidden, detail))
    }
}

impl FromRequestParts<AppState> for CurrentUser {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &AppState) -> ApiResult<Self> {
        let mut headers = parts.headers.get_all(header::AUTHORIZATION).iter();
        let header = match (headers.next(), headers.next()) {
            (Some(header), None) => header.to_str().unwrap_or_default(),
            (None, _) => {
                return Err(ApiError::unauthenticated("log in first: Authorization: Bearer <token>"));
            }
            _ => return Err(ApiError::unauthenticated("Authorization must stand there once")),
        };
        let token = header
            .split_once(' ')
            .filter(|(scheme, _)| scheme.eq_ignore_ascii_case("bearer"))
            .map(|(_, token)| token.trim())
            .ok_or_else(|| ApiError::unauthenticated("Authorization must be `Bearer <token>`"))?;
        let refused = || ApiError::unauthenticated("the token is not valid, has expired, or was logged out");
        let session = token::verify(state, token).ok_or_else(refused)?;
        let session = state.store().find_session(session, state.now()).await?.ok_or_else(refused)?;
        let caller = Self { session_id: session.session_id, user: session.user };
        caller.identify();
        Ok(caller)
    }
}

/// Checks a user's name.
pub fn check_username(username: &str) -> ApiResult<()> {
    let allowed = |c: char| c.is_ascii_alphanumeric() || "._@+-".contains(c);
    if (1..=64).contains(&username.len()) && username.chars().all(allowed) {
        return Ok(());
    }
    Err(ApiError::invalid("username must be 1 to 64 of a-z A-Z 0-9 . _ @ + -"))
}

/// A user as the API shows it.
pub(super) fn to_api(user: &UserRecord) -> User {
    User {
        id: user.id,
        username: user.username.clone(),
        email: user.email.clone(),
        role: user.role,
        org_id: user.org_id,
        created_at: user.created_at,
    }
}
