//! `POST /auth/register`

use axum::{Json, extract::State};
use http::StatusCode;
use kernex_api::{
    ErrorCode, Problem,
    auth::{RegisterUserRequest, User},
};
use kernex_core::Role;
use kernex_store::NewUser;

use super::{CurrentUser, check_email, check_new_password, check_username};
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
#[utoipa::path(post, path = "/auth/register", tag = "auth", request_body = RegisterUserRequest, responses(
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
        None => Some(user?),
    };
    check_username(&request.username)?;
    check_new_password(&request.password)?;
    if let Some(email) = &request.email {
        check_email(email)?;
    }
    let new = NewUser {
        username: request.username,
        email: request.email,
        password_hash: Some(state.passwords().hash(&request.password).await?),
        role: if by.is_some() { request.role.unwrap_or(Role::ReadOnly) } else { Role::Admin },
        device_selector: None,
        installation_admin: by.is_none(),
        must_change_password: false,
    };
    let role = new.role;
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
    tracing::info!(user.id = %created.id, user.role = %role, "user registered");
    let user = User {
        id: created.id,
        username: created.username,
        email: created.email,
        role,
        org_id: created.org_id,
        created_at: created.created_at,
    };
    Ok((StatusCode::CREATED, Json(user)))
}
