//! Pages: `limit` and `cursor`. A cursor names the last row of the page before it.

use std::str::FromStr;

use kernex_api::{DEFAULT_PAGE_LIMIT, MAX_PAGE_LIMIT};

use crate::error::{ApiError, ApiResult};

/// The number of rows that a request asks for.
pub fn page_limit(limit: Option<u32>) -> ApiResult<u32> {
    match limit.unwrap_or(DEFAULT_PAGE_LIMIT) {
        limit @ 1..=MAX_PAGE_LIMIT => Ok(limit),
        _ => Err(ApiError::invalid(format!("limit must be between 1 and {MAX_PAGE_LIMIT}"))),
    }
}

/// The row after which the page begins.
pub fn cursor<T: FromStr>(cursor: Option<&str>) -> ApiResult<Option<T>> {
    cursor
        .map(|text| text.parse().map_err(|_| ApiError::invalid("cursor is not one that a list has given")))
        .transpose()
}

/// The cursor of the next page: the last row's, when the page is full.
pub fn next_cursor<R, C: ToString>(rows: &[R], limit: u32, of: impl Fn(&R) -> C) -> Option<String> {
    if rows.len() < limit as usize {
        return None;
    }
    rows.last().map(|row| of(row).to_string())
}

/// A word of a closed set in the query.
pub fn word<T: FromStr<Err: std::fmt::Display>>(name: &str, text: Option<&str>) -> ApiResult<Option<T>> {
    text.map(|text| text.parse().map_err(|error: T::Err| ApiError::invalid(format!("{name}: {error}"))))
        .transpose()
}

/// The parameters of a list without filters.
#[derive(Debug, serde::Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub struct PageParams {
    /// Rows on a page, 1 to 200; 50 when absent.
    pub limit: Option<u32>,
    /// `next_cursor` of the page before.
    pub cursor: Option<String>,
}
