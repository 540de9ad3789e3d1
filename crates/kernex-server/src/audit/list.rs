//! `GET /audit`

use axum::{Json, extract::State};
use kernex_api::{Problem, audit::AuditList};
use kernex_core::{ActorKind, AuditResult, Timestamp};
use kernex_store::AuditFilter;
use serde::Deserialize;
use utoipa::IntoParams;

use crate::{
    AppState,
    auth::CurrentUser,
    error::{ApiError, ApiResult},
    extract::QueryParams,
    pagination::{cursor, next_cursor, page_limit, word},
};

/// Longest text to filter by.
const MAX_FILTER_CHARS: usize = 200;

/// Which records, and which page of them.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub(super) struct AuditParams {
    /// Id or name of who did it.
    actor: Option<String>,
    /// `user`, `device`, `system` or `anonymous`.
    actor_kind: Option<String>,
    /// The action, such as `device.approve`, or `device.*` for all of a noun.
    action: Option<String>,
    /// Kind of what it was done to, such as `device`.
    object_kind: Option<String>,
    /// Its id.
    object_id: Option<String>,
    /// `success`, `denied` or `failed`.
    result: Option<String>,
    /// The request's id.
    request_id: Option<String>,
    /// The address that it came from.
    address: Option<String>,
    /// Not before this time (RFC 3339).
    from: Option<String>,
    /// Before this time (RFC 3339).
    to: Option<String>,
    /// Rows on a page, 1 to 200; 50 when absent. Of an export: all of its records.
    pub(super) limit: Option<u32>,
    /// `next_cursor` of the page before.
    pub(super) cursor: Option<String>,
    #[serde(default)]
    #[param(ignore)]
    pub(super) format: Option<String>,
}

/// List what was done and attempted, newest first.
#[utoipa::path(get, path = "/audit", operation_id = "list_audit", tag = "audit", params(AuditParams), responses(
    (status = 200, body = AuditList),
    (status = 400, body = Problem, content_type = "application/problem+json"),
    (status = 401, body = Problem, content_type = "application/problem+json"),
    (status = 403, body = Problem, content_type = "application/problem+json"),
))]
pub(super) async fn list(
    State(state): State<AppState>,
    user: CurrentUser,
    QueryParams(params): QueryParams<AuditParams>,
) -> ApiResult<Json<AuditList>> {
    if params.format.is_some() {
        return Err(ApiError::invalid("format is for an export"));
    }
    let limit = page_limit(params.limit)?;
    let before: Option<u64> = cursor(params.cursor.as_deref())?;
    let before = before.map(|sequence| sequence.min(i64::MAX as u64));
    let records = state.store().list_audit(user.org(), &filter(params)?, before, limit).await?;
    let next_cursor = next_cursor(&records, limit, |record| record.sequence);
    Ok(Json(AuditList { records, next_cursor }))
}

/// Reads the filters.
pub(super) fn filter(params: AuditParams) -> ApiResult<AuditFilter> {
    let time = |name: &str, text: Option<String>| -> ApiResult<Option<Timestamp>> {
        let parse = |text: String| {
            text.parse()
                .map_err(|_| ApiError::invalid(format!("{name} must be a time such as 2026-01-31T00:00:00Z")))
        };
        text.map(parse).transpose()
    };
    let texts = [
        &params.actor,
        &params.action,
        &params.object_kind,
        &params.object_id,
        &params.request_id,
        &params.address,
    ];
    if texts.into_iter().flatten().any(|text| text.len() > MAX_FILTER_CHARS) {
        return Err(ApiError::invalid(format!("a filter has more than {MAX_FILTER_CHARS} bytes")));
    }
    Ok(AuditFilter {
        actor: params.actor,
        actor_kind: word::<ActorKind>("actor_kind", params.actor_kind.as_deref())?,
        action: params.action,
        object_kind: params.object_kind,
        object_id: params.object_id,
        result: word::<AuditResult>("result", params.result.as_deref())?,
        request_id: params.request_id,
        address: params.address,
        from: time("from", params.from)?,
        to: time("to", params.to)?,
    })
}
