//! Every route.

use axum::{Router, extract::DefaultBodyLimit, middleware};
use kernex_api::BASE_PATH;
use utoipa_axum::router::OpenApiRouter;

use crate::{
    AppState, audit, auth, bundles, dashboard, deployments, devices, events, groups, lingering, logs,
    openapi, policy, registration_tokens, system, telemetry, webhooks,
};

/// The API under its base path, with its document.
pub fn api() -> OpenApiRouter<AppState> {
    let versioned = OpenApiRouter::new()
        .merge(audit::routes())
        .merge(auth::routes())
        .merge(devices::routes())
        .merge(bundles::routes())
        .merge(deployments::routes())
        .merge(events::routes())
        .merge(groups::routes())
        .merge(webhooks::routes())
        .merge(logs::routes())
        .merge(registration_tokens::routes())
        .merge(system::api_routes());
    OpenApiRouter::with_openapi(openapi::base()).nest(BASE_PATH, versioned).merge(system::root_routes())
}

/// The API's document, without what `policy.rs` adds to it.
pub fn document() -> utoipa::openapi::OpenApi {
    api().split_for_parts().1
}

/// Everything that the control plane serves.
pub fn router(state: AppState) -> Router {
    let (api, mut document) = api().split_for_parts();
    policy::describe(&mut document);
    openapi::describe_shared_answers(&mut document);
    let api = api.layer(middleware::from_fn_with_state(state.clone(), auth::check));
    dashboard::routes(api.merge(openapi::routes(document)))
        // Every handler that reads a body has a limit of its own; the framework's would cut uploads off at 2 MB.
        .layer(DefaultBodyLimit::disable())
        .layer(middleware::from_fn(lingering::read_what_is_left))
        .layer(middleware::from_fn_with_state(state.clone(), telemetry::around_request))
        .with_state(state)
}
