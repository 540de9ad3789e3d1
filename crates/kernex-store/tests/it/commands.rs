//! What a heartbeat's answer tells a device to do: derived from what is desired and what was reported.

use kernex_core::{ConfigPatch, DeploymentId, DeploymentKind, DeploymentStatus, ResultStatus, TargetState};
use kernex_store::{HeartbeatReport, LeaseTerms, Once, TargetProgress};

use crate::{
    database::Database,
    fleet::{
        ORG, add_other_organization, all_at_once, assert_counts, at, beat, bundle, counter, deploy,
        deployment, device, new_deployment, other_org, report, result, target, tell, working_on,
    },
};

on_both!(
    an_order_carries_the_bundle_and_makes_the_target_delivered,
    an_order_is_sent_again_until_the_device_speaks_of_it,
    an_order_is_not_sent_while_the_device_works_on_it_and_comes_back_if_it_forgets,
    only_the_devices_of_a_deployment_get_its_order,
    the_oldest_deployment_goes_first_and_the_next_follows_its_end,
    what_is_unknown_cancelled_or_foreign_is_to_be_cancelled,
    a_final_state_in_a_heartbeat_waits_for_its_result,
    a_wrong_attempt_gets_the_order_again,
    progress_moves_the_target_and_keeps_to_legal_steps,
    a_configuration_is_sent_only_while_it_differs,
    a_rollback_is_sent_as_such,
    the_lease_follows_the_heartbeat_interval,
    many_heartbeats_at_once_deliver_once,
    a_device_can_ask_for_its_order_while_it_is_open,
);

async fn an_order_carries_the_bundle_and_makes_the_target_delivered(db: &Database) {
    let id = device(&db.store, ORG, "key").await;
    let bundle = bundle(&db.store, ORG, "1.0.0").await;
    let made = deploy(&db.store, ORG, &bundle, &[id], at(1)).await;
    assert_eq!(target(&db.store, made, id).await.state, TargetState::Pending);
    assert_eq!(deployment(&db.store, made).await.status, DeploymentStatus::Pending);
    let order = beat(&db.store, id, &report(), at(2)).await.order.unwrap();
    assert_eq!((order.deployment_id, order.kind, order.attempt), (made, DeploymentKind::Deploy, 1));
    assert_eq!(
        (order.bundle_id, order.bundle_name, order.bundle_version),
        (bundle.id, bundle.name, bundle.version)
    );
    assert_eq!((order.checksum_sha256, order.size_bytes), (bundle.checksum_sha256, 1_234));
    let target = target(&db.store, made, id).await;
    assert_eq!(
        (target.state, target.delivered_at, target.started_at),
        (TargetState::Delivered, Some(at(2)), None)
    );
    assert_eq!(target.lease_expires_at, Some(order.lease_expires_at));
    assert_eq!(deployment(&db.store, made).await.status, DeploymentStatus::InProgress);
    assert_counts(&db.store, made).await;
}

async fn an_order_is_sent_again_until_the_device_speaks_of_it(db: &Database) {
    let id = device(&db.store, ORG, "key").await;
    let bundle = bundle(&db.store, ORG, "1.0.0").await;
    let made = deploy(&db.store, ORG, &bundle, &[id], at(1)).await;
    let first = beat(&db.store, id, &report(), at(2)).await.order.unwrap();
    for secs in 3..6 {
        let again = beat(&db.store, id, &report(), at(secs)).await.order.unwrap();
        assert_eq!((again.deployment_id, again.attempt), (made, 1));
        assert_eq!(again.lease_expires_at, first.lease_expires_at, "sending again is no progress");
    }
    assert_eq!(target(&db.store, made, id).await.delivered_at, Some(at(2)));
    assert_counts(&db.store, made).await;
}

async fn an_order_is_not_sent_while_the_device_works_on_it_and_comes_back_if_it_forgets(db: &Database) {
    let id = device(&db.store, ORG, "key").await;
    let bundle = bundle(&db.store, ORG, "1.0.0").await;
    let made = deploy(&db.store, ORG, &bundle, &[id], at(1)).await;
    beat(&db.store, id, &report(), at(2)).await;
    let outcome = beat(&db.store, id, &working_on(made, 1, TargetState::Downloading), at(3)).await;
    assert!(outcome.order.is_none() && outcome.cancels.is_empty());
    let target = target(&db.store, made, id).await;
    assert_eq!(
        (target.state, target.progress_pct, target.started_at),
        (TargetState::Downloading, Some(40.0), Some(at(3)))
    );
    let again = beat(&db.store, id, &report(), at(4)).await.order.unwrap();
    assert_eq!((again.deployment_id, again.attempt), (made, 1), "it lost its state and begins again");
}

