use kernex_core::{BundleId, DeploymentKind, TargetState, Timestamp};

use super::*;
use crate::state::Release;

pub(super) fn release(version: &str) -> Release {
    Release {
        version: version.parse().unwrap(),
        digest: version.bytes().map(|byte| format!("{byte:02x}")).collect::<String>().repeat(8),
        bundle_id: BundleId(Default::default()),
    }
}

pub(super) fn order(number: u64, version: &str) -> Order {
    Order {
        deployment_id: deployment(number),
        attempt: 1,
        kind: DeploymentKind::Deploy,
        bundle_name: BundleName::default(),
        release: release(version),
        size_bytes: 10,
        download_url: "/one".to_owned(),
        timeout_secs: 60,
        received_at: Timestamp::from_millis(0),
        lease_expires_at: Timestamp::from_millis(60_000),
    }
}

pub(super) fn deployment(number: u64) -> DeploymentId {
    format!("00000000-0000-7000-8000-{number:012}").parse().unwrap()
}

pub(super) fn failure(code: FailureCode) -> Failure {
    Failure::new(code, "because")
}

/// A state with an attempt in a phase, over an installed version if one is named.
pub(super) fn working(phase: Phase, installed: Option<&str>) -> AgentState {
    let mut state = AgentState::default();
    if let Some(version) = installed {
        state.slots.entry(BundleName::default()).or_default().current = Some(release(version));
    }
    state.attempt = Some(Attempt { phase, ..Attempt::begin(order(1, "2")) });
    state
}

fn completed(phase: Phase) -> Event {
    Event::Completed { deployment_id: deployment(1), phase }
}

fn failed(phase: Phase, code: FailureCode) -> Event {
    Event::Failed { deployment_id: deployment(1), phase, failure: failure(code) }
}

fn ordered(order: Order) -> Event {
    Event::Ordered(Box::new(order))
}

fn outcome(state: &AgentState) -> (ResultStatus, Option<FailureCode>) {
    let report = state.reports.last().unwrap();
    (report.status, report.failure.as_ref().map(|failure| failure.code))
}

#[test]
fn a_deployment_passes_every_phase_and_its_outcome_is_stored_before_the_clean_up() {
    let (mut state, effects) = step(working(Phase::Downloading, Some("1")), completed(Phase::Downloading));
    assert_eq!(effects, [Effect::Work(Phase::Verifying)]);
    for phase in [Phase::Verifying, Phase::Staging, Phase::Activating] {
        state = step(state, completed(phase)).0;
    }
    let (state, effects) = step(state, completed(Phase::Checking));
    let slot = &state.slots[&BundleName::default()];
    assert_eq!((&slot.current, &slot.previous), (&Some(release("2")), &Some(release("1"))));
    assert_eq!(outcome(&state), (ResultStatus::Success, None));
    assert!(matches!(effects[..], [Effect::WriteReport(_), Effect::CleanUp { .. }]));
}

#[test]
fn the_same_release_again_keeps_the_previous_one() {
    let mut state = working(Phase::Checking, Some("2"));
    state.slots.get_mut(&BundleName::default()).unwrap().previous = Some(release("1"));
    let (state, _) = step(state, completed(Phase::Checking));
    assert_eq!(state.slots[&BundleName::default()].previous, Some(release("1")));
}

#[test]
fn a_failure_before_the_switch_ends_the_attempt_and_touches_nothing() {
    for phase in [Phase::Downloading, Phase::Verifying, Phase::Staging] {
        let (state, effects) = step(working(phase, Some("1")), failed(phase, FailureCode::Checksum));
        assert_eq!(outcome(&state), (ResultStatus::Failed, Some(FailureCode::Checksum)));
        assert_eq!(state.current(&BundleName::default()), Some(&release("1")));
        assert!(!effects.iter().any(|effect| matches!(effect, Effect::Work(_))));
    }
}

#[test]
fn a_failure_after_the_switch_returns_to_what_was_there_and_reports_the_first_reason() {
    for (installed, status) in [(Some("1"), ResultStatus::RolledBack), (None, ResultStatus::Failed)] {
        for phase in [Phase::Activating, Phase::Checking] {
            let (state, effects) = step(working(phase, installed), failed(phase, FailureCode::ScriptFailed));
            assert_eq!(effects, [Effect::Work(Phase::RollingBack)]);
            let (state, _) = step(state, completed(Phase::RollingBack));
            assert_eq!(outcome(&state), (status, Some(FailureCode::ScriptFailed)));
        }
    }
}

