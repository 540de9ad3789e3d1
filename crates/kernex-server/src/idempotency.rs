//! `Idempotency-Key`: the same key and body within a day gives the first answer again.

use axum::response::{IntoResponse, Response};
use http::{HeaderMap, HeaderValue, StatusCode, header};
use kernex_api::signing::IDEMPOTENCY_KEY_HEADER;
use kernex_store::Idempotency;
use serde::Serialize;

use crate::{
    AppState,
    auth::CurrentUser,
    error::{ApiError, ApiResult},
    secrets::sha256_hex,
};

const MAX_KEY_CHARS: usize = 128;

/// The key of a request, if it carries one.
pub fn key_of(headers: &HeaderMap) -> ApiResult<Option<String>> {
    let mut keys = headers.get_all(IDEMPOTENCY_KEY_HEADER).iter();
    let Some(key) = keys.next() else { return Ok(None) };
    let key = key.to_str().ok().filter(|key| (1..=MAX_KEY_CHARS).contains(&key.len()));
    match (key, keys.next()) {
        (Some(key), None) => Ok(Some(key.to_owned())),
        _ => Err(ApiError::invalid(format!(
            "Idempotency-Key must stand there once, with 1 to {MAX_KEY_CHARS} visible ASCII characters"
        ))),
    }
}

/// A request that may come again. `what` stands for method, path and body.
pub fn request(key: String, actor: String, what: &str) -> Idempotency {
    Idempotency { actor, key, request_sha256: sha256_hex(what) }
}

/// The same for a request whose body has been read; and its first answer, if it came before. Asked before anything is checked:
/// what was right then may not be any more.
pub async fn begin(
    state: &AppState,
    user: &CurrentUser,
    headers: &HeaderMap,
    what: &str,
) -> ApiResult<(Option<Idempotency>, Option<Response>)> {
    let Some(key) = key_of(headers)? else { return Ok((None, None)) };
    let once = request(key, user.actor(), what);
    let before = state.store().find_first_answer(user.org(), &once).await?;
    Ok((Some(once), before.map(|(status, body)| replay(status, body))))
}

/// An answer in the form that is stored and sent.
pub fn stored<T: Serialize>(status: StatusCode, value: &T) -> (u16, String) {
    (status.as_u16(), serde_json::to_string(value).unwrap_or_default())
}

/// A stored first answer, sent again.
pub fn replay(status: u16, body: String) -> Response {
    let status = StatusCode::from_u16(status).unwrap_or(StatusCode::OK);
    let json = HeaderValue::from_static("application/json");
    (status, [(header::CONTENT_TYPE, json)], body).into_response()
}
