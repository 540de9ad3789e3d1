//! Outcomes that devices report.

use kernex_core::{DeploymentId, DeploymentStatus, FailureCode, ResultStatus, TargetState};
use kernex_store::{Error, OutcomeOfResult, RequestCounter, TargetFailure, TargetResult};

use crate::{
    database::Database,
    fleet::{
        ORG, add_other_organization, all_at_once, assert_counts, at, beat, bundle, counter, deploy,
        deployment, device, name, other_org, report, result, target, tell, version, working_on,
    },
};

on_both!(
    a_result_ends_the_target_and_the_last_one_ends_the_deployment,
    a_deployment_ends_as_its_targets_did,
    the_same_result_again_changes_nothing,
    a_differing_result_is_refused,
    many_results_at_once_give_one_line_of_history,
    results_of_all_devices_at_once_leave_the_counts_right,
    strangers_and_unknown_deployments_are_told_so,
    an_attempt_that_was_not_given_is_refused_and_an_earlier_one_is_accepted,
    a_replayed_result_is_refused,
    a_result_before_any_command_counts,
    success_shows_at_once_what_the_device_runs,
    history_is_newest_first_and_names_the_reason,
    a_result_and_a_cancellation_at_once_leave_one_outcome,
);

async fn a_result_ends_the_target_and_the_last_one_ends_the_deployment(db: &Database) {
    let (one, two) = (device(&db.store, ORG, "one").await, device(&db.store, ORG, "two").await);
    let bundle = bundle(&db.store, ORG, "1.0.0").await;
    let made = deploy(&db.store, ORG, &bundle, &[one, two], at(1)).await;
    for id in [one, two] {
        beat(&db.store, id, &report(), at(2)).await;
    }
    let outcome = tell(&db.store, one, made, &result(ResultStatus::Success), at(3)).await.unwrap();
    assert_eq!(outcome, OutcomeOfResult::Recorded(TargetState::Success));
    assert_eq!(deployment(&db.store, made).await.status, DeploymentStatus::InProgress);
    assert_counts(&db.store, made).await;
    tell(&db.store, two, made, &result(ResultStatus::Success), at(4)).await.unwrap();
    let ended = deployment(&db.store, made).await;
    assert_eq!(
        (ended.status, ended.completed_at, ended.error_message),
        (DeploymentStatus::Success, Some(at(4)), None)
    );
    assert_counts(&db.store, made).await;
    let target = target(&db.store, made, one).await;
    assert_eq!((target.completed_at, target.duration_secs), (Some(at(3)), Some(12.0)));
}

async fn a_deployment_ends_as_its_targets_did(db: &Database) {
    use ResultStatus::{Failed, RolledBack, Success};
    let (one, two) = (device(&db.store, ORG, "one").await, device(&db.store, ORG, "two").await);
    let bundle = bundle(&db.store, ORG, "1.0.0").await;
    let cases = [
        ([Success, Success], DeploymentStatus::Success, None),
        ([Success, Failed], DeploymentStatus::Failed, Some("1 of 2 devices failed")),
        ([RolledBack, Failed], DeploymentStatus::Failed, Some("1 of 2 devices failed")),
        (
            [Success, RolledBack],
            DeploymentStatus::RolledBack,
            Some("1 of 2 devices went back to what ran before"),
        ),
    ];
    for (index, (results, status, message)) in cases.into_iter().enumerate() {
        let now = at(10 * (1 + i64::try_from(index).unwrap()));
        let made = deploy(&db.store, ORG, &bundle, &[one, two], now).await;
        for (id, status) in [one, two].into_iter().zip(results) {
            tell(&db.store, id, made, &result(status), now.plus_secs(1)).await.unwrap();
        }
        let ended = deployment(&db.store, made).await;
        assert_eq!((ended.status, ended.error_message.as_deref()), (status, message), "{results:?}");
        assert_counts(&db.store, made).await;
    }
}