async fn only_the_devices_of_a_deployment_get_its_order(db: &Database) {
    let (one, two) = (device(&db.store, ORG, "one").await, device(&db.store, ORG, "two").await);
    let bundle = bundle(&db.store, ORG, "1.0.0").await;
    let made = deploy(&db.store, ORG, &bundle, &[one], at(1)).await;
    assert!(beat(&db.store, two, &report(), at(2)).await.order.is_none());
    let outcome = beat(&db.store, two, &working_on(made, 1, TargetState::Staging), at(3)).await;
    assert_eq!(outcome.cancels, [(made, 1)], "it is not for this device");
    assert_eq!(target(&db.store, made, one).await.state, TargetState::Pending);
}

async fn the_oldest_deployment_goes_first_and_the_next_follows_its_end(db: &Database) {
    let id = device(&db.store, ORG, "key").await;
    let (one, two) = (bundle(&db.store, ORG, "1.0.0").await, bundle(&db.store, ORG, "2.0.0").await);
    let first = deploy(&db.store, ORG, &one, &[id], at(1)).await;
    let second = deploy(&db.store, ORG, &two, &[id], at(2)).await;
    assert_eq!(beat(&db.store, id, &report(), at(3)).await.order.unwrap().deployment_id, first);
    assert_eq!(target(&db.store, second, id).await.state, TargetState::Pending);
    let outcome = beat(&db.store, id, &working_on(first, 1, TargetState::Checking), at(4)).await;
    assert!(outcome.order.is_none(), "one thing after the other");
    tell(&db.store, id, first, &result(ResultStatus::Success), at(5)).await.unwrap();
    assert_eq!(beat(&db.store, id, &report(), at(6)).await.order.unwrap().deployment_id, second);
}

async fn what_is_unknown_cancelled_or_foreign_is_to_be_cancelled(db: &Database) {
    add_other_organization(db).await;
    let (id, stranger) = (device(&db.store, ORG, "key").await, device(&db.store, other_org(), "other").await);
    let own = bundle(&db.store, ORG, "1.0.0").await;
    let foreign = bundle(&db.store, other_org(), "1.0.0").await;
    let foreign = deploy(&db.store, other_org(), &foreign, &[stranger], at(1)).await;
    let withdrawn = deploy(&db.store, ORG, &own, &[id], at(2)).await;
    beat(&db.store, id, &working_on(withdrawn, 1, TargetState::Staging), at(3)).await;
    let before = db.store.cancel_deployment(ORG, withdrawn, at(4)).await.unwrap();
    assert_eq!(before, Some(DeploymentStatus::InProgress));
    let unknown = DeploymentId::generate(at(0));
    for (secs, deployment) in [(5, withdrawn), (6, unknown), (7, foreign)] {
        let outcome = beat(&db.store, id, &working_on(deployment, 2, TargetState::Staging), at(secs)).await;
        assert_eq!(outcome.cancels, [(deployment, 2)]);
        assert!(outcome.order.is_none());
    }
    assert_counts(&db.store, withdrawn).await;
    let again = db.store.cancel_deployment(ORG, withdrawn, at(8)).await.unwrap();
    assert_eq!(again, Some(DeploymentStatus::Cancelled), "cancelling again changes nothing");
    assert_eq!(db.store.cancel_deployment(ORG, unknown, at(8)).await.unwrap(), None);
    assert_eq!(db.store.cancel_deployment(ORG, foreign, at(8)).await.unwrap(), None);
    let foreign = db.store.find_deployment(other_org(), foreign).await.unwrap().unwrap();
    assert_eq!((foreign.status, foreign.pending), (DeploymentStatus::Pending, 1));
}

