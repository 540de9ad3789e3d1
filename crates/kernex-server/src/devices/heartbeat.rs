//! `POST /devices/{id}/heartbeat`

use axum::{
    Json,
    extract::{Request, State},
};
use kernex_api::{
    MAX_DEVICE_BODY_BYTES, Problem,
    heartbeat::{HeartbeatRequest, HeartbeatResponse},
};
use kernex_core::DeviceId;
use kernex_store::{HeartbeatReport, Reading, TargetProgress};

use super::{check_text, commands, lease_terms};
use crate::{
    AppState,
    auth::AnyMember,
    error::{ApiError, ApiResult},
    extract::{PathId, parse_json_object},
};

const MAX_LISTED: usize = 64;
const MAX_WORD_BYTES: usize = 64;
const MAX_SANDBOX_BYTES: usize = 256;

/// Send a heartbeat; the answer carries the commands for this device.
///
/// Commands are derived from what is desired and what was reported, so that one whose answer was lost comes again. A device that
/// waits for approval gets none. Fields that this server does not know are ignored.
#[utoipa::path(post, path = "/devices/{device_id}/heartbeat", tag = "devices", request_body = HeartbeatRequest,
    params(("device_id" = DeviceId, Path)), responses(
    (status = 200, body = HeartbeatResponse),
    (status = 400, body = Problem, content_type = "application/problem+json"),
    (status = 401, body = Problem, content_type = "application/problem+json"),
    (status = 403, body = Problem, content_type = "application/problem+json"),
    (status = 413, body = Problem, content_type = "application/problem+json"),
    (status = 503, body = Problem, content_type = "application/problem+json"),
))]
pub(super) async fn heartbeat(
    State(state): State<AppState>,
    PathId(id): PathId<DeviceId>,
    request: Request,
) -> ApiResult<Json<HeartbeatResponse>> {
    let (device, bytes) = AnyMember::from_request(request, &state, MAX_DEVICE_BODY_BYTES).await?;
    device.require_own(id)?;
    let report = report(parse_json_object(&bytes)?)?;
    let now = state.now();
    let outcome = state.store().record_heartbeat(&device.counter, &report, lease_terms(&state), now).await?;
    state.telemetry().count_heartbeat(now);
    Ok(Json(HeartbeatResponse {
        next_heartbeat_secs: outcome.polling_interval,
        commands: commands::derive(&state, &device.counter, outcome, now),
        server_time: now,
    }))
}

fn report(request: HeartbeatRequest) -> ApiResult<HeartbeatReport> {
    check_numbers(&request)?;
    check_text("agent_version", &request.agent_version, MAX_WORD_BYTES)?;
    check_text("boot_id", request.boot_id.as_deref().unwrap_or(""), MAX_WORD_BYTES)?;
    let (bundles, targets) = (request.bundles, request.targets.unwrap_or_default());
    let metrics = request.metrics.unwrap_or_default();
    check_length("bundles", bundles.as_ref().map_or(0, Vec::len))?;
    check_length("targets", targets.len())?;
    check_length("metrics", metrics.len())?;
    for name in metrics.keys() {
        check_text("the name of a metric", name, MAX_WORD_BYTES)?;
    }
    let sandbox = request.sandbox.unwrap_or_default();
    check_length("sandbox", sandbox.len())?;
    for (name, text) in &sandbox {
        check_text("the name in sandbox", name, MAX_WORD_BYTES)?;
        check_text(&format!("sandbox: {name}"), text, MAX_SANDBOX_BYTES)?;
    }
    let bundles = bundles.map(|bundles| {
        let mut pairs: Vec<_> = bundles.into_iter().map(|bundle| (bundle.name, bundle.version)).collect();
        pairs.sort_by(|one, two| one.0.cmp(&two.0));
        pairs
    });
    let progress = |target: kernex_api::heartbeat::TargetReport| TargetProgress {
        deployment_id: target.deployment_id,
        attempt: target.attempt,
        state: target.state,
        progress_pct: target.progress_pct.map(|pct| pct.clamp(0.0, 100.0)),
    };
    Ok(HeartbeatReport {
        reading: Reading {
            status: request.status,
            cpu_pct: request.cpu_pct,
            memory_mb: request.memory_mb,
            memory_total_mb: request.memory_total_mb,
            disk_free_mb: request.disk_free_mb,
            disk_total_mb: request.disk_total_mb,
            uptime_secs: request.uptime_secs,
            agent_version: request.agent_version,
            metrics,
            sandbox,
        },
        boot_id: request.boot_id,
        config_version: request.config_version.unwrap_or(1),
        bundles,
        targets: targets.into_iter().map(progress).collect(),
    })
}

fn check_numbers(request: &HeartbeatRequest) -> ApiResult<()> {
    let numbers = [
        ("cpu_pct", Some(request.cpu_pct)),
        ("memory_mb", Some(request.memory_mb)),
        ("memory_total_mb", request.memory_total_mb),
        ("disk_free_mb", request.disk_free_mb),
        ("disk_total_mb", request.disk_total_mb),
        ("uptime_secs", request.uptime_secs),
    ];
    match numbers.into_iter().find(|(_, number)| number.is_some_and(|number| number < 0.0)) {
        Some((name, _)) => Err(ApiError::invalid(format!("{name} must not be negative"))),
        None => Ok(()),
    }
}

fn check_length(name: &str, length: usize) -> ApiResult<()> {
    if length > MAX_LISTED {
        return Err(ApiError::invalid(format!("{name}: at most {MAX_LISTED} are allowed, not {length}")));
    }
    Ok(())
}
