//! Registration tokens.

use axum::{Json, extract::State};
use http::StatusCode;
use kernex_api::{
    Problem,
    registration_tokens::{
        CreateRegistrationTokenRequest, CreatedRegistrationToken, RegistrationToken, RegistrationTokenList,
    },
};
use kernex_core::RegistrationTokenId;
use kernex_store::NewRegistrationToken;
use utoipa_axum::{router::OpenApiRouter, routes};

use crate::{
    AppState,
    auth::CurrentUser,
    devices::check_tags,
    error::{ApiError, ApiResult},
    extract::{JsonBody, PathId},
    secrets::{random_token, sha256_hex},
};

const MIN_TTL_SECS: u32 = 60;
const MAX_TTL_SECS: u32 = 365 * 24 * 60 * 60;
const MAX_USES: u32 = 100_000;

/// Routes under `/registration-tokens`.
pub fn routes() -> OpenApiRouter<AppState> {
    OpenApiRouter::new().routes(routes!(create, list)).routes(routes!(delete))
}

/// Make a registration token. Its secret is shown this once.
#[utoipa::path(post, path = "/registration-tokens", operation_id = "create_registration_token", tag = "registration tokens",
    request_body = CreateRegistrationTokenRequest, responses(
    (status = 201, body = CreatedRegistrationToken),
    (status = 400, body = Problem, content_type = "application/problem+json"),
    (status = 403, body = Problem, content_type = "application/problem+json"),
))]
async fn create(
    State(state): State<AppState>,
    user: CurrentUser,
    body: JsonBody<CreateRegistrationTokenRequest>,
) -> ApiResult<(StatusCode, Json<CreatedRegistrationToken>)> {
    let request = body.value;
    let (ttl, uses) = (request.ttl_secs.unwrap_or(3_600), request.uses.unwrap_or(1));
    if !(MIN_TTL_SECS..=MAX_TTL_SECS).contains(&ttl) {
        return Err(ApiError::invalid(format!("ttl_secs must be between {MIN_TTL_SECS} and {MAX_TTL_SECS}")));
    }
    if !(1..=MAX_USES).contains(&uses) {
        return Err(ApiError::invalid(format!("uses must be between 1 and {MAX_USES}")));
    }
    check_tags(&request.tags)?;
    let (token, now) = (random_token(), state.now());
    let expires_at = now.plus_secs(i64::from(ttl));
    let new = NewRegistrationToken {
        secret_sha256: sha256_hex(&token),
        uses,
        expires_at,
        tags: request.tags,
        created_by: user.name().to_owned(),
    };
    let id = state.store().create_registration_token(user.org(), &new, now).await?;
    Ok((StatusCode::CREATED, Json(CreatedRegistrationToken { id, token, expires_at })))
}

/// List tokens that have not ended, newest first.
#[utoipa::path(get, path = "/registration-tokens", operation_id = "list_registration_tokens", tag = "registration tokens",
    responses((status = 200, body = RegistrationTokenList)))]
async fn list(State(state): State<AppState>, user: CurrentUser) -> ApiResult<Json<RegistrationTokenList>> {
    let records = state.store().list_registration_tokens(user.org(), state.now()).await?;
    let tokens = records.into_iter().map(|record| RegistrationToken {
        id: record.id,
        expires_at: record.expires_at,
        uses_left: u32::try_from(record.uses_left).unwrap_or(u32::MAX),
        tags: record.tags,
        created_by: record.created_by,
        created_at: record.created_at,
    });
    Ok(Json(RegistrationTokenList { registration_tokens: tokens.collect() }))
}

/// End a token. Devices that registered with it stay.
#[utoipa::path(delete, path = "/registration-tokens/{token_id}", operation_id = "delete_registration_token",
    tag = "registration tokens", params(("token_id" = RegistrationTokenId, Path)), responses(
    (status = 204),
    (status = 403, body = Problem, content_type = "application/problem+json"),
    (status = 404, body = Problem, content_type = "application/problem+json"),
))]
async fn delete(
    State(state): State<AppState>,
    user: CurrentUser,
    PathId(id): PathId<RegistrationTokenId>,
) -> ApiResult<StatusCode> {
    if state.store().delete_registration_token(user.org(), id).await? {
        return Ok(StatusCode::NO_CONTENT);
    }
    Err(ApiError::not_found("registration token", id))
}
