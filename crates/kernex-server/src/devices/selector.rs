//! Selectors in requests: read, and their groups put in.

use kernex_core::{OrganizationId, Selector};

use crate::{
    AppState,
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
