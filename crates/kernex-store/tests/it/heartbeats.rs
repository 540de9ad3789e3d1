//! Heartbeats: the replay counter and what is stored.

use std::collections::BTreeMap;

use kernex_core::{DeviceHealth, DeviceId, DeviceStatus, Membership};
use kernex_store::{Error, HeartbeatReport, Reading, RequestCounter};

use crate::{
    database::Database,
    fleet::{
        LEASE, ORG, add_other_organization, all_at_once, at, beat, counter, device, name, other_org, report,
        version, waiting_device,
    },
};

on_both!(
    an_equal_or_lower_timestamp_is_refused_and_stores_nothing,
    of_many_with_the_same_timestamp_exactly_one_is_accepted,
    the_counter_is_shared_by_every_kind_of_request_and_every_replica,
    of_many_requests_at_once_the_accepted_ones_only_rise,
    a_request_for_an_unknown_device_or_organization_is_refused,
    what_a_heartbeat_says_is_stored,
    a_waiting_device_may_send_heartbeats_and_gets_nothing,
    pages_of_heartbeats_cover_each_once_newest_first,
    old_heartbeats_are_removed_oldest_first_and_a_bounded_number_at_a_time,
    a_bundle_that_is_reported_twice_does_no_harm,
);

async fn an_equal_or_lower_timestamp_is_refused_and_stores_nothing(db: &Database) {
    let id = device(&db.store, ORG, "key").await;
    beat(&db.store, id, &report(), at(10)).await;
    for (signed, now) in [(10, 10), (9, 11), (-1_000_000, 12), (10, 1_000_000)] {
        let again =
            db.store.record_heartbeat(&counter(id, at(signed)), &report(), LEASE, at(now)).await.unwrap_err();
        assert!(matches!(again, Error::Replayed), "{signed}: {again}");
        assert!(matches!(db.store.accept_request(&counter(id, at(signed))).await, Err(Error::Replayed)));
    }
    assert_eq!(db.rows_of("heartbeats").await, 1);
    let record = db.store.find_device(ORG, id).await.unwrap().unwrap();
    assert_eq!(record.last_seen_at, Some(at(10)));
    let next = RequestCounter { timestamp: at(10).as_millis() + 1, ..counter(id, at(10)) };
    db.store.record_heartbeat(&next, &report(), LEASE, at(10)).await.unwrap();
}

async fn of_many_with_the_same_timestamp_exactly_one_is_accepted(db: &Database) {
    let id = device(&db.store, ORG, "key").await;
    let replica = db.replica().await;
    for round in 1..=5 {
        let answers = all_at_once(12, |number| {
            let store = if number % 2 == 0 { db.store.clone() } else { replica.clone() };
            async move {
                match number % 3 {
                    0 => store.accept_request(&counter(id, at(round))).await,
                    1 => store.add_logs(&counter(id, at(round)), &[], at(round)).await,
                    _ => store
                        .record_heartbeat(&counter(id, at(round)), &report(), LEASE, at(round))
                        .await
                        .map(|_| ()),
                }
            }
        })
        .await;
        assert_eq!(answers.iter().filter(|answer| answer.is_ok()).count(), 1, "{answers:?}");
        let replayed = answers.iter().filter(|answer| matches!(answer, Err(Error::Replayed))).count();
        assert_eq!(replayed, 11, "{answers:?}");
    }
}

async fn the_counter_is_shared_by_every_kind_of_request_and_every_replica(db: &Database) {
    let id = device(&db.store, ORG, "key").await;
    beat(&db.store, id, &report(), at(10)).await;
    let restarted = db.replica().await;
    assert!(matches!(restarted.accept_request(&counter(id, at(10))).await, Err(Error::Replayed)));
    restarted.accept_request(&counter(id, at(11))).await.unwrap();
    assert!(matches!(db.store.add_logs(&counter(id, at(11)), &[], at(11)).await, Err(Error::Replayed)));
    let heartbeat = db.store.record_heartbeat(&counter(id, at(11)), &report(), LEASE, at(11)).await;
    assert!(matches!(heartbeat, Err(Error::Replayed)));
}

async fn of_many_requests_at_once_the_accepted_ones_only_rise(db: &Database) {
    let id = device(&db.store, ORG, "key").await;
    let answers = all_at_once(30, |number| {
        let store = db.store.clone();
        let secs = i64::try_from(number).unwrap() + 1;
        async move {
            let answer = store.record_heartbeat(&counter(id, at(secs)), &report(), LEASE, at(secs)).await;
            (secs, answer.is_ok())
        }
    })
    .await;
    let accepted: Vec<_> =
        answers.iter().filter(|(_, accepted)| *accepted).map(|(secs, _)| at(*secs)).collect();
    let rows = db.store.list_heartbeats(ORG, id, None, 100).await.unwrap();
    let times: Vec<_> = rows.iter().rev().map(|row| row.received_at).collect();
    assert_eq!(times, accepted, "stored in the order of their timestamps, each accepted one once");
    assert!(accepted.contains(&at(30)), "the greatest always passes");
}