async fn the_same_result_again_changes_nothing(db: &Database) {
    let id = device(&db.store, ORG, "key").await;
    let bundle = bundle(&db.store, ORG, "1.0.0").await;
    let made = deploy(&db.store, ORG, &bundle, &[id], at(1)).await;
    for secs in 2..5 {
        let other_words =
            TargetFailure { code: Some(FailureCode::Download), message: Some("later".to_owned()) };
        let said = match secs {
            2 => result(ResultStatus::Failed),
            _ => TargetResult { failure: other_words, duration_secs: None, ..result(ResultStatus::Failed) },
        };
        let outcome = tell(&db.store, id, made, &said, at(secs)).await.unwrap();
        assert_eq!(outcome, OutcomeOfResult::Recorded(TargetState::Failed));
    }
    let target = target(&db.store, made, id).await;
    assert_eq!((target.completed_at, target.failure.message.as_deref()), (Some(at(2)), Some("exit code 3")));
    assert_eq!(db.store.list_history(ORG, id, 10).await.unwrap().len(), 1);
    assert_counts(&db.store, made).await;
}

async fn a_differing_result_is_refused(db: &Database) {
    let id = device(&db.store, ORG, "key").await;
    let bundle = bundle(&db.store, ORG, "1.0.0").await;
    let made = deploy(&db.store, ORG, &bundle, &[id], at(1)).await;
    tell(&db.store, id, made, &result(ResultStatus::Success), at(2)).await.unwrap();
    for (secs, status) in [(3, ResultStatus::Failed), (4, ResultStatus::RolledBack)] {
        let outcome = tell(&db.store, id, made, &result(status), at(secs)).await.unwrap();
        assert_eq!(outcome, OutcomeOfResult::Differs(TargetState::Success));
    }
    let cancelled = deploy(&db.store, ORG, &bundle, &[id], at(5)).await;
    db.store.cancel_deployment(ORG, cancelled, at(6)).await.unwrap();
    let outcome = tell(&db.store, id, cancelled, &result(ResultStatus::Success), at(7)).await.unwrap();
    assert_eq!(outcome, OutcomeOfResult::Differs(TargetState::Cancelled));
    for made in [made, cancelled] {
        assert_counts(&db.store, made).await;
    }
}

async fn many_results_at_once_give_one_line_of_history(db: &Database) {
    let (id, replica) = (device(&db.store, ORG, "key").await, db.replica().await);
    let bundle = bundle(&db.store, ORG, "1.0.0").await;
    for round in 1..=5 {
        let now = at(100 * round);
        let made = deploy(&db.store, ORG, &bundle, &[id], now).await;
        beat(&db.store, id, &report(), now).await;
        let answers = all_at_once(10, |number| {
            let store = if number % 2 == 0 { db.store.clone() } else { replica.clone() };
            let status = if number % 3 == 0 { ResultStatus::Failed } else { ResultStatus::Success };
            let signed = now.plus_secs(1 + i64::try_from(number).unwrap());
            async move { tell(&store, id, made, &result(status), signed).await }
        })
        .await;
        let ended = target(&db.store, made, id).await.state;
        let mut accepted = 0;
        for answer in answers {
            match answer {
                Ok(OutcomeOfResult::Recorded(state)) => {
                    assert_eq!(state, ended);
                    accepted += 1;
                }
                Ok(OutcomeOfResult::Differs(state)) => assert_eq!(state, ended),
                Err(Error::Replayed) => {} // a later timestamp was faster
                other => panic!("{other:?}"),
            }
        }
        assert!(accepted > 0);
        assert_counts(&db.store, made).await;
        let lines = db.store.list_history(ORG, id, 100).await.unwrap();
        assert_eq!(lines.iter().filter(|line| line.deployment_id == made).count(), 1);
    }
}

