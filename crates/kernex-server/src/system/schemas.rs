//! `GET /schemas/manifest.json`

use axum::response::IntoResponse;
use http::header;

/// The JSON Schema of a bundle's manifest, as server, agent and CLI check it.
#[utoipa::path(get, path = "/schemas/manifest.json", tag = "bundles",
    responses((status = 200, body = serde_json::Value, content_type = "application/schema+json")))]
pub(super) async fn manifest_schema() -> impl IntoResponse {
    ([(header::CONTENT_TYPE, "application/schema+json")], kernex_bundle::MANIFEST_SCHEMA)
}
