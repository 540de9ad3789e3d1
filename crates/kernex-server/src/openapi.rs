//! The OpenAPI document, made from the handlers, and its reference page.

use axum::{Json, Router, routing::get};
use kernex_api::{BASE_PATH, problem::PROBLEM_JSON};
use utoipa::{
    Modify, OpenApi,
    openapi::{
        ResponseBuilder,
        security::{ApiKey, ApiKeyValue, HttpAuthScheme, HttpBuilder, SecurityScheme},
    },
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

/// Adds what every operation may answer beside what its handler says: the same sentences everywhere, so that none is forgotten.
pub fn describe_shared_answers(document: &mut utoipa::openapi::OpenApi) {
    for (path, item) in &mut document.paths.paths {
        if !path.starts_with(BASE_PATH) {
            continue;
        }
        let reading =
            [&mut item.get, &mut item.head].into_iter().flatten().map(|operation| (operation, false));
        let writing = [&mut item.post, &mut item.put, &mut item.patch, &mut item.delete];
        let writing = writing.into_iter().flatten().map(|operation| (operation, true));
        for (operation, is_writing) in reading.chain(writing) {
            let takes_body = is_writing && operation.request_body.is_some();
            for (status, sentence, applies) in [
                ("400", "A parameter, header or field is wrong; `detail` names it", true),
                ("401", "The credentials are missing, wrong, expired or revoked", true),
                ("403", "Known, but not allowed to do this", true),
                ("404", "No such thing, or it belongs to another organisation", path.contains('{')),
                ("408", "The body did not arrive in time", takes_body),
                ("413", "The body is larger than allowed", takes_body),
                ("415", "The body's type is not the expected one", takes_body),
                ("429", "Too many requests; `Retry-After` says when to come back", true),
                ("500", "A fault of the server; its log has the cause under `request_id`", true),
                ("503", "A dependency does not answer; `Retry-After` says when to come back", true),
            ] {
                if applies {
                    let responses = &mut operation.responses.responses;
                    responses.entry(status.to_owned()).or_insert_with(|| problem(sentence).into());
                }
            }
        }
    }
}

fn problem(sentence: &str) -> utoipa::openapi::Response {
    let schema = utoipa::openapi::Ref::from_schema_name("Problem");
    let content = utoipa::openapi::ContentBuilder::new().schema(Some(schema)).build();
    ResponseBuilder::new().description(sentence).content(PROBLEM_JSON, content).build()
}

/// The document without routes.
pub fn base() -> utoipa::openapi::OpenApi {
    Base::openapi()
}

/// The whole document, as it is committed.
pub fn document_json() -> anyhow::Result<String> {
    let mut document = crate::router::document();
    policy::describe(&mut document);
    describe_shared_answers(&mut document);
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

    #[test]
    fn every_operation_names_the_answers_that_all_share() {
        let document: serde_json::Value = serde_json::from_str(&document_json().unwrap()).unwrap();
        for (path, methods) in document["paths"].as_object().unwrap() {
            for (method, operation) in methods.as_object().unwrap() {
                if path.starts_with(BASE_PATH) {
                    for status in ["400", "401", "403", "429", "500", "503"] {
                        assert!(operation["responses"][status].is_object(), "{method} {path} lacks {status}");
                    }
                }
            }
        }
    }

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
