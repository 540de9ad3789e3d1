//! Selectors in requests: read, and their groups put in.

use kernex_core::{DeviceId, OrganizationId, Selector};

use crate::{
    AppState,
    auth::CurrentUser,
    error::{ApiError, ApiResult},
};

/// Reads a selector. What is wrong is said with the field's name and the column.
pub fn parse(field: &str, text: &str) -> ApiResult<Selector> {
    text.parse().map_err(|error| ApiError::invalid(format!("{field}: {error}")))
}

/// Reads a selector and puts the groups that it names in their places.
pub async fn resolved(state: &AppState, org: OrganizationId, field: &str, text: &str) -> ApiResult<Selector> {
    resolve(state, org, field, &parse(field, text)?).await
}

/// Puts the groups that a selector names in their places.
pub async fn resolve(
    state: &AppState,
    org: OrganizationId,
    field: &str,
    selector: &Selector,
) -> ApiResult<Selector> {
    let resolved = state.store().resolve_selector(org, selector).await?;
    resolved.map_err(|unknown| ApiError::invalid(format!("{field}: {unknown}")))
}

/// The devices at which a user's rights end; `None` for all.
pub async fn limit_of(state: &AppState, user: &CurrentUser) -> ApiResult<Option<Selector>> {
    let Some(text) = &user.standing().device_selector else { return Ok(None) };
    let selector: Selector = text.parse().map_err(ApiError::internal)?;
    let resolved = state.store().resolve_selector(user.org(), &selector).await?;
    // A group that is gone leaves nothing that it could mean.
    Ok(Some(resolved.unwrap_or_else(|_| Selector::from_expr(Selector::EVERYTHING.expr().clone().negated()))))
}

/// Whether a user's rights reach a device.
pub async fn reaches(state: &AppState, user: &CurrentUser, device: DeviceId) -> ApiResult<bool> {
    match limit_of(state, user).await? {
        Some(limit) => Ok(state.store().selects(user.org(), &limit, device, state.now()).await?),
        None => Ok(true),
    }
}

/// What a selector means of the devices that a user's rights reach.
pub async fn within_limit(state: &AppState, user: &CurrentUser, selector: Selector) -> ApiResult<Selector> {
    Ok(match limit_of(state, user).await? {
        Some(limit) => selector.and(limit),
        None => selector,
    })
}
