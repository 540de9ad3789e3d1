//! `POST /auth/login`: a login of a program.

use std::net::{IpAddr, SocketAddr};

use axum::{
    Json,
    extract::{ConnectInfo, State},
};
use http::request::Parts;
use kernex_api::{
    Problem,
    auth::{LoginRequest, LoginResponse},
};
use kernex_core::{ActorKind, Timestamp};
use kernex_store::{AuditCaller, AuditScope, NewSession, SessionKind, UserRecord};

use super::{check_username, token};
use crate::{
    AppState,
    error::{ApiError, ApiResult},
    extract::JsonBody,
    secrets::{random_token, sha256_hex},
};

/// Longest name of a program that is kept.
const MAX_USER_AGENT_CHARS: usize = 200;

/// Log in, as a program.
///
/// The answer for a wrong password and for an unknown user is the same, in content and in time.
#[utoipa::path(post, path = "/auth/login", tag = "auth", request_body = LoginRequest, responses(
    (status = 200, body = LoginResponse),
    (status = 400, body = Problem, content_type = "application/problem+json"),
    (status = 401, body = Problem, content_type = "application/problem+json"),
    (status = 429, body = Problem, content_type = "application/problem+json"),
))]
pub(super) async fn login(
    State(state): State<AppState>,
    parts: Parts,
    body: JsonBody<LoginRequest>,
) -> ApiResult<Json<LoginResponse>> {
    let user = check_password(&state, &body.value).await?;
    Ok(Json(begin_token_session(&state, &parts, &user).await?))
}

/// The user whose name and password these are.
pub(super) async fn check_password(state: &AppState, login: &LoginRequest) -> ApiResult<UserRecord> {
    let user = match check_username(&login.username) {
        Ok(()) => state.store().find_user_by_name(&login.username).await?,
        Err(_) => None,
    };
    let hash = user.as_ref().and_then(|user| user.password_hash.as_deref());
    let fits = state.passwords().verify(&login.password, hash).await?;
    if let Some(user) = &user {
        // Also of an attempt that fails, so that it stands in the log of the organisation that it was aimed at.
        AuditScope::identify(AuditCaller {
            org_id: user.org_id,
            kind: if fits { ActorKind::User } else { ActorKind::Anonymous },
            id: Some(user.id.to_string()),
            name: Some(user.username.clone()),
            credential: Some("password".to_owned()),
        });
    }
    user.filter(|user| fits && user.disabled_at.is_none())
        .ok_or_else(|| ApiError::unauthenticated("the username or the password is wrong"))
}

/// Begins a session of a program.
pub(super) async fn begin_token_session(
    state: &AppState,
    parts: &Parts,
    user: &UserRecord,
) -> ApiResult<LoginResponse> {
    let (now, refresh_token) = (state.now(), format!("kxr_{}", random_token()));
    let new = new_session(state, parts, SessionKind::Token, &refresh_token, now);
    let session = state.store().create_session(user.org_id, user.id, &new, now).await?;
    let expires_at = token_end(state, now, new.expires_at);
    Ok(LoginResponse {
        access_token: token::issue(state, user.id, session, now, expires_at)?,
        token_type: "bearer".to_owned(),
        expires_in: u64::try_from((expires_at.as_millis() - now.as_millis()) / 1_000).unwrap_or(0),
        refresh_token,
        session_expires_at: new.expires_at,
    })
}

/// When a token of now ends: not after its session.
pub(super) fn token_end(state: &AppState, now: Timestamp, session_end: Timestamp) -> Timestamp {
    now.plus_secs(i64::from(state.settings().token_ttl_secs)).min(session_end)
}

/// A session that begins now.
pub(super) fn new_session(
    state: &AppState,
    parts: &Parts,
    kind: SessionKind,
    secret: &str,
    now: Timestamp,
) -> NewSession {
    let agent = parts.headers.get(http::header::USER_AGENT).and_then(|value| value.to_str().ok());
    NewSession {
        kind,
        secret_sha256: sha256_hex(secret),
        expires_at: now.plus_secs(i64::from(state.settings().session_ttl_secs)),
        address: address_of(parts).map(|address| address.to_string()),
        user_agent: agent.map(|agent| agent.chars().take(MAX_USER_AGENT_CHARS).collect()),
    }
}

/// Where a request comes from.
pub(super) fn address_of(parts: &Parts) -> Option<IpAddr> {
    parts.extensions.get::<ConnectInfo<SocketAddr>>().map(|peer| peer.0.ip().to_canonical())
}