async fn results_of_all_devices_at_once_leave_the_counts_right(db: &Database) {
    let mut ids = Vec::new();
    for number in 0..30 {
        ids.push(device(&db.store, ORG, &format!("device {number}")).await);
    }
    let bundle = bundle(&db.store, ORG, "1.0.0").await;
    let made = deploy(&db.store, ORG, &bundle, &ids, at(1)).await;
    all_at_once(30, |number| {
        let (store, id) = (db.store.clone(), ids[number]);
        let status = [ResultStatus::Success, ResultStatus::Failed, ResultStatus::RolledBack][number % 3];
        async move {
            beat(&store, id, &report(), at(2)).await;
            beat(&store, id, &working_on(made, 1, TargetState::Staging), at(3)).await;
            tell(&store, id, made, &result(status), at(4)).await.unwrap();
        }
    })
    .await;
    let ended = deployment(&db.store, made).await;
    assert_eq!((ended.success, ended.failed, ended.rolled_back), (10, 10, 10));
    assert_eq!(ended.error_message.as_deref(), Some("10 of 30 devices failed"));
    assert_counts(&db.store, made).await;
}

async fn strangers_and_unknown_deployments_are_told_so(db: &Database) {
    add_other_organization(db).await;
    let (id, stranger) = (device(&db.store, ORG, "key").await, device(&db.store, ORG, "stranger").await);
    let foreigner = device(&db.store, other_org(), "foreigner").await;
    let bundle = bundle(&db.store, ORG, "1.0.0").await;
    let made = deploy(&db.store, ORG, &bundle, &[id], at(1)).await;
    let success = result(ResultStatus::Success);
    let outcome = tell(&db.store, stranger, made, &success, at(2)).await.unwrap();
    assert_eq!(outcome, OutcomeOfResult::NotATarget);
    let outcome = tell(&db.store, id, DeploymentId::generate(at(0)), &success, at(2)).await.unwrap();
    assert_eq!(outcome, OutcomeOfResult::UnknownDeployment);
    let request = RequestCounter { org_id: other_org(), ..counter(foreigner, at(2)) };
    let outcome = db.store.report_result(&request, made, &success, at(2)).await.unwrap();
    assert_eq!(outcome, OutcomeOfResult::UnknownDeployment, "whether it exists elsewhere stays a secret");
    assert_eq!(target(&db.store, made, id).await.state, TargetState::Pending);
    assert!(db.store.list_history(ORG, stranger, 10).await.unwrap().is_empty());
}

async fn an_attempt_that_was_not_given_is_refused_and_an_earlier_one_is_accepted(db: &Database) {
    let id = device(&db.store, ORG, "key").await;
    let bundle = bundle(&db.store, ORG, "1.0.0").await;
    let made = deploy(&db.store, ORG, &bundle, &[id], at(1)).await;
    let of_attempt = |attempt| TargetResult { attempt, ..result(ResultStatus::Success) };
    let outcome = tell(&db.store, id, made, &of_attempt(Some(2)), at(2)).await.unwrap();
    assert_eq!(outcome, OutcomeOfResult::AttemptNotGiven(1));
    assert_eq!(target(&db.store, made, id).await.state, TargetState::Pending);
    beat(&db.store, id, &report(), at(3)).await;
    for secs in (60..=900).step_by(60) {
        beat(&db.store, id, &report(), at(secs)).await;
    }
    assert_eq!(db.store.expire_attempts(at(910), 10).await.unwrap(), 1);
    assert_eq!(target(&db.store, made, id).await.attempt, 2);
    let outcome = tell(&db.store, id, made, &of_attempt(Some(1)), at(911)).await.unwrap();
    assert_eq!(outcome, OutcomeOfResult::Recorded(TargetState::Success), "it runs what it says it runs");
    let next = deploy(&db.store, ORG, &bundle, &[id], at(912)).await;
    let outcome = tell(&db.store, id, next, &of_attempt(None), at(913)).await.unwrap();
    assert_eq!(outcome, OutcomeOfResult::Recorded(TargetState::Success));
    assert_counts(&db.store, made).await;
}

async fn a_replayed_result_is_refused(db: &Database) {
    let id = device(&db.store, ORG, "key").await;
    let bundle = bundle(&db.store, ORG, "1.0.0").await;
    let made = deploy(&db.store, ORG, &bundle, &[id], at(1)).await;
    beat(&db.store, id, &report(), at(2)).await;
    let answer = tell(&db.store, id, made, &result(ResultStatus::Success), at(2)).await;
    assert!(matches!(answer, Err(Error::Replayed)));
    assert_eq!(target(&db.store, made, id).await.state, TargetState::Delivered);
}

