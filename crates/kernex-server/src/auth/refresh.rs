//! `POST /auth/refresh`

use axum::{Json, extract::State};
use kernex_api::{
    Problem,
    auth::{LoginResponse, RefreshRequest},
};
use kernex_store::{SessionKey, SessionKind};

use super::{login::token_end, token};
use crate::{
    AppState,
    error::{ApiError, ApiResult},
    extract::JsonBody,
    secrets::sha256_hex,
};

/// Get the next access token of a login.
#[utoipa::path(post, path = "/auth/refresh", tag = "auth", request_body = RefreshRequest, responses(
    (status = 200, body = LoginResponse),
    (status = 400, body = Problem, content_type = "application/problem+json"),
    (status = 401, body = Problem, content_type = "application/problem+json"),
))]
pub(super) async fn refresh(
    State(state): State<AppState>,
    body: JsonBody<RefreshRequest>,
) -> ApiResult<Json<LoginResponse>> {
    let (now, refresh_token) = (state.now(), body.value.refresh_token);
    let digest = sha256_hex(&refresh_token);
    let key = SessionKey::Secret(SessionKind::Token, &digest);
    let found = state.store().find_session(key, None, now, now).await?;
    let found = found.filter(|found| found.standing.is_some());
    let found = found.ok_or_else(|| ApiError::unauthenticated("the session has ended; log in again"))?;
    state.store().touch_session(&found.session, now).await?;
    let (session, user) = (found.session, found.user);
    let expires_at = token_end(&state, now, session.expires_at);
    Ok(Json(LoginResponse {
        access_token: token::issue(&state, user.id, session.id, now, expires_at)?,
        token_type: "bearer".to_owned(),
        expires_in: u64::try_from((expires_at.as_millis() - now.as_millis()) / 1_000).unwrap_or(0),
        refresh_token,
        session_expires_at: session.expires_at,
    }))
}
