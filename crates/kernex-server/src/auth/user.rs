//! The user behind a request.

use axum::extract::FromRequestParts;
use http::{HeaderMap, header, request::Parts};
use kernex_api::{ErrorCode, auth::ORGANIZATION_HEADER};
use kernex_core::{ActorKind, ApiKeyId, OrganizationId, Permission, Permissions, SessionId};
use kernex_store::{
    AuditCaller, AuditScope, SessionKey, SessionKind, SessionRecord, SessionUser, Standing, UserRecord,
};

use super::{browser, token};
use crate::{
    AppState,
    error::{ApiError, ApiResult},
    secrets::sha256_hex,
};

/// Somebody who has proved who they are, and what they may do in the organisation that the request is for.
#[derive(Clone, Debug)]
pub struct CurrentUser {
    user: UserRecord,
    standing: Standing,
    credential: Credential,
    permissions: Permissions,
}

/// What somebody proved it with.
#[derive(Clone, Debug)]
pub enum Credential {
    /// A login: the cookie of a browser, or an access token.
    Session(SessionRecord),
    /// An API key.
    ApiKey(ApiKeyId),
}

impl CurrentUser {
    /// The organisation that the request is for.
    pub fn org(&self) -> OrganizationId {
        self.standing.org_id
    }

    /// The name that records carry.
    pub fn name(&self) -> &str {
        &self.user.username
    }

    /// Tells the audit log who is behind the request.
    fn identify(&self) {
        let credential = match &self.credential {
            Credential::Session(session) => format!("session:{}", session.id),
            Credential::ApiKey(id) => format!("api_key:{id}"),
        };
        AuditScope::identify(AuditCaller {
            org_id: self.org(),
            kind: ActorKind::User,
            id: Some(self.user.id.to_string()),
            name: Some(self.name().to_owned()),
            credential: Some(credential),
        });
    }

    /// The account.
    pub fn user(&self) -> &UserRecord {
        &self.user
    }

    /// What the user is in the organisation.
    pub fn standing(&self) -> &Standing {
        &self.standing
    }

    /// What the request may do: the role's rights, as far as the credentials reach.
    pub fn permissions(&self) -> Permissions {
        self.permissions
    }

    /// What the request was proved with.
    pub fn credential(&self) -> &Credential {
        &self.credential
    }

    /// Who this is, where several kinds of callers share a space of keys.
    pub fn actor(&self) -> String {
        format!("user:{}", self.user.id)
    }

    /// The login, if it is one.
    pub fn session(&self) -> Option<&SessionRecord> {
        match &self.credential {
            Credential::Session(session) => Some(session),
            Credential::ApiKey(_) => None,
        }
    }

    /// Demands a login.
    pub fn require_login(&self) -> ApiResult<&SessionRecord> {
        self.session().ok_or_else(|| {
            let detail = "this is about your own account: it needs a login, not an API key";
            ApiError::forbidden(ErrorCode::Forbidden, detail)
        })
    }

    /// The id of the login; `None` with an API key.
    pub fn session_id(&self) -> Option<SessionId> {
        self.session().map(|session| session.id)
    }

    /// Demands a right.
    pub fn require(&self, permission: Permission) -> ApiResult<()> {
        if self.permissions.contains(permission) {
            return Ok(());
        }
        let who = match (&self.credential, &self.standing.device_selector) {
            (Credential::ApiKey(_), _) => "the API key does not have it".to_owned(),
            (_, Some(_)) => format!("your role {} is limited to certain devices", self.standing.role),
            (_, None) => format!("your role is {}", self.standing.role),
        };
        Err(ApiError::forbidden(ErrorCode::Forbidden, format!("this needs the right {permission}; {who}")))
    }

