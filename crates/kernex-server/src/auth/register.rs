//! `POST /auth/register`

use axum::{Json, extract::State};
use http::StatusCode;
use kernex_api::{
    ErrorCode, Problem,
    auth::{RegisterUserRequest, User},
};
use kernex_core::Role;
use kernex_store::NewUser;

use super::{CurrentUser, check_new_password, check_username, user::to_api};
use crate::{
    AppState,
    error::{ApiError, ApiResult},
    extract::JsonBody,
    secrets::sha256_hex,
};

/// Register a user.
///
/// The first user comes with the secret of the bootstrap link and becomes an admin. After that only an admin registers users, in
/// their own organisation.
#[utoipa::path(post, path = "/auth/register", tag = "auth", request_body = RegisterUserRequest,
    security((), ("bearer" = [])), responses(
    (status = 201, body = User),
    (status = 400, body = Problem, content_type = "application/problem+json"),
    (status = 401, body = Problem, content_type = "application/problem+json"),
    (status = 403, body = Problem, content_type = "application/problem+json"),
    (status = 409, body = Problem, content_type = "application/problem+json"),
))]
pub(super) async fn register(
    State(state): State<AppState>,
    user: Result<CurrentUser, ApiError>,
    body: JsonBody<RegisterUserRequest>,
) -> ApiResult<(StatusCode, Json<User>)> {
    let request = body.value;
    let by = match &request.bootstrap_token {
        Some(_) => None,
        None => {
            let user = user?;
            user.require_admin()?;
            Some(user)
        }
    };
    check_username(&request.username)?;
    check_new_password(&request.password)?;
    let is_address =
        |email: &str| email.len() <= 254 && email.contains('@') && !email.chars().any(char::is_control);
    if !request.email.as_deref().is_none_or(is_address) {
        return Err(ApiError::invalid("email must hold an @ and have at most 254 characters"));
    }
    let new = NewUser {
        username: request.username,
        email: request.email,
        password_hash: state.passwords().hash(&request.password).await?,
        role: if by.is_some() { request.role.unwrap_or(Role::ReadOnly) } else { Role::Admin },
    };
    let created = match (by, request.bootstrap_token) {
        (None, Some(token)) => {
            state.store().create_first_user(&new, &sha256_hex(&token), state.now()).await?.ok_or_else(
                || {
                    let detail = "the bootstrap link is wrong or used up; an admin can register users";
                    ApiError::forbidden(ErrorCode::Forbidden, detail)
                },
            )?
        }
        (by, _) => {
            let by = by.ok_or_else(|| ApiError::unauthenticated("log in first"))?;
            state.store().create_user(by.org(), &new, state.now()).await.map_err(|error| match error {
                kernex_store::Error::Exists => {
                    ApiError::conflict(format!("the username `{}` is taken", new.username))
                }
                other => other.into(),
            })?
        }
    };
    tracing::info!(user.id = %created.id, user.role = %created.role, "user registered");
    Ok((StatusCode::CREATED, Json(to_api(&created))))
}
