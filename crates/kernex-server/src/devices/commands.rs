//! What a heartbeat's answer tells a device to do.

use kernex_api::heartbeat::{CancelCommand, Command, ConfigureCommand, DeployCommand};
use kernex_core::{DeploymentKind, Timestamp};
use kernex_store::{HeartbeatOutcome, Order, RequestCounter};

use crate::{AppState, auth::download_url};

/// The commands for the outcome of a heartbeat: what to stop, how to be, what to carry out.
pub(super) fn derive(
    state: &AppState,
    device: &RequestCounter,
    outcome: HeartbeatOutcome,
    now: Timestamp,
) -> Vec<Command> {
    let cancels = outcome
        .cancels
        .into_iter()
        .map(|(deployment_id, attempt)| Command::Cancel(CancelCommand { deployment_id, attempt }));
    let configure = outcome.config.map(|wanted| {
        Command::Configure(ConfigureCommand { config_version: wanted.version, config: wanted.config })
    });
    let order = outcome.order.map(|order| carry_out(state, device, order, now));
    cancels.chain(configure).chain(order).collect()
}

fn carry_out(state: &AppState, device: &RequestCounter, order: Order, now: Timestamp) -> Command {
    let kind = order.kind;
    let command = deploy_command(state, device, order, now);
    match kind {
        DeploymentKind::Deploy => Command::Deploy(command),
        DeploymentKind::Rollback => Command::Rollback(command),
    }
}

/// An order with a fresh address for the bytes.
pub fn deploy_command(
    state: &AppState,
    device: &RequestCounter,
    order: Order,
    now: Timestamp,
) -> DeployCommand {
    DeployCommand {
        deployment_id: order.deployment_id,
        attempt: order.attempt,
        bundle_id: order.bundle_id,
        bundle_name: order.bundle_name,
        bundle_version: order.bundle_version,
        checksum_sha256: order.checksum_sha256,
        size_bytes: order.size_bytes,
        download_url: download_url(state, device.org_id, device.device_id, order.bundle_id, now),
        timeout_secs: state.settings().attempt_timeout_secs,
        lease_expires_at: order.lease_expires_at,
    }
}