    /// Finds out who sent a request.
    pub(super) async fn authenticate(parts: &Parts, state: &AppState) -> ApiResult<Self> {
        let org = wanted_organization(&parts.headers)?;
        let mut headers = parts.headers.get_all(header::AUTHORIZATION).iter();
        let header = match (headers.next(), headers.next()) {
            (Some(header), None) => header.to_str().unwrap_or_default(),
            (None, _) => return Self::from_cookie(parts, state, org).await,
            _ => return Err(ApiError::unauthenticated("Authorization must stand there once")),
        };
        let token = header
            .split_once(' ')
            .filter(|(scheme, _)| scheme.eq_ignore_ascii_case("bearer"))
            .map(|(_, token)| token.trim())
            .ok_or_else(|| ApiError::unauthenticated("Authorization must be `Bearer <token>`"))?;
        let refused = || ApiError::unauthenticated("the token is not valid, has expired, or was logged out");
        let session = token::verify(state, token).ok_or_else(refused)?;
        let found = find(state, SessionKey::Id(session), org).await?.ok_or_else(refused)?;
        Self::from_session(state, found, org).await
    }

    async fn from_cookie(parts: &Parts, state: &AppState, org: Option<OrganizationId>) -> ApiResult<Self> {
        let login = || ApiError::unauthenticated("log in first: Authorization: Bearer <token>");
        let secret = browser::cookie(state, parts).ok_or_else(login)?;
        browser::refuse_other_sites(state, parts)?;
        let digest = sha256_hex(secret);
        let found = find(state, SessionKey::Secret(SessionKind::Browser, &digest), org).await?;
        let ended = || ApiError::unauthenticated("the session has ended; log in again");
        Self::from_session(state, found.ok_or_else(ended)?, org).await
    }

    /// The user of a session that has just begun.
    pub(super) async fn of_session(state: &AppState, id: SessionId) -> ApiResult<Option<Self>> {
        match find(state, SessionKey::Id(id), None).await? {
            Some(found) => Self::from_session(state, found, None).await.map(Some),
            None => Ok(None),
        }
    }

    async fn from_session(
        state: &AppState,
        found: SessionUser,
        org: Option<OrganizationId>,
    ) -> ApiResult<Self> {
        let SessionUser { session, user, standing } = found;
        let standing = match (standing, org) {
            (Some(standing), _) => standing,
            (None, Some(org)) => return Err(ApiError::not_found("organisation", org)),
            (None, None) => {
                return Err(ApiError::unauthenticated("you do not belong to the organisation any more"));
            }
        };
        state.store().touch_session(&session, state.now()).await?;
        let permissions = permissions_of(&user, &standing);
        let caller = Self { user, standing, credential: Credential::Session(session), permissions };
        caller.identify();
        Ok(caller)
    }
}

/// What a user may do, with a login of their own.
pub(super) fn permissions_of(user: &UserRecord, standing: &Standing) -> Permissions {
    let in_organization = match standing.device_selector {
        Some(_) => standing.role.limited_permissions(),
        None => standing.role.permissions(),
    };
    match user.installation_admin {
        true => in_organization.or(Permissions::of(&[Permission::InstallationManage])),
        false => in_organization,
    }
}

async fn find(
    state: &AppState,
    key: SessionKey<'_>,
    org: Option<OrganizationId>,
) -> kernex_store::Result<Option<SessionUser>> {
    let now = state.now();
    let idle_since = now.plus_secs(-i64::from(state.settings().session_idle_secs));
    state.store().find_session(key, org, idle_since, now).await
}

/// The organisation that a request names; without one it is for that of the session.
fn wanted_organization(headers: &HeaderMap) -> ApiResult<Option<OrganizationId>> {
    let Some(value) = headers.get(ORGANIZATION_HEADER) else { return Ok(None) };
    let text = value.to_str().unwrap_or("?");
    text.parse().map(Some).map_err(|_| ApiError::not_found("organisation", text))
}

/// The gate has found out who it is; a handler takes it from there.
impl FromRequestParts<AppState> for CurrentUser {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, _: &AppState) -> ApiResult<Self> {
        match parts.extensions.get::<ApiResult<Self>>() {
            Some(outcome) => outcome.clone(),
            None => Err(ApiError::internal("a handler asked for a user where the policy does not")),
        }
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

/// Checks an address for mail.
pub fn check_email(email: &str) -> ApiResult<()> {
    if email.len() <= 254 && email.contains('@') && !email.chars().any(char::is_control) {
        return Ok(());
    }
    Err(ApiError::invalid("email must hold an @ and have at most 254 characters"))
}
