//! `POST /auth/login`

use axum::{Json, extract::State};
use kernex_api::{
    Problem,
    auth::{LoginRequest, LoginResponse},
};
use kernex_core::ActorKind;
use kernex_store::{AuditCaller, AuditScope};

use super::{check_username, token};
use crate::{
    AppState,
    error::{ApiError, ApiResult},
    extract::JsonBody,
};

/// Log in.
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
    body: JsonBody<LoginRequest>,
) -> ApiResult<Json<LoginResponse>> {
    let LoginRequest { username, password } = body.value;
    let user = match check_username(&username) {
        Ok(()) => state.store().find_user_by_name(&username).await?,
        Err(_) => None,
    };
    let hash = user.as_ref().map(|user| user.password_hash.as_str());
    let fits = state.passwords().verify(&password, hash).await?;
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
    let Some(user) = user.filter(|_| fits) else {
        return Err(ApiError::unauthenticated("the username or the password is wrong"));
    };
    let (now, ttl) = (state.now(), state.settings().token_ttl_secs);
    let expires_at = now.plus_secs(i64::from(ttl));
    let session = state.store().create_session(user.org_id, user.id, expires_at, now).await?;
    let access_token = token::issue(&state, user.id, session, now, expires_at)?;
    Ok(Json(LoginResponse { access_token, token_type: "bearer".to_owned(), expires_in: u64::from(ttl) }))
}
