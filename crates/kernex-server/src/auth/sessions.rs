//! `GET` and `DELETE /auth/sessions`, `DELETE /auth/sessions/{id}`: one's own logins.

use axum::{Json, extract::State};
use http::StatusCode;
use kernex_api::{
    Problem,
    auth::{EndedSessions, Session, SessionKind as ApiKind, SessionList},
};
use kernex_core::SessionId;
use kernex_store::{SessionKind, SessionRecord};

use super::CurrentUser;
use crate::{
    AppState,
    error::{ApiError, ApiResult},
    extract::PathId,
};

/// List one's own logins, newest first.
#[utoipa::path(get, path = "/auth/sessions", operation_id = "list_sessions", tag = "auth", responses(
    (status = 200, body = SessionList),
    (status = 401, body = Problem, content_type = "application/problem+json"),
    (status = 403, body = Problem, content_type = "application/problem+json"),
))]
pub(super) async fn list(State(state): State<AppState>, user: CurrentUser) -> ApiResult<Json<SessionList>> {
    let sessions = state.store().list_sessions(user.user().id, state.now()).await?;
    let current = user.session_id();
    Ok(Json(SessionList { sessions: sessions.into_iter().map(|record| to_api(record, current)).collect() }))
}

/// End every other login of one's own.
#[utoipa::path(delete, path = "/auth/sessions", operation_id = "delete_sessions", tag = "auth", responses(
    (status = 200, body = EndedSessions),
    (status = 401, body = Problem, content_type = "application/problem+json"),
    (status = 403, body = Problem, content_type = "application/problem+json"),
))]
pub(super) async fn delete_others(
    State(state): State<AppState>,
    user: CurrentUser,
) -> ApiResult<Json<EndedSessions>> {
    let ended = state.store().delete_sessions(user.user().id, user.session_id()).await?;
    Ok(Json(EndedSessions { ended }))
}

/// End one of one's own logins.
#[utoipa::path(delete, path = "/auth/sessions/{session_id}", operation_id = "delete_session", tag = "auth",
    params(("session_id" = SessionId, Path)), responses(
    (status = 204),
    (status = 401, body = Problem, content_type = "application/problem+json"),
    (status = 403, body = Problem, content_type = "application/problem+json"),
    (status = 404, body = Problem, content_type = "application/problem+json"),
))]
pub(super) async fn delete(
    State(state): State<AppState>,
    user: CurrentUser,
    PathId(id): PathId<SessionId>,
) -> ApiResult<StatusCode> {
    if state.store().delete_session(user.user().id, id).await? {
        return Ok(StatusCode::NO_CONTENT);
    }
    Err(ApiError::not_found("session", id))
}

pub(crate) fn to_api(record: SessionRecord, current: Option<SessionId>) -> Session {
    Session {
        id: record.id,
        kind: match record.kind {
            SessionKind::Token => ApiKind::Token,
            SessionKind::Browser => ApiKind::Browser,
        },
        current: current == Some(record.id),
        org_id: record.org_id,
        created_at: record.created_at,
        last_used_at: record.last_used_at,
        expires_at: record.expires_at,
        address: record.address,
        user_agent: record.user_agent,
    }
}
