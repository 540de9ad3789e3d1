//! Following a deployment until it has ended: what is asked, how often, and what is said at the end.

mod bars;
mod lines;
mod screen;
mod stage;
pub(crate) mod summary;

use std::{collections::HashMap, time::Duration};

use anyhow::{Context as _, Result};
use kernex_api::deployments::{DeploymentDetail, Target};
use kernex_client::{Error, OperatorClient, TargetQuery};
use kernex_core::{DeploymentId, DeploymentStatus, DeviceId, TargetState};
use tokio::time::{Instant, sleep};

use crate::{context::Context, exit_code::ExitCode, failure::Failure, output};
use screen::Screen;

/// Deployments with more devices are shown as totals: more lines than a terminal has help nobody.
const MAX_LINES: u64 = 20;
/// How often the control plane is asked.
const POLL_INTERVAL: Duration = Duration::from_secs(1);
/// Polls in a row that may fail; with the pauses growing to five seconds this is about a minute and a half.
const MAX_FAILED_POLLS: u32 = 20;

/// A deployment at one moment; without targets when there are too many.
pub(crate) struct Snapshot {
    pub(crate) detail: DeploymentDetail,
    pub(crate) targets: Vec<Target>,
}

/// Display names of devices that have one.
pub(crate) type Names = HashMap<DeviceId, String>;

/// Follows a deployment, shows how it ended, and fails unless it succeeded.
pub(crate) async fn until_success(
    context: &Context,
    client: &OperatorClient,
    id: DeploymentId,
    limit: Option<Duration>,
) -> Result<()> {
    output::say(&format!("Waiting for deployment {id}."));
    let deadline = limit.map(|limit| Instant::now() + limit);
    let mut failed_polls = 0;
    let Some(first) = before(deadline, poll_patiently(client, id, &mut failed_polls, &output::say)).await?
    else {
        return Err(timed_out(id, limit));
    };
    let names = names(client, &first.detail).await;
    let last = follow(client, first, &names, deadline).await?;
    if !last.detail.deployment.status.is_final() {
        output::say(&summary::render(&last.detail, &last.targets, &names, None));
        return Err(timed_out(id, limit));
    }
    let targets = match last.targets.is_empty() {
        true => unsuccessful(client, &last.detail).await,
        false => last.targets,
    };
    context.show(&last.detail, || summary::render(&last.detail, &targets, &names, None))?;
    check_success(&last.detail)
}

fn check_success(detail: &DeploymentDetail) -> Result<()> {
    let deployment = &detail.deployment;
    if deployment.status == DeploymentStatus::Success {
        return Ok(());
    }
    let mut message = format!("deployment {} ended as {}", deployment.deployment_id, deployment.status);
    if let Some(reason) = &deployment.error_message {
        message.push_str(&format!(": {reason}"));
    }
    let hint = "`kernex device logs DEVICE` shows what a device said about it";
    Err(Failure::new(ExitCode::DeploymentFailed, message).hint(hint).into())
}

/// Shows every change until the deployment has ended or the time is up; gives the last state that is known.
async fn follow(
    client: &OperatorClient,
    first: Snapshot,
    names: &Names,
    deadline: Option<Instant>,
) -> Result<Snapshot> {
    let id = first.detail.deployment.deployment_id;
    let mut screen = Screen::new(output::is_watched(), first.detail.deployment.progress.total <= MAX_LINES);
    let mut snapshot = first;
    let mut failed_polls = 0;
    loop {
        screen.update(&snapshot, names);
        if snapshot.detail.deployment.status.is_final() {
            return Ok(snapshot);
        }
        let next = async {
            sleep(POLL_INTERVAL).await;
            poll_patiently(client, id, &mut failed_polls, &|text| screen.note(text)).await
        };
        match before(deadline, next).await? {
            Some(next) => snapshot = next,
            None => return Ok(snapshot),
        }
    }
}

/// What comes before the deadline, if anything does.
async fn before<T>(deadline: Option<Instant>, work: impl Future<Output = Result<T>>) -> Result<Option<T>> {
    match deadline {
        None => work.await.map(Some),
        Some(deadline) => tokio::time::timeout_at(deadline, work).await.ok().transpose(),
    }
}

fn timed_out(id: DeploymentId, limit: Option<Duration>) -> anyhow::Error {
    let limit = output::text::duration(limit.unwrap_or_default().as_secs_f64());
    Failure::new(ExitCode::WaitTimedOut, format!("deployment {id} had not ended after {limit}; it goes on"))
        .hint(format!(
            "`kernex deployment watch {id}` waits on, `kernex deployment rollback {id}` takes it back"
        ))
        .into()
}