async fn a_result_before_any_command_counts(db: &Database) {
    let id = device(&db.store, ORG, "key").await;
    let bundle = bundle(&db.store, ORG, "1.0.0").await;
    let made = deploy(&db.store, ORG, &bundle, &[id], at(1)).await;
    let outcome = tell(&db.store, id, made, &result(ResultStatus::Success), at(2)).await.unwrap();
    assert_eq!(outcome, OutcomeOfResult::Recorded(TargetState::Success));
    assert_counts(&db.store, made).await;
}

async fn success_shows_at_once_what_the_device_runs(db: &Database) {
    let id = device(&db.store, ORG, "key").await;
    for (secs, number, status) in [
        (10, "1.0.0", ResultStatus::Success),
        (20, "2.0.0", ResultStatus::Success),
        (30, "3.0.0", ResultStatus::Failed),
    ] {
        let bundle = bundle(&db.store, ORG, number).await;
        let made = deploy(&db.store, ORG, &bundle, &[id], at(secs)).await;
        tell(&db.store, id, made, &result(status), at(secs + 1)).await.unwrap();
    }
    let record = db.store.find_device(ORG, id).await.unwrap().unwrap();
    assert_eq!(record.bundles, [(name("default"), version("2.0.0"))]);
    assert_eq!(db.rows_of("device_bundles").await, 1);
}

async fn history_is_newest_first_and_names_the_reason(db: &Database) {
    let id = device(&db.store, ORG, "key").await;
    let bundle = bundle(&db.store, ORG, "1.0.0").await;
    for secs in [10, 20, 30] {
        let made = deploy(&db.store, ORG, &bundle, &[id], at(secs)).await;
        beat(&db.store, id, &report(), at(secs + 1)).await;
        let status = if secs == 20 { ResultStatus::Failed } else { ResultStatus::Success };
        tell(&db.store, id, made, &result(status), at(secs + 2)).await.unwrap();
    }
    deploy(&db.store, ORG, &bundle, &[id], at(40)).await;
    let lines = db.store.list_history(ORG, id, 10).await.unwrap();
    let times: Vec<_> = lines.iter().map(|line| line.completed_at).collect();
    assert_eq!(times, [at(32), at(22), at(12)], "what has not ended is no history yet");
    let failed = &lines[1];
    assert_eq!((failed.state, failed.delivered_at), (TargetState::Failed, Some(at(21))));
    assert_eq!(failed.failure.code, Some(FailureCode::ScriptFailed));
    assert_eq!((failed.created_by.as_str(), failed.bundle_version.as_str()), ("ada", "1.0.0"));
    assert_eq!(db.store.list_history(ORG, id, 2).await.unwrap().len(), 2);
}

async fn a_result_and_a_cancellation_at_once_leave_one_outcome(db: &Database) {
    let mut ids = Vec::new();
    for number in 0..10 {
        ids.push(device(&db.store, ORG, &format!("device {number}")).await);
    }
    let bundle = bundle(&db.store, ORG, "1.0.0").await;
    for round in 1..=4 {
        let now = at(100 * round);
        let made = deploy(&db.store, ORG, &bundle, &ids, now).await;
        all_at_once(13, |number| {
            let (store, id) = (db.store.clone(), ids[number % 10]);
            async move {
                match number {
                    10 => drop(store.cancel_deployment(ORG, made, now.plus_secs(5)).await.unwrap()),
                    11 => drop(store.expire_attempts(now.plus_secs(5), 100).await.unwrap()),
                    12 => drop(store.list_history(ORG, id, 10).await.unwrap()),
                    _ => drop(
                        tell(&store, id, made, &result(ResultStatus::Success), now.plus_secs(5))
                            .await
                            .unwrap(),
                    ),
                }
            }
        })
        .await;
        assert_counts(&db.store, made).await;
        let ended = deployment(&db.store, made).await;
        assert_eq!(ended.success + ended.cancelled, 10);
    }
}
