//! Bundles: bytes that were checked on the way in, and what is known of them.

mod delete;
mod download;
pub mod encrypt;
mod list;
mod manifest;
mod ranges;
mod upload;
mod verify;

use kernex_api::bundles::Bundle;
use kernex_store::BundleRecord;
use utoipa_axum::{router::OpenApiRouter, routes};

use crate::AppState;

/// Routes under `/bundles`.
pub fn routes() -> OpenApiRouter<AppState> {
    OpenApiRouter::new()
        .routes(routes!(upload::upload, list::list))
        .routes(routes!(download::download, delete::delete))
        .routes(routes!(manifest::manifest))
        .routes(routes!(verify::verify))
}

/// A bundle as the API shows it.
fn to_api(record: BundleRecord) -> Bundle {
    Bundle {
        bundle_id: record.id,
        name: record.name,
        version: record.version,
        checksum_sha256: record.checksum_sha256,
        size_bytes: record.size_bytes,
        format: record.format,
        description: record.description,
        uploaded_by: record.uploaded_by,
        created_at: record.created_at,
    }
}
