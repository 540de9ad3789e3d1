//! `POST /auth/logout`

use axum::{
    extract::State,
    response::{IntoResponse as _, Response},
};
use http::{StatusCode, header, request::Parts};
use kernex_api::Problem;
use kernex_store::SessionKind;

use super::{CurrentUser, browser};
use crate::{AppState, error::ApiResult};

/// Log out: the token or cookie, and every other token of the same login, is void at once.
#[utoipa::path(post, path = "/auth/logout", tag = "auth", responses(
    (status = 204),
    (status = 401, body = Problem, content_type = "application/problem+json"),
    (status = 403, body = Problem, content_type = "application/problem+json"),
))]
pub(super) async fn logout(
    State(state): State<AppState>,
    user: CurrentUser,
    parts: Parts,
) -> ApiResult<Response> {
    let session = user.require_login()?;
    state.store().delete_session(user.user().id, session.id).await?;
    let mut response = StatusCode::NO_CONTENT.into_response();
    if session.kind == SessionKind::Browser
        && let Some(cookie) = browser::forget_cookie(&state, &parts)
    {
        response.headers_mut().insert(header::SET_COOKIE, cookie);
    }
    Ok(response)
}
