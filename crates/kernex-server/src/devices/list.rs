//! `GET /devices`

use axum::{Json, extract::State};
use kernex_api::{Problem, devices::DeviceList};
use kernex_store::DeviceFilter;
use serde::Deserialize;
use utoipa::IntoParams;

use super::{selector::resolved, to_api};
use crate::{
    AppState,
    auth::CurrentUser,
    error::{ApiError, ApiResult},
    extract::QueryParams,
    pagination::{cursor, next_cursor, page_limit, word},
};

const MAX_TAG_FILTERS: usize = 8;

#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub(super) struct ListParams {
    /// Rows on a page, 1 to 200; 50 when absent.
    limit: Option<u32>,
    /// `next_cursor` of the page before.
    cursor: Option<String>,
    /// A selector, such as `site=berlin and bundle.version<1.4`. A word alone is free text: in name, type and tags, or the
    /// beginning of an id or a key's fingerprint.
    q: Option<String>,
    /// `online`, `degraded`, `error`, `offline`, `pending_approval` or `decommissioned`.
    status: Option<String>,
    /// `key=value`; several, separated by commas, must all fit.
    tag: Option<String>,
    /// The version that some bundle on the device has.
    bundle_version: Option<String>,
}

/// List devices, newest first.
#[utoipa::path(get, path = "/devices", tag = "devices", params(ListParams), responses(
    (status = 200, body = DeviceList),
    (status = 400, body = Problem, content_type = "application/problem+json"),
    (status = 401, body = Problem, content_type = "application/problem+json"),
))]
pub(super) async fn list(
    State(state): State<AppState>,
    user: CurrentUser,
    QueryParams(params): QueryParams<ListParams>,
) -> ApiResult<Json<DeviceList>> {
    let limit = page_limit(params.limit)?;
    let selector = match params.q.filter(|text| !text.trim().is_empty()) {
        Some(text) => Some(resolved(&state, user.org(), "q", &text).await?),
        None => None,
    };
    let filter = DeviceFilter {
        selector,
        status: word("status", params.status.as_deref())?,
        tags: tags(params.tag.as_deref())?,
        bundle_version: params.bundle_version,
        after: cursor(params.cursor.as_deref())?,
        limit,
    };
    let now = state.now();
    let (records, total) = state.store().list_devices(user.org(), &filter, now).await?;
    let next_cursor = next_cursor(&records, limit, |record| record.id);
    let devices = records.into_iter().map(|record| to_api(record, now)).collect::<ApiResult<_>>()?;
    Ok(Json(DeviceList { devices, total, next_cursor }))
}

fn tags(text: Option<&str>) -> ApiResult<Vec<(String, String)>> {
    let Some(text) = text else { return Ok(Vec::new()) };
    let pairs: Option<Vec<_>> = text
        .split(',')
        .map(|pair| pair.split_once('=').map(|(key, value)| (key.to_owned(), value.to_owned())))
        .collect();
    pairs.filter(|pairs| pairs.len() <= MAX_TAG_FILTERS).ok_or_else(|| {
        ApiError::invalid(format!("tag must be `key=value`, at most {MAX_TAG_FILTERS} separated by commas"))
    })
}
