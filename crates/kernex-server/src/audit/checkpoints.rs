//! `GET /audit/checkpoints`

use axum::{Json, extract::State};
use kernex_api::{
    Problem,
    audit::{AuditCheckpoints, AuditPublicKey, ChainEnd},
};
use kernex_core::audit::FIRST_PREVIOUS_HASH;

use crate::{
    AppState,
    auth::CurrentUser,
    error::ApiResult,
    extract::QueryParams,
    pagination::{PageParams, cursor, next_cursor, page_limit},
};

/// List the checkpoints that were signed over the chain's end each hour, oldest first, with the chain's present end and this
/// server's public key.
///
/// Whoever verifies keeps the public key, and checkpoints of their own, where this server cannot change them.
#[utoipa::path(get, path = "/audit/checkpoints", operation_id = "list_audit_checkpoints", tag = "audit", params(PageParams), responses(
    (status = 200, body = AuditCheckpoints),
    (status = 400, body = Problem, content_type = "application/problem+json"),
    (status = 401, body = Problem, content_type = "application/problem+json"),
    (status = 403, body = Problem, content_type = "application/problem+json"),
))]
pub(super) async fn checkpoints(
    State(state): State<AppState>,
    user: CurrentUser,
    QueryParams(params): QueryParams<PageParams>,
) -> ApiResult<Json<AuditCheckpoints>> {
    let limit = page_limit(params.limit)?;
    let after: u64 = cursor(params.cursor.as_deref())?.unwrap_or(0);
    // The end first: checkpoints that come in between are not beyond it, and a record that does is no fault.
    let head = state.store().find_audit_head(user.org()).await?;
    let after = after.min(i64::MAX as u64);
    let checkpoints = state.store().list_audit_checkpoints(user.org(), after, limit).await?;
    let next_cursor = next_cursor(&checkpoints, limit, |checkpoint| checkpoint.sequence);
    let signer = state.secrets().audit_signer();
    let end = |sequence, hash| ChainEnd { sequence, hash };
    let nothing = || end(0, FIRST_PREVIOUS_HASH.to_owned());
    Ok(Json(AuditCheckpoints {
        end: head.as_ref().map_or_else(nothing, |head| end(head.sequence, head.hash.clone())),
        archived: head.map_or_else(nothing, |head| end(head.archived_sequence, head.archived_hash)),
        checkpoints,
        public_keys: vec![AuditPublicKey {
            key_id: signer.public_key().fingerprint(),
            public_key_pem: signer.public_key_pem().to_owned(),
        }],
        next_cursor,
    }))
}
