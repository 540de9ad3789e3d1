//! What an event makes of the state, and which effects follow. Pure: no disk, no network, no clock.
//!
//! The caller saves the new state before it acts on the effects, and every effect may be repeated: after a power cut
//! [`Event::Started`] and [`Event::Resumed`] bring back those that a saved state still owes. The table of what a restart does in which state
//! stands in `docs/agent.md`.

mod configure;
#[cfg(test)]
mod crash_matrix;
#[cfg(test)]
mod tests;

use kernex_core::{BundleName, DeploymentId, DeviceConfig, FailureCode, ResultStatus, Timestamp};

use crate::self_update::is_agent;
use crate::state::{AgentState, Attempt, Failure, Order, Phase, Report};

/// An attempt that is interrupted more often than this is given up: something in it may be what restarts the device.
pub const MAX_RESTARTS: u32 = 5;

/// An agent that replaces itself restarts by design: for each start on trial, and to return.
const RESTARTS_OF_SELF_UPDATE: u32 = 5;

/// Something happened.
#[derive(Clone, Debug, PartialEq)]
pub enum Event {
    /// The agent started, with the state that was saved last. Changes nothing of it, so that what is installed runs also
    /// when the disk takes nothing any more.
    Started,
    /// What is installed runs again: the attempt in work goes on.
    Resumed,
    /// The control plane wants a bundle installed.
    Ordered(Box<Order>),
    /// The control plane does not want a deployment any more.
    Cancelled {
        /// Which.
        deployment_id: DeploymentId,
    },
    /// A phase's work is done.
    Completed {
        /// For which deployment.
        deployment_id: DeploymentId,
        /// Which phase.
        phase: Phase,
    },
    /// There is nothing to download: the release is on the disk, complete.
    FoundStaged {
        /// For which deployment.
        deployment_id: DeploymentId,
    },
    /// Another agent has to go on with the attempt.
    HandOver {
        /// For which deployment.
        deployment_id: DeploymentId,
    },
    /// A phase's work failed.
    Failed {
        /// For which deployment.
        deployment_id: DeploymentId,
        /// Which phase.
        phase: Phase,
        /// Why.
        failure: Failure,
    },
    /// A report was acknowledged, or refused for good.
    Acknowledged {
        /// Which.
        seq: u64,
    },
    /// The control plane sent a configuration; it has been checked.
    Configured {
        /// Its version.
        version: u64,
        /// The values.
        config: Box<DeviceConfig>,
        /// The interval between heartbeats that it replaces, seconds.
        present_interval_secs: u32,
    },
    /// A workload crashed too often soon after the switch to it.
    CrashLooped {
        /// Of which bundle.
        bundle_name: BundleName,
        /// The release's digest.
        digest: String,
        /// How it crashed.
        message: String,
    },
    /// The control plane answered a heartbeat that went by a version of the configuration.
    Contacted {
        /// The version.
        config_version: u64,
    },
    /// A configuration is on trial, and time passed without an answer.
    WithoutContact {
        /// How much, milliseconds.
        millis: u64,
        /// The present.
        now: Timestamp,
    },
}

/// Something to do.
#[derive(Clone, Debug, PartialEq)]
pub enum Effect {
    /// End the running work, and wait until it has ended.
    StopWork,
    /// Do the work of the attempt's phase.
    Work(Phase),
    /// Put a report into the outbox, unless it is there.
    WriteReport(Report),
    /// Take a report out of the outbox.
    DeleteReport(u64),
    /// Remove what an attempt left in staging, and releases that nothing needs.
    CleanUp {
        /// Of which deployment.
        deployment_id: DeploymentId,
    },
    /// See that links agree with the state and that workloads run, except for a bundle that is being worked on.
    Restore {
        /// The exception.
        except: Option<BundleName>,
    },
    /// Switch to what is in use by the state, in place of what runs.
    Return {
        /// Of which bundle.
        bundle_name: BundleName,
    },
    /// Go by the configuration.
    ApplyConfig,
    /// End, and let the launcher start the agent that has to go on.
    HandOver,
    /// Say that a configuration was taken back.
    SayConfigReturned {
        /// Which version.
        version: u64,
    },
}

