//! `POST /deployments`

use axum::{extract::State, response::Response};
use http::{HeaderMap, StatusCode};
use kernex_api::{
    ErrorCode, Problem,
    deployments::{CreateDeploymentRequest, CreatedDeployment},
};
use kernex_core::{BundleId, DeploymentKind, OrganizationId};
use kernex_store::BundleRecord;

use super::service::{self, Wanted};
use crate::{
    AppState,
    auth::CurrentUser,
    devices::check_text,
    error::{ApiError, ApiResult},
    extract::JsonBody,
    idempotency,
};

const MAX_DESCRIPTION_BYTES: usize = 1_000;

/// Deploy a bundle to listed devices. A second deployment to the same device waits until the first has ended there.
#[utoipa::path(post, path = "/deployments", operation_id = "create_deployment", tag = "deployments",
    request_body = CreateDeploymentRequest, responses(
    (status = 201, body = CreatedDeployment),
    (status = 400, body = Problem, content_type = "application/problem+json"),
    (status = 403, body = Problem, content_type = "application/problem+json"),
    (status = 404, body = Problem, content_type = "application/problem+json"),
    (status = 409, body = Problem, content_type = "application/problem+json"),
))]
pub(super) async fn create(
    State(state): State<AppState>,
    user: CurrentUser,
    headers: HeaderMap,
    body: JsonBody<CreateDeploymentRequest>,
) -> ApiResult<Response> {
    let what = format!("deploy\n{}", hex::encode(&body.bytes));
    let (once, before) = idempotency::begin(&state, &user, &headers, &what).await?;
    if let Some(first_answer) = before {
        return Ok(first_answer);
    }
    let request = body.value;
    if let Some(description) = &request.description {
        check_text("description", description, MAX_DESCRIPTION_BYTES)?;
    }
    let bundle = find_bundle(&state, user.org(), &request).await?;
    let devices =
        service::check_targets(&state, user.org(), "target_devices", &request.target_devices).await?;
    let wanted = Wanted { kind: DeploymentKind::Deploy, bundle, devices, description: request.description };
    service::create(&state, &user, vec![wanted], once, StatusCode::CREATED, |made| {
        let made = &made[0];
        serde_json::to_value(CreatedDeployment { deployment_id: made.deployment_id, status: made.status })
    })
    .await
}

async fn find_bundle(
    state: &AppState,
    org: OrganizationId,
    request: &CreateDeploymentRequest,
) -> ApiResult<BundleRecord> {
    match (&request.bundle_id, &request.bundle_version) {
        (Some(id), version) => {
            let found = match id.parse::<BundleId>() {
                Ok(id) => state.store().find_bundle(org, id).await?,
                Err(_) => None,
            };
            let bundle = found.ok_or_else(|| ApiError::not_found("bundle", id))?;
            let agrees = version.as_ref().is_none_or(|version| version == bundle.version.as_str())
                && request.bundle_name.as_ref().is_none_or(|name| name == bundle.name.as_str());
            let detail = "bundle_version or bundle_name is not that of the bundle that bundle_id names";
            if agrees { Ok(bundle) } else { Err(ApiError::bad_request(ErrorCode::InvalidRequest, detail)) }
        }
        (None, Some(version)) => {
            let name = request.bundle_name.as_deref();
            service::find_by_version(state, org, name, version).await?.ok_or_else(|| {
                ApiError::not_found("bundle", format!("{}@{version}", name.unwrap_or("default")))
            })
        }
        (None, None) => {
            Err(ApiError::invalid("bundle_id or bundle_version is missing; one of them names the bundle"))
        }
    }
}
