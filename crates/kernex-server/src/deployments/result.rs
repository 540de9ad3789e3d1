//! `POST /deployments/{id}/result`

use axum::{Json, extract::State};
use kernex_api::{
    ErrorCode, MAX_ERROR_MESSAGE_BYTES, Problem,
    deployments::{ResultRequest, ResultResponse},
};
use kernex_core::DeploymentId;
use kernex_store::{OutcomeOfResult, TargetFailure, TargetResult};

use crate::{
    AppState,
    auth::Signed,
    error::{ApiError, ApiResult},
    extract::PathId,
};

/// Report how a deployment ended on a device.
///
/// To be sent until it is acknowledged; repeating it changes nothing. A result that differs from the one recorded is refused
/// with 409, and need not be sent again.
#[utoipa::path(post, path = "/deployments/{deployment_id}/result", tag = "deployments", request_body = ResultRequest,
    params(("deployment_id" = DeploymentId, Path)), responses(
    (status = 200, body = ResultResponse),
    (status = 400, body = Problem, content_type = "application/problem+json"),
    (status = 401, body = Problem, content_type = "application/problem+json"),
    (status = 403, body = Problem, content_type = "application/problem+json"),
    (status = 404, body = Problem, content_type = "application/problem+json"),
    (status = 409, body = Problem, content_type = "application/problem+json"),
))]
pub(super) async fn result(
    State(state): State<AppState>,
    PathId(id): PathId<DeploymentId>,
    signed: Signed<ResultRequest>,
) -> ApiResult<Json<ResultResponse>> {
    let request = signed.body;
    signed.device.require_own(request.device_id)?;
    if request.duration_secs.is_some_and(|secs| secs < 0.0) {
        return Err(ApiError::invalid("duration_secs must not be negative"));
    }
    let message = request.error_message.map(|message| {
        let mut message = message.replace('\0', "\u{fffd}");
        message.truncate(message.floor_char_boundary(MAX_ERROR_MESSAGE_BYTES));
        message
    });
    let reported = TargetResult {
        attempt: request.attempt,
        status: request.status,
        failure: TargetFailure { code: request.error_code, message },
        duration_secs: request.duration_secs,
    };
    let outcome = state.store().report_result(&signed.device.counter, id, &reported, state.now()).await?;
    let target_state = judge(outcome, id)?;
    tracing::info!(deployment.id = %id, device.id = %request.device_id, target.state = %target_state,
        error.code = request.error_code.map(kernex_core::FailureCode::as_str), "result recorded");
    state.telemetry().counter("kernex_results_total", &[("status", request.status.as_str())]).increment(1);
    Ok(Json(ResultResponse { deployment_id: id, device_id: request.device_id, state: target_state }))
}

fn judge(outcome: OutcomeOfResult, id: DeploymentId) -> ApiResult<kernex_core::TargetState> {
    match outcome {
        OutcomeOfResult::Recorded(state) => Ok(state),
        OutcomeOfResult::UnknownDeployment => Err(ApiError::not_found("deployment", id)),
        OutcomeOfResult::NotATarget => {
            Err(ApiError::forbidden(ErrorCode::NotATarget, "the device is not a target of this deployment"))
        }
        OutcomeOfResult::AttemptNotGiven(last) => {
            Err(ApiError::invalid(format!("attempt has not been given yet; the last one is {last}")))
        }
        OutcomeOfResult::Differs(state) => Err(ApiError::conflict(format!(
            "the target has ended as {state} already; the result was not recorded"
        ))),
    }
}
