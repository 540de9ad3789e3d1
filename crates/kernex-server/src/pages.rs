//! The setup page behind the bootstrap link, and the way from `/` to something useful.

use axum::{
    Router,
    response::{IntoResponse, Redirect},
    routing::get,
};
use http::header;

use crate::AppState;

const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; base-uri 'none'; \
     form-action 'none'; frame-ancestors 'none'";

/// Pages.
pub fn routes() -> Router<AppState> {
    Router::new()
        .route("/", get(|| async { Redirect::to("/docs/") }))
        .route("/setup", get(|| async { page("text/html; charset=utf-8", include_str!("pages/setup.html")) }))
        .route(
            "/setup.js",
            get(|| async { page("text/javascript; charset=utf-8", include_str!("pages/setup.js")) }),
        )
        .route(
            "/setup.css",
            get(|| async { page("text/css; charset=utf-8", include_str!("pages/setup.css")) }),
        )
}

fn page(kind: &'static str, body: &'static str) -> impl IntoResponse {
    ([(header::CONTENT_TYPE, kind), (header::CONTENT_SECURITY_POLICY, POLICY)], body)
}