/// The next state, and what to do once it is saved.
pub fn step(mut state: AgentState, event: Event) -> (AgentState, Vec<Effect>) {
    let effects = match event {
        Event::Started => start(&state),
        Event::Resumed => resume(&mut state),
        Event::Ordered(order) => take_order(&mut state, *order),
        Event::Cancelled { deployment_id } => cancel(&mut state, deployment_id),
        Event::Completed { deployment_id, phase } => match in_phase(&state, deployment_id, phase) {
            true => advance(&mut state, phase),
            false => Vec::new(),
        },
        Event::FoundStaged { deployment_id } => match in_phase(&state, deployment_id, Phase::Downloading) {
            true => enter(&mut state, Phase::Activating),
            false => Vec::new(),
        },
        Event::HandOver { deployment_id } => {
            let is_it = |phase| in_phase(&state, deployment_id, phase);
            match is_it(Phase::Checking) || is_it(Phase::RollingBack) {
                true => vec![Effect::HandOver],
                false => Vec::new(),
            }
        }
        Event::Failed { deployment_id, phase, failure } => match in_phase(&state, deployment_id, phase) {
            true => fail(&mut state, failure),
            false => Vec::new(),
        },
        Event::Acknowledged { seq } => {
            state.reports.retain(|report| report.seq != seq);
            vec![Effect::DeleteReport(seq)]
        }
        Event::Configured { version, config, present_interval_secs } => {
            configure::take(&mut state, version, *config, present_interval_secs)
        }
        Event::CrashLooped { bundle_name, digest, message } => {
            give_up(&mut state, bundle_name, &digest, message)
        }
        Event::Contacted { config_version } => configure::confirm(&mut state, config_version),
        Event::WithoutContact { millis, now } => configure::wait(&mut state, millis, now),
    };
    (state, effects)
}

fn in_phase(state: &AgentState, deployment_id: DeploymentId, phase: Phase) -> bool {
    let is_it = |attempt: &Attempt| attempt.deployment_id == deployment_id && attempt.phase == phase;
    state.attempt.as_ref().is_some_and(is_it)
}

fn start(state: &AgentState) -> Vec<Effect> {
    let mut effects = vec![Effect::ApplyConfig];
    effects.extend(state.reports.iter().cloned().map(Effect::WriteReport));
    let touched = state.attempt.as_ref().filter(|attempt| attempt.phase.has_switched());
    effects.push(Effect::Restore { except: touched.map(|attempt| attempt.bundle_name.clone()) });
    effects
}

/// What a restart does with the attempt in work.
fn resume(state: &mut AgentState) -> Vec<Effect> {
    let Some(attempt) = &mut state.attempt else { return Vec::new() };
    attempt.restarts = attempt.restarts.saturating_add(1);
    let phase = attempt.phase;
    let allowed = MAX_RESTARTS + if is_agent(&attempt.bundle_name) { RESTARTS_OF_SELF_UPDATE } else { 0 };
    if attempt.restarts > allowed && phase != Phase::RollingBack {
        let message = format!(
            "interrupted {} times by restarts, last while {}",
            attempt.restarts,
            phase.target_state()
        );
        return fail(state, Failure::new(FailureCode::PowerLoss, message));
    }
    match phase {
        Phase::Downloading | Phase::Verifying | Phase::Staging => enter(state, Phase::Downloading),
        Phase::Activating | Phase::Checking | Phase::RollingBack => enter(state, phase),
    }
}

fn take_order(state: &mut AgentState, order: Order) -> Vec<Effect> {
    match &mut state.attempt {
        Some(attempt) if attempt.deployment_id == order.deployment_id => continue_order(attempt, order),
        // One activation at a time: the control plane sends the command again after the next heartbeat.
        Some(_) => Vec::new(),
        None => match state.reports.iter_mut().find(|report| report.deployment_id == order.deployment_id) {
            Some(report) if report.attempt >= order.attempt => Vec::new(),
            Some(report) if report.status == ResultStatus::Success => {
                report.attempt = order.attempt;
                vec![Effect::DeleteReport(report.seq), Effect::WriteReport(report.clone())]
            }
            _ => {
                let known = state.known_failure(order.deployment_id, &order.release.digest).cloned();
                state.attempt = Some(Attempt::begin(order));
                match known {
                    Some(failure) => fail(state, failure),
                    None => vec![Effect::Work(Phase::Downloading)],
                }
            }
        },
    }
}

/// The control plane says again what is being worked on already, perhaps with a later attempt's number.
fn continue_order(attempt: &mut Attempt, order: Order) -> Vec<Effect> {
    if order.attempt < attempt.attempt {
        return Vec::new();
    }
    let is_later = order.attempt > attempt.attempt;
    attempt.attempt = order.attempt;
    attempt.download_url = order.download_url;
    attempt.timeout_secs = order.timeout_secs;
    attempt.lease_expires_at = attempt.lease_expires_at.max(Some(order.lease_expires_at));
    match (attempt.phase, is_later) {
        (Phase::Downloading, true) => {
            attempt.spent_millis = 0;
            vec![Effect::StopWork, Effect::Work(Phase::Downloading)]
        }
        _ => Vec::new(),
    }
}