async fn a_final_state_in_a_heartbeat_waits_for_its_result(db: &Database) {
    let id = device(&db.store, ORG, "key").await;
    let bundle = bundle(&db.store, ORG, "1.0.0").await;
    let made = deploy(&db.store, ORG, &bundle, &[id], at(1)).await;
    beat(&db.store, id, &report(), at(2)).await;
    let outcome = beat(&db.store, id, &working_on(made, 1, TargetState::Success), at(3)).await;
    assert!(outcome.order.is_none(), "it is done with it");
    assert_eq!(
        target(&db.store, made, id).await.state,
        TargetState::Delivered,
        "only a result ends a target"
    );
    tell(&db.store, id, made, &result(ResultStatus::Success), at(4)).await.unwrap();
    let outcome = beat(&db.store, id, &working_on(made, 1, TargetState::Success), at(5)).await;
    assert!(outcome.cancels.is_empty(), "what has ended needs no cancelling");
}

async fn a_wrong_attempt_gets_the_order_again(db: &Database) {
    let id = device(&db.store, ORG, "key").await;
    let bundle = bundle(&db.store, ORG, "1.0.0").await;
    let made = deploy(&db.store, ORG, &bundle, &[id], at(1)).await;
    beat(&db.store, id, &report(), at(2)).await;
    for (secs, attempt) in [(3, 0), (4, 2)] {
        let outcome = beat(&db.store, id, &working_on(made, attempt, TargetState::Checking), at(secs)).await;
        let order = outcome.order.unwrap();
        assert_eq!((order.deployment_id, order.attempt), (made, 1));
        assert!(outcome.cancels.is_empty());
    }
    assert_eq!(target(&db.store, made, id).await.state, TargetState::Delivered);
}

async fn progress_moves_the_target_and_keeps_to_legal_steps(db: &Database) {
    use TargetState::{
        Activating, Checking, Delivered, Downloading, Pending, RollingBack, Staging, Verifying,
    };
    let id = device(&db.store, ORG, "key").await;
    let bundle = bundle(&db.store, ORG, "1.0.0").await;
    let made = deploy(&db.store, ORG, &bundle, &[id], at(1)).await;
    let steps = [
        (Downloading, Downloading), // before any order was answered: the report counts
        (Verifying, Verifying),
        (Pending, Verifying), // a device cannot say this
        (Delivered, Verifying),
        (Activating, Activating), // reports were lost
        (Staging, Staging),       // it restarted
        (Checking, Checking),
        (RollingBack, RollingBack),
        (Checking, RollingBack), // and not forward again
    ];
    for (index, (reported, expected)) in steps.into_iter().enumerate() {
        let now = at(2 + i64::try_from(index).unwrap());
        beat(&db.store, id, &working_on(made, 1, reported), now).await;
        assert_eq!(target(&db.store, made, id).await.state, expected, "step {index}");
        assert_eq!(target(&db.store, made, id).await.lease_expires_at, Some(now.plus_secs(900)));
        assert_counts(&db.store, made).await;
    }
}

async fn a_configuration_is_sent_only_while_it_differs(db: &Database) {
    let id = device(&db.store, ORG, "key").await;
    let with_config = |config_version| HeartbeatReport { config_version, ..report() };
    assert!(beat(&db.store, id, &with_config(1), at(1)).await.config.is_none());
    let patch = ConfigPatch { polling_interval: Some(5), ..ConfigPatch::default() };
    db.store
        .change_config(ORG, id, "ada", at(2), |config| config.patched(&patch))
        .await
        .unwrap()
        .unwrap()
        .unwrap();
    for secs in 3..5 {
        let config = beat(&db.store, id, &with_config(1), at(secs)).await.config.unwrap();
        assert_eq!((config.version, config.config.polling_interval), (2, 5));
    }
    assert!(beat(&db.store, id, &with_config(2), at(5)).await.config.is_none());
    let config = beat(&db.store, id, &with_config(99), at(6)).await.config.unwrap();
    assert_eq!(config.version, 2, "a device that is ahead comes back");
}

async fn a_rollback_is_sent_as_such(db: &Database) {
    let id = device(&db.store, ORG, "key").await;
    let bundle = bundle(&db.store, ORG, "1.0.0").await;
    let mut new = new_deployment(&bundle, &[id], at(1));
    new.kind = DeploymentKind::Rollback;
    let made = db.store.create_deployments(ORG, &[new], at(1), None, || (200, String::new())).await.unwrap();
    assert_eq!(made, Once::Done(true));
    assert_eq!(beat(&db.store, id, &report(), at(2)).await.order.unwrap().kind, DeploymentKind::Rollback);
}

