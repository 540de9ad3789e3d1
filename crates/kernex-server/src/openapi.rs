//! The OpenAPI document, made from the handlers, and its reference page.

use axum::{Json, Router, routing::get};
use kernex_api::BASE_PATH;
use utoipa::{
    Modify, OpenApi,
    openapi::security::{ApiKey, ApiKeyValue, HttpAuthScheme, HttpBuilder, SecurityScheme},
};
use utoipa_swagger_ui::{Config, SwaggerUi};

use crate::{AppState, policy};

#[derive(OpenApi)]
#[openapi(
    info(
        title = "Kernex",
        description = "The control plane's API. `docs/api-design.md` says how requests are signed, how lists are paged and what errors mean.",
        license(name = "MIT OR Apache-2.0", identifier = "MIT OR Apache-2.0")
    ),
    modifiers(&Credentials),
    tags(
        (name = "audit", description = "What was done and attempted, by whom"),
        (name = "auth", description = "Users and logins"),
        (name = "devices", description = "Devices: registering, heartbeats, configuration, history"),
        (name = "groups", description = "Named selectors and named lists of devices"),
        (name = "events", description = "What happened, read or watched"),
        (name = "webhooks", description = "Addresses that are told of events"),
        (name = "bundles", description = "Bundles"),
        (name = "deployments", description = "Deployments, results, rollbacks"),
        (name = "logs", description = "Logs of devices"),
        (name = "registration tokens", description = "Letting devices in without an approval"),
        (name = "system", description = "Health, statistics, metrics"),
    )
)]
struct Base;

struct Credentials;

impl Modify for Credentials {
    fn modify(&self, openapi: &mut utoipa::openapi::OpenApi) {
        let components = openapi.components.get_or_insert_default();
        let bearer = HttpBuilder::new().scheme(HttpAuthScheme::Bearer).bearer_format("JWT").build();
        components.add_security_scheme("bearer", SecurityScheme::Http(bearer));
        let cookie = ApiKeyValue::with_description(
            "__Host-kernex-session",
            "From /auth/browser-login. Requests that change something bring the header X-Kernex-CSRF, too",
        );
        components.add_security_scheme("browser_session", SecurityScheme::ApiKey(ApiKey::Cookie(cookie)));
        let signature = ApiKeyValue::with_description(
            "X-Device-Signature",
            "KERNEX-DEVICE-V1, with X-Device-ID and X-Device-Timestamp; see docs/api-design.md",
        );
        components.add_security_scheme("device", SecurityScheme::ApiKey(ApiKey::Header(signature)));
    }
}

/// The document without routes.
pub fn base() -> utoipa::openapi::OpenApi {
    Base::openapi()
}

/// The whole document, as it is committed.
pub fn document_json() -> anyhow::Result<String> {
    let mut document = crate::router::document();
    policy::describe(&mut document);
    Ok(document.to_pretty_json()?)
}

/// The document and its reference page, which loads nothing from elsewhere.
pub fn routes(document: utoipa::openapi::OpenApi) -> Router<AppState> {
    let address = format!("{BASE_PATH}/openapi.json");
    let page = SwaggerUi::new("/docs").config(Config::from(address.clone()).validator_url("none"));
    Router::new().route(&address, get(|| async { Json(document) })).merge(page)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    /// Clients are generated from the document; two operations of one name overwrite each other there.
    #[test]
    fn no_two_operations_have_the_same_id() {
        let document: serde_json::Value = serde_json::from_str(&document_json().unwrap()).unwrap();
        let paths = document["paths"].as_object().unwrap();
        let operations = paths.values().flat_map(|methods| methods.as_object().unwrap().values());
        let mut seen = BTreeSet::new();
        for id in operations.filter_map(|operation| operation["operationId"].as_str()) {
            assert!(seen.insert(id.to_owned()), "{id} stands there twice");
        }
    }
}
