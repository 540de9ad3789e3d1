//! `POST /auth/browser-login`: a login of a browser.

use axum::{
    Json,
    extract::State,
    response::{IntoResponse as _, Response},
};
use http::{header, request::Parts};
use kernex_api::{
    Problem,
    auth::{LoginRequest, Me},
};
use kernex_store::{SessionKind, UserRecord};

use super::{
    CurrentUser, browser,
    login::{check_password, new_session},
    me,
};
use crate::{
    AppState,
    error::{ApiError, ApiResult},
    extract::JsonBody,
    secrets::random_token,
};

/// Log in, as a browser.
///
/// The session is in a cookie that no script reads and no other site sends. It ends with the logout, when it was not used for
/// half an hour, or after half a day.
#[utoipa::path(post, path = "/auth/browser-login", tag = "auth", request_body = LoginRequest, responses(
    (status = 200, body = Me, headers(("Set-Cookie" = String, description = "The session"))),
    (status = 400, body = Problem, content_type = "application/problem+json"),
    (status = 401, body = Problem, content_type = "application/problem+json"),
    (status = 403, body = Problem, content_type = "application/problem+json"),
    (status = 429, body = Problem, content_type = "application/problem+json"),
))]
pub(super) async fn browser_login(
    State(state): State<AppState>,
    parts: Parts,
    body: JsonBody<LoginRequest>,
) -> ApiResult<Response> {
    // Another site must not log somebody in as somebody else.
    browser::refuse_other_sites(&state, &parts)?;
    let user = check_password(&state, &body.value).await?;
    begin_browser_session(&state, &parts, &user).await
}

/// Begins a session of a browser; the answer carries its cookie.
pub(super) async fn begin_browser_session(
    state: &AppState,
    parts: &Parts,
    user: &UserRecord,
) -> ApiResult<Response> {
    let (now, secret) = (state.now(), random_token());
    let cookie = browser::set_cookie(state, parts, &secret)?;
    let new = new_session(state, parts, SessionKind::Browser, &secret, now);
    let session = state.store().create_session(user.org_id, user.id, &new, now).await?;
    let user = CurrentUser::of_session(state, session)
        .await?
        .ok_or_else(|| ApiError::unauthenticated("you do not belong to any organisation"))?;
    Ok(([(header::SET_COOKIE, cookie)], Json(me::of(state, &user).await?)).into_response())
}
