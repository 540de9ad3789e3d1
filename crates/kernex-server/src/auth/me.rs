//! `GET /auth/me`

use axum::{Json, extract::State};
use kernex_api::{
    Problem,
    auth::{CredentialKind, Me, OrganizationOfUser},
};
use kernex_store::SessionKind;

use super::{Credential, CurrentUser};
use crate::{AppState, error::ApiResult};

/// Who is asking, and what they may do.
#[utoipa::path(get, path = "/auth/me", tag = "auth", responses(
    (status = 200, body = Me),
    (status = 401, body = Problem, content_type = "application/problem+json"),
))]
pub(super) async fn me(State(state): State<AppState>, user: CurrentUser) -> ApiResult<Json<Me>> {
    Ok(Json(of(&state, &user).await?))
}

/// A user as they see themselves.
pub(super) async fn of(state: &AppState, user: &CurrentUser) -> ApiResult<Me> {
    let (account, standing) = (user.user(), user.standing());
    let organizations = state.store().organizations_of(account.id).await?;
    Ok(Me {
        id: account.id,
        username: account.username.clone(),
        email: account.email.clone(),
        role: standing.role,
        org_id: standing.org_id,
        device_selector: standing.device_selector.clone(),
        permissions: user.permissions().iter().collect(),
        credential: match user.credential() {
            Credential::ApiKey(_) => CredentialKind::ApiKey,
            Credential::Session(session) if session.kind == SessionKind::Browser => {
                CredentialKind::BrowserSession
            }
            Credential::Session(_) => CredentialKind::AccessToken,
        },
        organizations: organizations
            .into_iter()
            .map(|found| OrganizationOfUser {
                id: found.standing.org_id,
                name: found.name,
                role: found.standing.role,
                device_selector: found.standing.device_selector,
            })
            .collect(),
        installation_admin: account.installation_admin,
        second_factor: account.totp_enabled_at.is_some(),
        must_change_password: account.must_change_password,
        created_at: account.created_at,
    })
}
