//! Logs of devices: shipped in batches, listed for users.

use axum::{Json, extract::State};
use http::HeaderMap;
use kernex_api::{
    ErrorCode, MAX_LOG_ENTRIES, MAX_LOGS_BODY_BYTES, Problem,
    logs::{LogEntry, LogList, LogsIngested, StoredLogEntry},
};
use kernex_core::{DeviceId, LogLevel};
use kernex_store::NewLogEntry;
use serde::Deserialize;
use utoipa::IntoParams;
use utoipa_axum::{router::OpenApiRouter, routes};

use crate::{
    AppState,
    auth::{CurrentUser, SignedBody},
    devices::check_metadata,
    error::{ApiError, ApiResult},
    extract::{QueryParams, decompress, parse_json},
    pagination::{cursor, next_cursor, page_limit, word},
};

const MAX_MESSAGE_BYTES: usize = 8 * 1024;

/// Routes under `/logs`.
pub fn routes() -> OpenApiRouter<AppState> {
    OpenApiRouter::new().routes(routes!(ingest)).routes(routes!(list))
}

/// What to list.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub struct LogParams {
    /// Rows on a page, 1 to 200; 50 when absent.
    limit: Option<u32>,
    /// `next_cursor` of the page before.
    cursor: Option<String>,
    /// This level and more serious ones.
    level: Option<String>,
}

/// Ship a batch of lines: at most 1,000, all of the device that signs.
///
/// The body may be compressed, with `Content-Encoding: gzip`; the signature is over the bytes as sent.
#[utoipa::path(post, path = "/logs/batch", tag = "logs", request_body = Vec<LogEntry>, responses(
    (status = 200, body = LogsIngested),
    (status = 400, body = Problem, content_type = "application/problem+json"),
    (status = 401, body = Problem, content_type = "application/problem+json"),
    (status = 403, body = Problem, content_type = "application/problem+json"),
    (status = 413, body = Problem, content_type = "application/problem+json"),
))]
async fn ingest(
    State(state): State<AppState>,
    headers: HeaderMap,
    signed: SignedBody<MAX_LOGS_BODY_BYTES>,
) -> ApiResult<Json<LogsIngested>> {
    let bytes = decompress(&headers, signed.bytes, MAX_LOGS_BODY_BYTES)?;
    let entries: Vec<LogEntry> = parse_json(&bytes)?;
    if entries.len() > MAX_LOG_ENTRIES {
        let detail = format!("a batch holds at most {MAX_LOG_ENTRIES} lines, not {}", entries.len());
        return Err(ApiError::invalid(detail));
    }
    let counter = signed.device.counter;
    if entries.iter().any(|entry| entry.device_id != counter.device_id) {
        let detail = "a device ships only its own lines: device_id must be the one that signs";
        return Err(ApiError::forbidden(ErrorCode::Forbidden, detail));
    }
    let entries = entries.into_iter().map(new_entry).collect::<ApiResult<Vec<_>>>()?;
    state.store().add_logs(&counter, &entries, state.now()).await?;
    Ok(Json(LogsIngested { ingested: entries.len() }))
}

/// List lines of all devices, newest first.
#[utoipa::path(get, path = "/logs", operation_id = "list_logs", tag = "logs", params(LogParams), responses(
    (status = 200, body = LogList),
    (status = 400, body = Problem, content_type = "application/problem+json"),
))]
async fn list(
    State(state): State<AppState>,
    user: CurrentUser,
    QueryParams(params): QueryParams<LogParams>,
) -> ApiResult<Json<LogList>> {
    page_of_logs(&state, &user, None, params).await
}

/// One page of lines, of one device or of all.
pub async fn page_of_logs(
    state: &AppState,
    user: &CurrentUser,
    device: Option<DeviceId>,
    params: LogParams,
) -> ApiResult<Json<LogList>> {
    let (limit, before) = (page_limit(params.limit)?, cursor(params.cursor.as_deref())?);
    let level: Option<LogLevel> = word("level", params.level.as_deref())?;
    let rows = state.store().list_logs(user.org(), device, level, before, limit).await?;
    let next_cursor = next_cursor(&rows, limit, |row| row.id);
    let logs = rows.into_iter().map(|row| StoredLogEntry {
        device_id: row.device_id,
        level: row.level,
        message: row.message,
        timestamp: row.logged_at,
        received_at: row.received_at,
        fields: row.fields,
    });
    Ok(Json(LogList { logs: logs.collect(), next_cursor }))
}

fn new_entry(entry: LogEntry) -> ApiResult<NewLogEntry> {
    if let Some(fields) = &entry.fields {
        check_metadata("fields", fields)?;
    }
    let mut message = entry.message.replace('\0', "\u{fffd}");
    message.truncate(message.floor_char_boundary(MAX_MESSAGE_BYTES));
    Ok(NewLogEntry { level: entry.level, message, fields: entry.fields, logged_at: entry.timestamp })
}