#[test]
fn a_return_that_fails_is_reported_with_both_reasons_and_tried_once_more_after_cleaning_up() {
    let (state, _) =
        step(working(Phase::Checking, Some("1")), failed(Phase::Checking, FailureCode::CrashLoop));
    let (state, effects) = step(state, failed(Phase::RollingBack, FailureCode::Internal));
    assert!(matches!(&effects[..], [.., Effect::CleanUp { .. }, Effect::Return { .. }]), "{effects:?}");
    assert_eq!(outcome(&state), (ResultStatus::Failed, Some(FailureCode::CrashLoop)));
    let message = &state.reports[0].failure.as_ref().unwrap().message;
    assert_eq!(message, "because; returning to the previous version failed: because");
}

#[test]
fn a_command_for_what_is_in_work_or_waits_to_be_reported_is_not_begun_again() {
    let state = working(Phase::Verifying, None);
    assert_eq!(step(state.clone(), ordered(order(1, "2"))), (state.clone(), Vec::new()));
    assert_eq!(step(state.clone(), ordered(order(7, "3"))), (state.clone(), Vec::new()), "one at a time");
    let (state, _) = step(state, failed(Phase::Verifying, FailureCode::Checksum));
    assert_eq!(step(state.clone(), ordered(order(1, "2"))), (state.clone(), Vec::new()));
}

#[test]
fn a_later_attempt_is_a_new_try_unless_the_bytes_themselves_were_the_reason() {
    let later = || ordered(Order { attempt: 2, ..order(1, "2") });
    for code in
        [FailureCode::Download, FailureCode::DiskFull, FailureCode::Incompatible, FailureCode::Internal]
    {
        let (state, _) = step(working(Phase::Staging, None), failed(Phase::Staging, code));
        let (state, effects) = step(state, later());
        assert_eq!((state.attempt.unwrap().attempt, effects.len()), (2, 1), "{code}");
    }
    for code in [FailureCode::Checksum, FailureCode::Unpack, FailureCode::Manifest] {
        let (state, _) = step(working(Phase::Staging, None), failed(Phase::Staging, code));
        let (state, _) = step(state.clone(), Event::Acknowledged { seq: state.reports[0].seq });
        let (state, effects) = step(state, later());
        assert!(state.attempt.is_none() && !effects.iter().any(|effect| matches!(effect, Effect::Work(_))));
        assert_eq!(outcome(&state), (ResultStatus::Failed, Some(code)), "the same result at once");
        assert_eq!(state.reports[0].attempt, 2);
        let (state, effects) = step(state, ordered(order(9, "2")));
        assert!(
            state.attempt.is_some() && effects == [Effect::Work(Phase::Downloading)],
            "another deployment"
        );
    }
}

#[test]
fn what_failed_when_it_ran_is_tried_again() {
    let (state, _) =
        step(working(Phase::Activating, None), failed(Phase::Activating, FailureCode::ScriptFailed));
    let (state, _) = step(state, completed(Phase::RollingBack));
    let (state, _) = step(state, ordered(Order { attempt: 2, ..order(1, "2") }));
    assert_eq!(state.attempt.unwrap().attempt, 2);
}

#[test]
fn committed_releases_are_remembered_newest_first_and_enough_of_them_are_needed() {
    let mut slot = crate::state::Slot::default();
    for version in ["1", "2", "3", "2", "4"] {
        slot.commit(&release(version));
    }
    let versions = |releases: Vec<&Release>| -> Vec<String> {
        releases.into_iter().map(|release| release.version.to_string()).collect()
    };
    assert_eq!(versions(slot.kept.iter().collect()), ["4", "2", "3", "1"]);
    assert_eq!(versions(slot.needed(3)), ["4", "2", "3"]);
    assert_eq!(versions(slot.needed(2)), ["4", "2"]);
    assert_eq!(versions(slot.needed(0)), ["4", "2"], "current and previous in any case");
}

#[test]
fn a_later_attempt_of_the_same_deployment_is_adopted() {
    let later = Order { attempt: 3, download_url: "/two".to_owned(), ..order(1, "2") };
    let (state, effects) = step(working(Phase::Downloading, None), ordered(later.clone()));
    assert_eq!(effects, [Effect::StopWork, Effect::Work(Phase::Downloading)]);
    let attempt = state.attempt.unwrap();
    assert_eq!((attempt.attempt, attempt.download_url.as_str()), (3, "/two"));
    let (state, effects) = step(working(Phase::Checking, None), ordered(later.clone()));
    assert_eq!((state.attempt.as_ref().unwrap().attempt, effects), (3, Vec::new()));
    let (state, _) = step(state, completed(Phase::Checking));
    let (state, effects) = step(state, ordered(Order { attempt: 4, ..later }));
    assert_eq!(state.reports[0].attempt, 4, "a success is reported again for the attempt that asks");
    assert!(state.attempt.is_none() && effects.len() == 2);
}

