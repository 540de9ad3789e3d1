//! `POST /auth/logout`, `GET /auth/me`

use axum::{Json, extract::State};
use http::StatusCode;
use kernex_api::{Problem, auth::User};

use super::{CurrentUser, user::to_api};
use crate::{AppState, error::ApiResult};

/// Log out: the token, and every other token of the same login, is void at once.
#[utoipa::path(post, path = "/auth/logout", tag = "auth", security(("bearer" = [])), responses(
    (status = 204),
    (status = 401, body = Problem, content_type = "application/problem+json"),
))]
pub(super) async fn logout(State(state): State<AppState>, user: CurrentUser) -> ApiResult<StatusCode> {
    state.store().delete_session(user.session_id).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Who is logged in.
#[utoipa::path(get, path = "/auth/me", tag = "auth", security(("bearer" = [])), responses(
    (status = 200, body = User),
    (status = 401, body = Problem, content_type = "application/problem+json"),
))]
pub(super) async fn me(user: CurrentUser) -> Json<User> {
    Json(to_api(&user.user))
}
