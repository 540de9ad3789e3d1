//! Attempts that make no progress.

use kernex_core::{DeploymentId, DeploymentStatus, DeviceId, Membership, ResultStatus, TargetState};
use kernex_store::{MAX_ATTEMPTS, OutcomeOfResult};

use crate::{
    database::Database,
    fleet::{
        ORG, all_at_once, assert_counts, at, beat, bundle, deploy, deployment, device, report, result,
        target, tell, working_on,
    },
};

on_both!(
    an_attempt_without_progress_is_given_up_and_the_last_one_times_out,
    a_device_that_is_offline_keeps_its_attempt,
    progress_renews_the_lease,
    a_target_that_waits_has_no_lease,
    a_bounded_number_expires_at_a_time_oldest_first,
    replicas_that_expire_at_the_same_time_count_once,
    leases_that_expire_amid_results_and_heartbeats_leave_the_counts_right,
);

async fn deployed(db: &Database, keys: &[&str]) -> (DeploymentId, Vec<DeviceId>) {
    let mut ids = Vec::new();
    for key in keys {
        ids.push(device(&db.store, ORG, key).await);
    }
    let bundle = bundle(&db.store, ORG, "1.0.0").await;
    let made = deploy(&db.store, ORG, &bundle, &ids, at(0)).await;
    for id in &ids {
        beat(&db.store, *id, &report(), at(1)).await;
    }
    (made, ids)
}

async fn an_attempt_without_progress_is_given_up_and_the_last_one_times_out(db: &Database) {
    let (made, ids) = deployed(db, &["key"]).await;
    let mut now = 1;
    for attempt in 1..=MAX_ATTEMPTS {
        let before = target(&db.store, made, ids[0]).await;
        assert_eq!((before.attempt, before.state), (attempt, TargetState::Delivered));
        assert_eq!(db.store.expire_attempts(at(now + 899), 10).await.unwrap(), 0, "not yet");
        // The device is online: its heartbeats do not speak of the deployment.
        now += 850;
        beat(&db.store, ids[0], &report(), at(now)).await;
        now += 60;
        assert_eq!(db.store.expire_attempts(at(now), 10).await.unwrap(), 1);
        assert_counts(&db.store, made).await;
        if attempt < MAX_ATTEMPTS {
            let pending = target(&db.store, made, ids[0]).await;
            assert_eq!((pending.attempt, pending.state), (attempt + 1, TargetState::Pending));
            now += 1;
            let order = beat(&db.store, ids[0], &report(), at(now)).await.order.unwrap();
            assert_eq!((order.attempt, order.lease_expires_at), (attempt + 1, at(now + 900)));
        }
    }
    let ended = target(&db.store, made, ids[0]).await;
    assert_eq!((ended.state, ended.attempt), (TargetState::TimedOut, MAX_ATTEMPTS));
    assert!(ended.failure.message.unwrap().contains("3 attempts"));
    let deployment = deployment(&db.store, made).await;
    assert_eq!((deployment.status, deployment.failed), (DeploymentStatus::Failed, 1));
    let late = tell(&db.store, ids[0], made, &result(ResultStatus::Success), at(now + 1)).await.unwrap();
    assert_eq!(late, OutcomeOfResult::Differs(TargetState::TimedOut));
}

async fn a_device_that_is_offline_keeps_its_attempt(db: &Database) {
    let (made, ids) = deployed(db, &["key"]).await;
    assert_eq!(db.store.expire_attempts(at(100_000), 10).await.unwrap(), 0);
    assert_eq!(target(&db.store, made, ids[0]).await.attempt, 1);
    beat(&db.store, ids[0], &report(), at(100_000)).await;
    assert_eq!(
        db.store.expire_attempts(at(100_001), 10).await.unwrap(),
        1,
        "it is back and says nothing of it"
    );
    db.store
        .change_membership(ORG, ids[0], Membership::ALL, Membership::Decommissioned, "ada", at(100_002))
        .await
        .unwrap();
    assert_eq!(db.store.expire_attempts(at(200_000), 10).await.unwrap(), 0);
    assert_counts(&db.store, made).await;
}

async fn progress_renews_the_lease(db: &Database) {
    let (made, ids) = deployed(db, &["key"]).await;
    for secs in (60..3_600).step_by(60) {
        beat(&db.store, ids[0], &working_on(made, 1, TargetState::Downloading), at(secs)).await;
        assert_eq!(db.store.expire_attempts(at(secs), 10).await.unwrap(), 0);
    }
    let target = target(&db.store, made, ids[0]).await;
    assert_eq!((target.attempt, target.lease_expires_at), (1, Some(at(3_540 + 900))));
}