#[test]
fn cancelling_is_obeyed_until_the_commit() {
    let cancel = || Event::Cancelled { deployment_id: deployment(1) };
    let (state, effects) = step(working(Phase::Staging, Some("1")), cancel());
    assert_eq!(outcome(&state), (ResultStatus::Failed, Some(FailureCode::Cancelled)));
    assert_eq!(effects[0], Effect::StopWork);
    let (state, effects) = step(working(Phase::Checking, Some("1")), cancel());
    assert_eq!(effects, [Effect::StopWork, Effect::Work(Phase::RollingBack)]);
    let (state, effects) = step(state, cancel());
    assert!(effects.is_empty(), "it is going back already");
    let (state, _) = step(state, completed(Phase::RollingBack));
    assert_eq!(outcome(&state), (ResultStatus::RolledBack, Some(FailureCode::Cancelled)));
    let other = Event::Cancelled { deployment_id: deployment(9) };
    assert_eq!(step(state.clone(), other), (state, Vec::new()));
}

#[test]
fn what_ended_late_for_another_phase_or_deployment_is_ignored() {
    let state = working(Phase::Checking, None);
    for event in [
        completed(Phase::Staging),
        failed(Phase::Activating, FailureCode::Internal),
        Event::FoundStaged { deployment_id: deployment(1) },
        Event::Completed { deployment_id: deployment(2), phase: Phase::Checking },
    ] {
        assert_eq!(step(state.clone(), event), (state.clone(), Vec::new()));
    }
}

#[test]
fn an_attempt_that_is_interrupted_too_often_is_given_up() {
    for (phase, end) in [
        (Phase::Downloading, ResultStatus::Failed),
        (Phase::Activating, ResultStatus::RolledBack),
        (Phase::Checking, ResultStatus::RolledBack),
    ] {
        let mut state = working(phase, Some("1"));
        for restart in 1..=MAX_RESTARTS {
            state = step(state, Event::Resumed).0;
            assert!(
                state.attempt.as_ref().is_some_and(|attempt| attempt.phase == phase),
                "restart {restart}"
            );
        }
        state = step(state, Event::Resumed).0;
        if state.attempt.is_some() {
            state = step(state, completed(Phase::RollingBack)).0;
        }
        assert_eq!(outcome(&state), (end, Some(FailureCode::PowerLoss)));
    }
}

#[test]
fn every_state_that_is_reported_may_follow_the_one_before() {
    for phase in [Phase::Downloading, Phase::Verifying, Phase::Staging, Phase::Activating, Phase::Checking] {
        let (state, _) = step(working(phase, Some("1")), Event::Resumed);
        let now = state.attempt.unwrap().phase.target_state();
        assert!(phase.target_state().can_become(now), "{phase:?} to {now}");
    }
    assert!(TargetState::RollingBack.can_become(TargetState::RolledBack));
}

#[test]
fn a_committed_version_that_crashes_gives_way_unless_there_is_none_before_or_an_attempt_decides() {
    let crash = |version: &str| Event::CrashLooped {
        bundle_name: BundleName::default(),
        digest: release(version).digest,
        message: "because".to_owned(),
    };
    let mut state = AgentState::default();
    state.slots.entry(BundleName::default()).or_default().commit(&release("1"));
    assert_eq!(step(state.clone(), crash("1")).0, state, "there is nothing to return to");
    state.slots.entry(BundleName::default()).or_default().commit(&release("2"));
    assert_eq!(step(state.clone(), crash("1")).0, state, "it is not in use any more");

    let (returned, effects) = step(state.clone(), crash("2"));
    assert_eq!(effects, [Effect::Return { bundle_name: BundleName::default() }]);
    let slot = &returned.slots[&BundleName::default()];
    assert_eq!((slot.current.as_ref(), slot.previous.as_ref()), (Some(&release("1")), None));
    assert_eq!(slot.given_up.as_ref().map(|given_up| &given_up.release), Some(&release("2")));
    assert_eq!(step(returned.clone(), crash("2")).0, returned, "said twice");

    for (phase, decides) in [(Phase::Downloading, false), (Phase::Activating, true), (Phase::Checking, true)]
    {
        let attempt = Some(Attempt { phase, ..Attempt::begin(order(1, "3")) });
        let working = AgentState { attempt, ..state.clone() };
        assert_eq!(step(working.clone(), crash("2")).0 == working, decides, "{phase:?}");
    }
    let mut again = returned;
    again.slots.entry(BundleName::default()).or_default().commit(&release("3"));
    assert_eq!(again.slots[&BundleName::default()].given_up, None);
}
