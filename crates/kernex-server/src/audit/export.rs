//! `GET /audit/export`

use axum::{
    body::Body,
    extract::State,
    response::{IntoResponse as _, Response},
};
use bytes::Bytes;
use futures_util::stream;
use http::header;
use kernex_api::Problem;
use kernex_core::{OrganizationId, audit::AuditRecord};
use kernex_store::AuditFilter;

use super::{
    csv,
    list::{AuditParams, filter},
};
use crate::{
    AppState,
    auth::CurrentUser,
    error::{ApiError, ApiResult},
    extract::QueryParams,
};

/// Records that are read from the database at a time.
const CHUNK: u32 = 500;
/// Records of one export when the request does not say; it goes on after the last one.
const MAX_RECORDS: u64 = 1_000_000;

/// Export records, oldest first, as they come from the database.
///
/// At most 1,000,000 records; `cursor` is the `sequence` of the last record that was exported before. A connection that ends early
/// shows as an incomplete last line. Without filters the export is a chain that can be verified. In CSV a field that begins with
/// `=`, `+`, `-`, `@`, a tab or a carriage return has a `'` before it, so that no spreadsheet runs it.
#[utoipa::path(get, path = "/audit/export", operation_id = "export_audit", tag = "audit",
    params(AuditParams, ("format" = Option<String>, Query, description = "`jsonl` (when absent) or `csv`")), responses(
    (status = 200, content((String = "application/jsonl"), (String = "text/csv"))),
    (status = 400, body = Problem, content_type = "application/problem+json"),
    (status = 401, body = Problem, content_type = "application/problem+json"),
    (status = 403, body = Problem, content_type = "application/problem+json"),
))]
pub(super) async fn export(
    State(state): State<AppState>,
    user: CurrentUser,
    QueryParams(mut params): QueryParams<AuditParams>,
) -> ApiResult<Response> {
    let format = Format::of(params.format.take().as_deref())?;
    let after = match params.cursor.take() {
        None => 0,
        Some(text) => {
            text.parse::<u64>().ok().filter(|after| i64::try_from(*after).is_ok()).ok_or_else(|| {
                ApiError::invalid("cursor must be the sequence of the last record that was exported before")
            })?
        }
    };
    let left = params.limit.take().map_or(MAX_RECORDS, u64::from);
    if !(1..=MAX_RECORDS).contains(&left) {
        return Err(ApiError::invalid(format!("limit must be between 1 and {MAX_RECORDS}")));
    }
    let walk = Walk { state, org: user.org(), filter: filter(params)?, format, after, left, begun: false };
    let body = stream::try_unfold(walk, Walk::next);
    let disposition = format!("attachment; filename=\"audit.{}\"", format.extension());
    let headers =
        [(header::CONTENT_TYPE, format.media_type().to_owned()), (header::CONTENT_DISPOSITION, disposition)];
    Ok((headers, Body::from_stream(body)).into_response())
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Format {
    JsonLines,
    Csv,
}

impl Format {
    fn of(text: Option<&str>) -> ApiResult<Self> {
        match text.unwrap_or("jsonl") {
            "jsonl" => Ok(Self::JsonLines),
            "csv" => Ok(Self::Csv),
            _ => Err(ApiError::invalid("format must be jsonl or csv")),
        }
    }

    fn extension(self) -> &'static str {
        match self {
            Self::JsonLines => "jsonl",
            Self::Csv => "csv",
        }
    }

    fn media_type(self) -> &'static str {
        match self {
            Self::JsonLines => "application/jsonl",
            Self::Csv => "text/csv; charset=utf-8; header=present",
        }
    }
}

/// An export under way: it holds one chunk at a time.
struct Walk {
    state: AppState,
    org: OrganizationId,
    filter: AuditFilter,
    format: Format,
    after: u64,
    left: u64,
    begun: bool,
}

impl Walk {
    async fn next(mut self) -> Result<Option<(Bytes, Self)>, kernex_store::Error> {
        let mut text = String::new();
        if !self.begun && self.format == Format::Csv {
            text.push_str(&csv::header());
        }
        self.begun = true;
        let limit = u32::try_from(self.left).unwrap_or(CHUNK).min(CHUNK);
        let records = match limit {
            0 => Vec::new(),
            limit => self.state.store().scan_audit(self.org, &self.filter, self.after, limit).await?,
        };
        self.left = if records.len() < limit as usize { 0 } else { self.left - records.len() as u64 };
        for (record, _) in &records {
            self.after = record.sequence;
            text.push_str(&self.line(record));
        }
        Ok((!text.is_empty()).then(|| (text.into(), self)))
    }

    fn line(&self, record: &AuditRecord) -> String {
        match self.format {
            Format::JsonLines => format!("{}\n", serde_json::to_string(record).unwrap_or_default()),
            Format::Csv => csv::line(record),
        }
    }
}