async fn a_target_that_waits_has_no_lease(db: &Database) {
    let id = device(&db.store, ORG, "key").await;
    let bundle = bundle(&db.store, ORG, "1.0.0").await;
    let first = deploy(&db.store, ORG, &bundle, &[id], at(0)).await;
    let second = deploy(&db.store, ORG, &bundle, &[id], at(1)).await;
    beat(&db.store, id, &report(), at(2)).await;
    for secs in (60..=1_200).step_by(60) {
        beat(&db.store, id, &working_on(first, 1, TargetState::Staging), at(secs)).await;
        db.store.expire_attempts(at(secs), 10).await.unwrap();
    }
    let target = target(&db.store, second, id).await;
    assert_eq!((target.state, target.attempt, target.lease_expires_at), (TargetState::Pending, 1, None));
}

async fn a_bounded_number_expires_at_a_time_oldest_first(db: &Database) {
    let (made, ids) = deployed(db, &["one", "two", "three"]).await;
    beat(&db.store, ids[1], &working_on(made, 1, TargetState::Staging), at(10)).await;
    for id in &ids {
        beat(&db.store, *id, &report(), at(900)).await;
    }
    let attempts = async || {
        let mut attempts = Vec::new();
        for id in &ids {
            attempts.push(target(&db.store, made, *id).await.attempt);
        }
        attempts
    };
    assert_eq!(db.store.expire_attempts(at(1_000), 2).await.unwrap(), 2);
    assert_eq!(attempts().await, [2, 1, 2]);
    assert_eq!(db.store.expire_attempts(at(1_000), 2).await.unwrap(), 1);
    assert_eq!(attempts().await, [2, 2, 2]);
    assert_counts(&db.store, made).await;
}

async fn replicas_that_expire_at_the_same_time_count_once(db: &Database) {
    let (made, ids) = deployed(db, &["one", "two", "three", "four"]).await;
    for id in &ids {
        beat(&db.store, *id, &report(), at(900)).await;
    }
    let replica = db.replica().await;
    let expired = all_at_once(8, |number| {
        let store = if number % 2 == 0 { db.store.clone() } else { replica.clone() };
        async move { store.expire_attempts(at(1_000), 10).await.unwrap() }
    })
    .await;
    assert_eq!(expired.iter().sum::<u64>(), 4);
    for id in ids {
        assert_eq!(target(&db.store, made, id).await.attempt, 2);
    }
    assert_counts(&db.store, made).await;
}

async fn leases_that_expire_amid_results_and_heartbeats_leave_the_counts_right(db: &Database) {
    let mut ids = Vec::new();
    for number in 0..16 {
        ids.push(device(&db.store, ORG, &format!("device {number}")).await);
    }
    let bundle = bundle(&db.store, ORG, "1.0.0").await;
    for round in 1..=3 {
        let start = 10_000 * round;
        let (one, two) = (
            deploy(&db.store, ORG, &bundle, &ids, at(start)).await,
            deploy(&db.store, ORG, &bundle, &ids, at(start + 1)).await,
        );
        for id in &ids {
            beat(&db.store, *id, &report(), at(start + 2)).await;
            beat(&db.store, *id, &working_on(two, 1, TargetState::Staging), at(start + 3)).await;
            beat(&db.store, *id, &report(), at(start + 900)).await;
        }
        let now = at(start + 1_000);
        let outcomes = all_at_once(21, |number| {
            let store = db.store.clone();
            let id = ids[number % 16];
            async move {
                match number {
                    16 | 17 => store.expire_attempts(now, 100).await.map(|_| ()),
                    18 => store
                        .change_membership(ORG, id, Membership::ALL, Membership::Active, "ada", now)
                        .await
                        .map(|_| ()),
                    19 => store.cancel_deployment(ORG, two, now).await.map(|_| ()),
                    20 => store.fleet_stats(ORG, now).await.map(|_| ()),
                    even if even % 2 == 0 => {
                        tell(&store, id, one, &result(ResultStatus::Success), now).await.map(|_| ())
                    }
                    _ => tell(&store, id, two, &result(ResultStatus::Failed), now).await.map(|_| ()),
                }
            }
        })
        .await;
        for outcome in outcomes {
            assert!(outcome.is_ok(), "nothing may fail, let alone by a deadlock: {outcome:?}");
        }
        for made in [one, two] {
            assert_counts(&db.store, made).await;
            db.store.cancel_deployment(ORG, made, now.plus_secs(1)).await.unwrap();
        }
    }
}