fn cancel(state: &mut AgentState, deployment_id: DeploymentId) -> Vec<Effect> {
    match &state.attempt {
        Some(attempt) if attempt.deployment_id == deployment_id && attempt.phase != Phase::RollingBack => {
            let message = format!("cancelled while {}", attempt.phase.target_state());
            let mut effects = vec![Effect::StopWork];
            effects.extend(fail(state, Failure::new(FailureCode::Cancelled, message)));
            effects
        }
        _ => Vec::new(),
    }
}

fn advance(state: &mut AgentState, done: Phase) -> Vec<Effect> {
    match done {
        Phase::Downloading => enter(state, Phase::Verifying),
        Phase::Verifying => enter(state, Phase::Staging),
        Phase::Staging => enter(state, Phase::Activating),
        Phase::Activating => enter(state, Phase::Checking),
        Phase::Checking => commit(state),
        Phase::RollingBack => {
            // There is always an agent to return to: the installed program.
            let returned = state.attempt.as_ref().is_some_and(|attempt| {
                is_agent(&attempt.bundle_name) || state.current(&attempt.bundle_name).is_some()
            });
            finish(state, if returned { ResultStatus::RolledBack } else { ResultStatus::Failed })
        }
    }
}

fn enter(state: &mut AgentState, phase: Phase) -> Vec<Effect> {
    if let Some(attempt) = &mut state.attempt {
        attempt.phase = phase;
    }
    vec![Effect::Work(phase)]
}

/// Before the switch an attempt just ends; after it, what was there before must come back first.
fn fail(state: &mut AgentState, failure: Failure) -> Vec<Effect> {
    let Some(attempt) = &mut state.attempt else { return Vec::new() };
    match (attempt.phase, &mut attempt.failure) {
        (Phase::RollingBack, Some(first)) => {
            first.message =
                format!("{}; returning to the previous version failed: {}", first.message, failure.message);
            let bundle_name = attempt.bundle_name.clone();
            let mut effects = finish(state, ResultStatus::Failed);
            // Once more, after the clean-up has made room: what failed may have been a disk that was full.
            if !is_agent(&bundle_name) {
                effects.push(Effect::Return { bundle_name });
            }
            effects
        }
        (phase, slot) => {
            *slot = Some(failure.clone());
            if phase.has_switched() {
                enter(state, Phase::RollingBack)
            } else {
                let attempt = attempt.clone();
                state.remember_failed_content(&attempt, &failure);
                finish(state, ResultStatus::Failed)
            }
        }
    }
}

/// A committed version that keeps crashing soon after the switch makes way for the one before. While an attempt is
/// switching the same bundle, the attempt decides.
fn give_up(state: &mut AgentState, name: BundleName, digest: &str, reason: String) -> Vec<Effect> {
    let is_it = |attempt: &Attempt| attempt.bundle_name == name && attempt.phase.has_switched();
    let slot = state.slots.get_mut(&name).filter(|_| !state.attempt.as_ref().is_some_and(is_it));
    match slot.is_some_and(|slot| slot.give_up(digest, reason)) {
        true => vec![Effect::Return { bundle_name: name }],
        false => Vec::new(),
    }
}

fn commit(state: &mut AgentState) -> Vec<Effect> {
    if let Some(attempt) = &state.attempt {
        state.slots.entry(attempt.bundle_name.clone()).or_default().commit(&attempt.release);
    }
    finish(state, ResultStatus::Success)
}

/// The outcome becomes part of the state in the same save that ends the attempt: it cannot get lost.
fn finish(state: &mut AgentState, status: ResultStatus) -> Vec<Effect> {
    let Some(attempt) = state.attempt.take() else { return Vec::new() };
    let report = Report {
        seq: state.next_report,
        deployment_id: attempt.deployment_id,
        attempt: attempt.attempt,
        status,
        failure: attempt.failure,
        duration_secs: attempt.spent_millis as f64 / 1_000.0,
    };
    state.next_report += 1;
    let replaced: Vec<u64> = state
        .reports
        .extract_if(.., |old| old.deployment_id == report.deployment_id)
        .map(|old| old.seq)
        .collect();
    let mut effects: Vec<Effect> = replaced.into_iter().map(Effect::DeleteReport).collect();
    state.reports.push(report.clone());
    effects.push(Effect::WriteReport(report));
    effects.push(Effect::CleanUp { deployment_id: attempt.deployment_id });
    effects
}