async fn a_request_for_an_unknown_device_or_organization_is_refused(db: &Database) {
    add_other_organization(db).await;
    let id = device(&db.store, ORG, "key").await;
    let foreign = RequestCounter { org_id: other_org(), ..counter(id, at(1)) };
    let nobody = counter(DeviceId::generate(at(0)), at(1));
    for counter in [foreign, nobody] {
        assert!(matches!(db.store.accept_request(&counter).await, Err(Error::Replayed)));
        let heartbeat = db.store.record_heartbeat(&counter, &report(), LEASE, at(1)).await;
        assert!(matches!(heartbeat, Err(Error::Replayed)));
    }
    assert_eq!(db.rows_of("heartbeats").await, 0);
}

async fn what_a_heartbeat_says_is_stored(db: &Database) {
    let id = device(&db.store, ORG, "key").await;
    let report = HeartbeatReport {
        bundles: Some(vec![(name("default"), version("1.0.0"))]),
        config_version: 7,
        ..report()
    };
    let outcome = beat(&db.store, id, &report, at(5)).await;
    assert_eq!((outcome.membership, outcome.polling_interval), (Membership::Active, 60));
    let record = db.store.find_device(ORG, id).await.unwrap().unwrap();
    assert_eq!(record.last_seen_at, Some(at(5)));
    assert_eq!(record.health, Some(DeviceHealth::Healthy));
    assert_eq!(record.status(at(5)), DeviceStatus::Online);
    assert_eq!(record.agent_version.as_deref(), Some("0.1.0"));
    assert_eq!(record.bundles, [(name("default"), version("1.0.0"))]);
    assert_eq!((record.config_version, record.reported_config_version), (1, 7));
    assert_eq!(record.last_heartbeat.unwrap().reading, report.reading);
    let rows = db.store.list_heartbeats(ORG, id, None, 10).await.unwrap();
    let row = Reading { sandbox: BTreeMap::new(), ..report.reading };
    assert_eq!(
        (rows.len(), &rows[0].reading, rows[0].received_at),
        (1, &row, at(5)),
        "the sandbox is of the last one only"
    );
}

async fn a_waiting_device_may_send_heartbeats_and_gets_nothing(db: &Database) {
    let id = waiting_device(&db.store, ORG, "key").await;
    let bundle = crate::fleet::bundle(&db.store, ORG, "1.0.0").await;
    let deployment = crate::fleet::deploy(&db.store, ORG, &bundle, &[id], at(0)).await;
    let report = HeartbeatReport { config_version: 9, ..report() };
    let outcome = beat(&db.store, id, &report, at(1)).await;
    assert_eq!(outcome.membership, Membership::PendingApproval);
    assert!(outcome.config.is_none() && outcome.order.is_none() && outcome.cancels.is_empty());
    assert_eq!(crate::fleet::deployment(&db.store, deployment).await.pending, 1);
    let from = [Membership::PendingApproval];
    db.store.change_membership(ORG, id, &from, Membership::Active, "ada", at(2)).await.unwrap();
    let outcome = beat(&db.store, id, &report, at(3)).await;
    assert_eq!(outcome.order.unwrap().deployment_id, deployment, "what waited for it comes now");
    assert_eq!(outcome.config.unwrap().version, 1);
}

async fn pages_of_heartbeats_cover_each_once_newest_first(db: &Database) {
    let (id, other) = (device(&db.store, ORG, "key").await, device(&db.store, ORG, "other").await);
    for secs in 1..=12 {
        beat(&db.store, id, &report(), at(secs)).await;
        beat(&db.store, other, &report(), at(secs)).await;
    }
    let (mut seen, mut before) = (Vec::new(), None);
    loop {
        let page = db.store.list_heartbeats(ORG, id, before, 5).await.unwrap();
        seen.extend(page.iter().map(|row| row.received_at));
        match page.last() {
            Some(last) => before = Some(last.id),
            None => break,
        }
    }
    assert_eq!(seen, (1..=12).rev().map(at).collect::<Vec<_>>());
}

async fn old_heartbeats_are_removed_oldest_first_and_a_bounded_number_at_a_time(db: &Database) {
    let id = device(&db.store, ORG, "key").await;
    for secs in 1..=10 {
        beat(&db.store, id, &report(), at(secs)).await;
    }
    assert_eq!(db.store.prune_heartbeats(at(8), 3).await.unwrap(), 3);
    let oldest = db.store.list_heartbeats(ORG, id, None, 100).await.unwrap().last().unwrap().received_at;
    assert_eq!(oldest, at(4));
    assert_eq!(db.store.prune_heartbeats(at(8), 100).await.unwrap(), 4, "8 itself and later ones stay");
    assert_eq!(db.store.prune_heartbeats(at(8), 100).await.unwrap(), 0);
    assert_eq!(db.store.list_heartbeats(ORG, id, None, 100).await.unwrap().len(), 3);
    let record = db.store.find_device(ORG, id).await.unwrap().unwrap();
    assert_eq!(record.last_heartbeat.unwrap().received_at, at(10), "the last one is kept with the device");
}

async fn a_bundle_that_is_reported_twice_does_no_harm(db: &Database) {
    let id = device(&db.store, ORG, "key").await;
    let bundles = vec![(name("default"), version("1.0.0")), (name("default"), version("2.0.0"))];
    beat(&db.store, id, &HeartbeatReport { bundles: Some(bundles), ..report() }, at(1)).await;
    assert_eq!(db.rows_of("device_bundles").await, 1);
}
