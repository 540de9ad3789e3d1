//! `POST /devices/approve`, `POST /devices/decommission`: every device that a selector means.

use axum::{Json, extract::State};
use kernex_api::{
    Problem,
    tags::{BulkMembershipChanged, BulkMembershipRequest},
};
use kernex_core::{DeviceStatus, Membership, Selector};

use super::{selector, tags::require_confirmation};
use crate::{AppState, auth::CurrentUser, error::ApiResult, extract::JsonBody};

/// Devices that are changed in one transaction.
const CHUNK: u32 = 500;

/// Let in every waiting device that a selector means.
#[utoipa::path(post, path = "/devices/approve", operation_id = "approve_devices", tag = "devices",
    request_body = BulkMembershipRequest, security(("bearer" = [])), responses(
    (status = 200, body = BulkMembershipChanged),
    (status = 400, body = Problem, content_type = "application/problem+json"),
    (status = 403, body = Problem, content_type = "application/problem+json"),
    (status = 409, body = Problem, content_type = "application/problem+json"),
))]
pub(super) async fn approve(
    State(state): State<AppState>,
    user: CurrentUser,
    body: JsonBody<BulkMembershipRequest>,
) -> ApiResult<Json<BulkMembershipChanged>> {
    let waiting = Selector::status(DeviceStatus::PendingApproval);
    change(&state, &user, body.value, waiting, &[Membership::PendingApproval], Membership::Active).await
}

/// Let every device go for good that a selector means.
#[utoipa::path(post, path = "/devices/decommission", operation_id = "decommission_devices", tag = "devices",
    request_body = BulkMembershipRequest, security(("bearer" = [])), responses(
    (status = 200, body = BulkMembershipChanged),
    (status = 400, body = Problem, content_type = "application/problem+json"),
    (status = 403, body = Problem, content_type = "application/problem+json"),
    (status = 409, body = Problem, content_type = "application/problem+json"),
))]
pub(super) async fn decommission(
    State(state): State<AppState>,
    user: CurrentUser,
    body: JsonBody<BulkMembershipRequest>,
) -> ApiResult<Json<BulkMembershipChanged>> {
    let gone = Selector::status(DeviceStatus::Decommissioned);
    let there = Selector::from_expr(gone.expr().clone().negated());
    let from = [Membership::PendingApproval, Membership::Active];
    change(&state, &user, body.value, there, &from, Membership::Decommissioned).await
}

async fn change(
    state: &AppState,
    user: &CurrentUser,
    request: BulkMembershipRequest,
    only: Selector,
    from: &[Membership],
    to: Membership,
) -> ApiResult<Json<BulkMembershipChanged>> {
    let (org, store) = (user.org(), state.store());
    let selected = selector::resolved(state, org, "selector", &request.selector).await?.and(only);
    let selected = selector::within_limit(state, user, selected).await?;
    let dry_run = request.dry_run;
    if dry_run {
        let changed = store.count_matching(org, &selected, state.now()).await?;
        return Ok(Json(BulkMembershipChanged { changed, dry_run }));
    }
    require_confirmation(state, user, &selected, request.confirm_devices).await?;
    // In order of id, so that a device whose answer the change itself moves is not met twice.
    let (mut changed, mut after, now) = (0, None, state.now());
    loop {
        let ids = store.list_matching_ids(org, &selected, after, CHUNK, now).await?;
        let Some(last) = ids.last() else { break };
        after = Some(*last);
        for id in ids {
            let before = store.change_membership(org, id, from, to, user.name(), now).await?;
            changed += u64::from(before.is_some_and(|before| from.contains(&before)));
        }
    }
    tracing::info!(devices = changed, to = %to, user.id = %user.user().id, "memberships changed");
    Ok(Json(BulkMembershipChanged { changed, dry_run }))
}
