//! The outermost layer: gives a request its id, its line in the log and its counts, and an error its body.

use std::{panic::AssertUnwindSafe, time::Instant};

use axum::{
    extract::{MatchedPath, Request, State},
    middleware::Next,
    response::{IntoResponse as _, Response},
};
use futures_util::FutureExt as _;
use http::{HeaderName, HeaderValue, Method, StatusCode, header};
use kernex_api::{ErrorCode, signing::SERVER_TIME_HEADER};
use kernex_core::RequestId;
use tracing::Instrument as _;

use crate::{AppState, audit::Audited, error::ApiError};

const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
const SERVER_TIME: HeaderName = HeaderName::from_static(SERVER_TIME_HEADER);

/// Runs one request.
pub async fn around_request(State(state): State<AppState>, request: Request, next: Next) -> Response {
    let id = RequestId::generate(state.now()).to_string();
    let method = request.method().clone();
    let route = request.extensions().get::<MatchedPath>().map_or("(none)", MatchedPath::as_str).to_owned();
    let span = tracing::info_span!("request", request.id = %id, http.method = %method, http.route = %route);
    let began = Instant::now();
    let audited = Audited::of(&state, &request, &id, &route);
    let response = async {
        let response = AssertUnwindSafe(audited.around(next.run(request))).catch_unwind().await;
        let response = response.unwrap_or_else(|_| ApiError::internal("a handler panicked").into_response());
        let (took, status) = (began.elapsed(), response.status().as_u16());
        tracing::debug!(http.status = status, took_ms = took.as_secs_f64() * 1_000.0, "request");
        state.telemetry().count_request(known_method(&method), &route, status, took);
        let outcome = audited.outcome(&response);
        audited.settle(&state, outcome).await;
        response
    }
    .instrument(span)
    .await;
    dress(&state, &id, response)
}

/// A client may send any word as its method; counts are kept for those that exist.
fn known_method(method: &Method) -> &str {
    let known = [
        Method::GET,
        Method::HEAD,
        Method::POST,
        Method::PUT,
        Method::PATCH,
        Method::DELETE,
        Method::OPTIONS,
    ];
    if known.contains(method) { method.as_str() } else { "other" }
}

fn dress(state: &AppState, id: &str, mut response: Response) -> Response {
    let error = response.extensions_mut().remove::<ApiError>().or_else(|| error_of_framework(&response));
    if let Some(error) = error {
        let plain = std::mem::replace(&mut response, error.render(id));
        for name in [header::CONTENT_RANGE, header::ALLOW] {
            if let Some(value) = plain.headers().get(&name) {
                response.headers_mut().insert(name, value.clone());
            }
        }
    }
    let headers = response.headers_mut();
    if let Ok(id) = HeaderValue::from_str(id) {
        headers.insert(REQUEST_ID, id);
    }
    headers.insert(SERVER_TIME, HeaderValue::from(state.now().as_millis()));
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    headers.insert(header::REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
    headers.entry(header::CACHE_CONTROL).or_insert(HeaderValue::from_static("no-store"));
    response
}

/// Errors that the framework makes itself, without a body of ours.
fn error_of_framework(response: &Response) -> Option<ApiError> {
    match response.status() {
        status @ StatusCode::NOT_FOUND => {
            Some(ApiError::new(status, ErrorCode::NotFound, "no such address; /docs lists them all"))
        }
        status @ StatusCode::METHOD_NOT_ALLOWED => {
            let detail = "this address exists, but not with this method; the Allow header lists those it has";
            Some(ApiError::new(status, ErrorCode::MethodNotAllowed, detail))
        }
        _ => None,
    }
}