async fn the_lease_follows_the_heartbeat_interval(db: &Database) {
    let id = device(&db.store, ORG, "key").await;
    let bundle = bundle(&db.store, ORG, "1.0.0").await;
    deploy(&db.store, ORG, &bundle, &[id], at(1)).await;
    let patch = ConfigPatch { polling_interval: Some(3_600), ..ConfigPatch::default() };
    db.store
        .change_config(ORG, id, "ada", at(1), |config| config.patched(&patch))
        .await
        .unwrap()
        .unwrap()
        .unwrap();
    let lease = LeaseTerms { min_millis: 1_000, heartbeats: 3 };
    let outcome = db.store.record_heartbeat(&counter(id, at(2)), &report(), lease, at(2)).await.unwrap();
    assert_eq!(outcome.order.unwrap().lease_expires_at, at(2 + 3 * 3_600));
}

async fn many_heartbeats_at_once_deliver_once(db: &Database) {
    let mut ids = Vec::new();
    for number in 0..12 {
        ids.push(device(&db.store, ORG, &format!("device {number}")).await);
    }
    let bundle = bundle(&db.store, ORG, "1.0.0").await;
    let mut made = Vec::new();
    for secs in 1..=3 {
        made.push(deploy(&db.store, ORG, &bundle, &ids, at(secs)).await);
    }
    // Each device speaks of the deployments in an order of its own, of some before they were ever sent.
    let outcomes = all_at_once(36, |number| {
        let (store, id) = (db.store.clone(), ids[number % 12]);
        let turn = number / 12;
        let mut named = made.clone();
        named.rotate_left(number % 3);
        async move {
            let targets = named.into_iter().map(|deployment_id| TargetProgress {
                deployment_id,
                attempt: 1,
                state: TargetState::Downloading,
                progress_pct: None,
            });
            let report = HeartbeatReport { targets: targets.collect(), ..report() };
            let now = at(10 + i64::try_from(turn).unwrap());
            store.record_heartbeat(&counter(id, now), &report, crate::fleet::LEASE, now).await
        }
    })
    .await;
    for outcome in outcomes {
        assert!(matches!(outcome, Ok(_) | Err(kernex_store::Error::Replayed)), "{outcome:?}");
    }
    for id in made {
        assert_counts(&db.store, id).await;
        assert_eq!(deployment(&db.store, id).await.in_progress, 12);
    }
}

async fn a_device_can_ask_for_its_order_while_it_is_open(db: &Database) {
    let (id, stranger) = (device(&db.store, ORG, "key").await, device(&db.store, ORG, "stranger").await);
    let bundle = bundle(&db.store, ORG, "1.0.0").await;
    let made = deploy(&db.store, ORG, &bundle, &[id], at(1)).await;
    let later = deploy(&db.store, ORG, &bundle, &[id], at(2)).await;
    let ask_for = async |made, device, secs| {
        db.store.take_order(&counter(device, at(secs)), made, crate::fleet::LEASE, at(secs)).await
    };
    let ask = async |device, secs| ask_for(made, device, secs).await;
    let asked = ask(id, 3).await.unwrap().unwrap();
    assert_eq!((asked.deployment_id, asked.attempt, asked.bundle_id), (made, 1, bundle.id));
    assert_eq!(asked.lease_expires_at, at(3).plus_secs(900), "being told counts as being sent the command");
    assert_eq!(deployment(&db.store, made).await.in_progress, 1);
    let order = beat(&db.store, id, &report(), at(4)).await.order.unwrap();
    assert_eq!(order.lease_expires_at, asked.lease_expires_at);
    assert!(ask_for(later, id, 5).await.unwrap().is_none(), "it waits for the first");
    assert!(ask(stranger, 5).await.unwrap().is_none());
    assert!(matches!(ask(id, 5).await, Err(kernex_store::Error::Replayed)));
    tell(&db.store, id, made, &result(ResultStatus::Success), at(6)).await.unwrap();
    assert!(ask(id, 7).await.unwrap().is_none(), "it has ended");
}
