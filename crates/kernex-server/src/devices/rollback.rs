//! `POST /devices/rollback`

use axum::{
    extract::State,
    response::{IntoResponse as _, Response},
};
use http::{HeaderMap, StatusCode};
use kernex_api::{
    ErrorCode, Problem,
    deployments::{CreatedRollback, RollbackDevicesRequest},
};
use kernex_core::DeploymentKind;

use crate::{
    AppState,
    auth::CurrentUser,
    deployments::service::{self, Wanted},
    error::{ApiError, ApiResult},
    extract::JsonBody,
    idempotency,
};

/// Return devices to a version that each of them ran.
#[utoipa::path(post, path = "/devices/rollback", tag = "deployments",
    operation_id = "rollback_devices", request_body = RollbackDevicesRequest, responses(
    (status = 200, body = CreatedRollback),
    (status = 400, body = Problem, content_type = "application/problem+json"),
    (status = 403, body = Problem, content_type = "application/problem+json"),
))]
pub(super) async fn rollback(
    State(state): State<AppState>,
    user: CurrentUser,
    headers: HeaderMap,
    body: JsonBody<RollbackDevicesRequest>,
) -> ApiResult<Response> {
    let what = format!("rollback\n{}", hex::encode(&body.bytes));
    let (once, before) = idempotency::begin(&state, &user, &headers, &what).await?;
    if let Some(first_answer) = before {
        return Ok(first_answer);
    }
    let request = body.value;
    let org = user.org();
    let bundle =
        service::find_by_version(&state, org, request.bundle_name.as_deref(), &request.bundle_version)
            .await?
            .ok_or_else(|| {
                let version: String = request.bundle_version.chars().take(80).collect();
                ApiError::bad_request(
                    ErrorCode::UnknownBundle,
                    format!("bundle version `{version}` not found"),
                )
            })?;
    let devices =
        service::check_targets(&state, org, "target_device_ids", &request.target_device_ids).await?;
    service::require_ran(&state, org, &devices, &bundle).await?;

    let wanted = Wanted { kind: DeploymentKind::Rollback, bundle, devices, description: None };
    let made = service::create(&state, &user, vec![wanted], once, StatusCode::OK, |made| {
        serde_json::to_value(&made[0])
    });
    Ok(made.await?.into_response())
}