/// Asks until there is an answer; an interrupted network is waited for, up to a limit.
async fn poll_patiently(
    client: &OperatorClient,
    id: DeploymentId,
    failed: &mut u32,
    note: &dyn Fn(&str),
) -> Result<Snapshot> {
    loop {
        match poll(client, id).await {
            Ok(snapshot) => {
                *failed = 0;
                return Ok(snapshot);
            }
            Err(error) if is_passing(&error) && *failed < MAX_FAILED_POLLS => {
                *failed += 1;
                if *failed == 1 {
                    note(&format!("{}; trying again", output::text::printable(&error.to_string())));
                }
                sleep(POLL_INTERVAL.saturating_mul(*failed).min(Duration::from_secs(5))).await;
            }
            Err(error) => return Err(error).context("the deployment cannot be followed, but goes on"),
        }
    }
}

async fn poll(client: &OperatorClient, id: DeploymentId) -> Result<Snapshot, Error> {
    let detail = client.get_deployment(id).await?;
    let is_small = detail.deployment.progress.total <= MAX_LINES;
    let targets = if is_small { client.all_targets(id).await? } else { Vec::new() };
    Ok(Snapshot { detail, targets })
}

/// Whether trying again may help.
fn is_passing(error: &Error) -> bool {
    matches!(error, Error::Unreachable { .. } | Error::TimedOut { .. })
        || matches!(error.status(), Some(429 | 502 | 503 | 504))
}

/// The names of a small deployment's devices.
pub(crate) async fn names(client: &OperatorClient, detail: &DeploymentDetail) -> Names {
    let mut names = Names::new();
    if detail.deployment.progress.total <= MAX_LINES {
        for id in &detail.target_devices {
            // Names are a courtesy: without them ids are shown.
            if let Ok(device) = client.get_device(*id).await {
                names.extend(device.display_name.map(|name| (*id, name)));
            }
        }
    }
    names
}

/// The targets of a large deployment that did not succeed, a page of each kind; without them the totals have to do.
async fn unsuccessful(client: &OperatorClient, detail: &DeploymentDetail) -> Vec<Target> {
    let mut targets = Vec::new();
    if detail.deployment.status == DeploymentStatus::Success {
        return targets;
    }
    for state in TargetState::ALL.iter().filter(|state| state.is_final() && **state != TargetState::Success) {
        let query = TargetQuery { state: Some(state.to_string()), ..TargetQuery::default() };
        if let Ok(page) = client.list_targets(detail.deployment.deployment_id, &query).await {
            targets.extend(page.targets);
        }
    }
    targets
}

/// Samples for the tests of what is shown.
#[cfg(test)]
mod samples {
    use super::*;

    pub(super) const DEVICE: &str = "0199aaaa-0000-7000-8000-00000000000";

    pub(super) fn target(number: u8, state: &str, pct: Option<f64>) -> Target {
        let json = serde_json::json!({
            "device_id": format!("{DEVICE}{number}"), "state": state, "attempt": 1, "progress_pct": pct,
            "delivered_at": null, "started_at": null, "updated_at": "2026-01-01T00:00:00Z", "completed_at": null,
            "lease_expires_at": null, "duration_secs": 4.25, "error_code": null, "error_message": null,
        });
        serde_json::from_value(json).unwrap()
    }

    pub(super) fn detail(status: &str, total: u64, success: u64, failed: u64) -> DeploymentDetail {
        let json = serde_json::json!({
            "deployment_id": "0199bbbb-0000-7000-8000-000000000001", "kind": "deploy",
            "bundle_id": "0199cccc-0000-7000-8000-000000000001", "bundle_name": "detector",
            "bundle_version": "1.2.0", "status": status,
            "progress": {"total": total, "pending": 0, "in_progress": total - success - failed,
                "success": success, "failed": failed, "rolled_back": 0, "cancelled": 0},
            "description": null, "error_message": null, "created_by": "ada",
            "created_at": "2026-01-01T00:00:00Z", "completed_at": null, "target_devices": [],
        });
        serde_json::from_value(json).unwrap()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_success_is_success() {
        for status in DeploymentStatus::ALL {
            let result = check_success(&samples::detail(status.as_str(), 1, 0, 0));
            match status {
                DeploymentStatus::Success => assert!(result.is_ok()),
                _ => {
                    let failure = Failure::explain(&result.unwrap_err(), None);
                    assert_eq!(failure.exit_code(), ExitCode::DeploymentFailed, "{status}");
                }
            }
        }
    }

    #[test]
    fn a_broken_network_is_waited_for_and_a_refusal_is_not() {
        let address = "http://kx".to_owned();
        assert!(is_passing(&Error::TimedOut { address: address.clone() }));
        let unexpected =
            |status| Error::Unexpected { address: address.clone(), status, reason: String::new() };
        assert!(is_passing(&unexpected(503)));
        assert!(!is_passing(&unexpected(404)));
    }
}
