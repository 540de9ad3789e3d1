//! Missing heartbeats: each device once, a whole site as one event.

use std::collections::BTreeMap;

use kernex_core::{DeviceId, EventKind, Timestamp};
use kernex_store::{EventFilter, EventRecord, NewDevice, TagChange};

use crate::{
    database::Database,
    fleet::{ORG, at, beat, device_of, new_device, report},
};

on_both!(
    a_device_that_falls_silent_is_told_of_once_and_again_when_it_returns,
    a_day_of_silence_makes_a_device_lost,
    a_site_that_is_gone_is_one_event_and_its_return_another,
    replicas_that_look_at_the_same_time_tell_once,
    events_are_numbered_once_in_the_order_in_which_they_became_visible,
);

/// Three heartbeats of 60 s and 15 s of grace are missed, and a minute later it is told.
const TOLD_AFTER: i64 = 195 + 60;

async fn device_at(db: &Database, key: &str, site: Option<&str>) -> DeviceId {
    let tags: BTreeMap<_, _> = site.map(|site| ("site".to_owned(), site.to_owned())).into_iter().collect();
    let new = NewDevice { tags, ..new_device(key) };
    let id = device_of(db.store.register_device(&new, at(0)).await.unwrap()).0;
    let from = [kernex_core::Membership::PendingApproval];
    db.store.change_membership(ORG, id, &from, kernex_core::Membership::Active, "ada", at(0)).await.unwrap();
    id
}

async fn look(db: &Database, now: Timestamp) -> kernex_store::OfflineFound {
    db.store.watch_offline("site", now).await.unwrap()
}

async fn told(db: &Database, device: Option<DeviceId>) -> Vec<EventRecord> {
    db.store.number_events().await.unwrap();
    let filter = EventFilter { device_id: device, ..EventFilter::default() };
    let all = db.store.list_events_after(ORG, &filter, 0, 1_000).await.unwrap();
    let setup = [EventKind::DeviceRegistered, EventKind::DeviceApproved, EventKind::DevicesUpdated];
    all.into_iter().filter(|event| !setup.contains(&event.kind)).collect()
}

async fn kinds(db: &Database, device: Option<DeviceId>) -> Vec<EventKind> {
    told(db, device).await.into_iter().map(|event| event.kind).collect()
}

async fn a_device_that_falls_silent_is_told_of_once_and_again_when_it_returns(db: &Database) {
    use EventKind::{DeviceOffline, DeviceOnline};
    look(db, at(0)).await;
    let id = device_at(db, "one", None).await;
    device_at(db, "never seen", None).await;
    beat(&db.store, id, &report(), at(1)).await;
    assert_eq!(look(db, at(TOLD_AFTER)).await.offline, 0, "not yet");
    assert_eq!(look(db, at(1 + TOLD_AFTER)).await.offline, 1);
    assert_eq!(look(db, at(2 + TOLD_AFTER)).await.offline, 0, "once");
    beat(&db.store, id, &report(), at(1_000)).await;
    assert_eq!(kinds(db, None).await, [DeviceOnline, DeviceOffline, DeviceOnline]);
    let offline = &told(db, Some(id)).await[1];
    assert_eq!(offline.occurred_at, at(1 + 195), "when it counted as offline, not when it was told");
    // A server that was down for long tells what happened meanwhile.
    assert_eq!(look(db, at(100_000)).await.offline, 1);
}

async fn a_day_of_silence_makes_a_device_lost(db: &Database) {
    look(db, at(0)).await;
    let id = device_at(db, "one", None).await;
    beat(&db.store, id, &report(), at(1)).await;
    let day = 24 * 3_600;
    assert_eq!(look(db, at(196 + day - 1)).await.lost, 0);
    assert_eq!(db.store.fleet_stats(ORG, at(196 + day - 1)).await.unwrap().lost_devices, 0);
    assert_eq!(look(db, at(196 + day)).await.lost, 1);
    assert_eq!(look(db, at(196 + day + 1)).await.lost, 0);
    assert_eq!(db.store.fleet_stats(ORG, at(196 + day)).await.unwrap().lost_devices, 1);
    assert_eq!(kinds(db, Some(id)).await.last(), Some(&EventKind::DeviceLost));
}

async fn a_site_that_is_gone_is_one_event_and_its_return_another(db: &Database) {
    look(db, at(0)).await;
    let mut berlin = Vec::new();
    for number in 0..10 {
        berlin.push(device_at(db, &format!("b{number}"), Some("berlin")).await);
    }
    let mut paris = Vec::new();
    for number in 0..10 {
        paris.push(device_at(db, &format!("p{number}"), Some("paris")).await);
    }
    // Heartbeats are spread over a minute, as they are in life; one of Paris's goes on.
    for (number, id) in (0..).zip(berlin.iter().chain(&paris)) {
        beat(&db.store, *id, &report(), at(1 + number * 3)).await;
    }
    for id in &paris[2..] {
        beat(&db.store, *id, &report(), at(200)).await;
    }
    let mut found = kernex_store::OfflineFound::default();
    for secs in (250..390).step_by(10) {
        let one = look(db, at(secs)).await;
        found.offline += one.offline;
        found.sites_gone += one.sites_gone;
    }
    assert_eq!((found.offline, found.sites_gone), (12, 1), "ten of Berlin, two of Paris");
    let missing: Vec<_> =
        told(db, None).await.into_iter().filter(|event| event.kind != EventKind::DeviceOnline).collect();
    let kinds_told: Vec<_> = missing.iter().map(|event| event.kind).collect();
    assert_eq!(kinds_told, [EventKind::SiteOffline, EventKind::DeviceOffline, EventKind::DeviceOffline]);
    assert_eq!((&missing[0].data["value"], &missing[0].data["devices"]), (&"berlin".into(), &10.into()));
    assert_eq!(
        kinds(db, Some(berlin[3])).await,
        [EventKind::DeviceOnline, EventKind::DeviceOffline],
        "its own timeline"
    );
    assert_eq!(db.store.fleet_stats(ORG, at(400)).await.unwrap().sites_offline, 1);
    for id in &paris[2..] {
        beat(&db.store, *id, &report(), at(390)).await;
    }
    let before = told(db, None).await.len();
    for id in &berlin {
        beat(&db.store, *id, &report(), at(500)).await;
    }
    assert_eq!(look(db, at(501)).await.sites_back, 1);
    let after = told(db, None).await;
    assert_eq!(after[before..].iter().map(|event| event.kind).collect::<Vec<_>>(), [EventKind::SiteOnline]);
    assert_eq!(db.store.fleet_stats(ORG, at(501)).await.unwrap().sites_offline, 0);
}

async fn replicas_that_look_at_the_same_time_tell_once(db: &Database) {
    look(db, at(0)).await;
    for number in 0..20 {
        let id = device_at(db, &format!("d{number}"), None).await;
        beat(&db.store, id, &report(), at(1)).await;
    }
    let other = db.replica().await;
    let looks = [&db.store, &other, &db.store, &other].map(|store| store.watch_offline("site", at(1_000)));
    let found = futures_util::future::join_all(looks).await;
    assert_eq!(found.into_iter().map(|found| found.unwrap().offline).sum::<usize>(), 20);
}

async fn events_are_numbered_once_in_the_order_in_which_they_became_visible(db: &Database) {
    let mut ids = Vec::new();
    for number in 0..8 {
        ids.push(device_at(db, &format!("d{number}"), None).await);
    }
    let change = TagChange { set: [("a".to_owned(), "b".to_owned())].into(), remove: Vec::new() };
    let other = db.replica().await;
    let mut seen: Vec<u64> = Vec::new();
    for round in 0..5 {
        let work = ids.iter().map(|id| {
            let update =
                kernex_store::DeviceUpdate { display_name: Some(Some(format!("n{round}"))), tags: None };
            let store = db.store.clone();
            async move { store.update_device(ORG, *id, &update, "ada", at(round)).await.unwrap() }
        });
        let numbering = [&db.store, &other, &db.store].map(kernex_store::Store::number_events);
        let (_, numbered) = futures_util::future::join(
            futures_util::future::join_all(work),
            futures_util::future::join_all(numbering),
        )
        .await;
        assert!(numbered.iter().all(Result::is_ok));
        let after = seen.last().copied().unwrap_or(0);
        let read = other.list_events_after(ORG, &EventFilter::default(), after, 1_000).await.unwrap();
        seen.extend(read.iter().map(|event| event.seq));
    }
    db.store.number_events().await.unwrap();
    let rest = db
        .store
        .list_events_after(ORG, &EventFilter::default(), seen.last().copied().unwrap_or(0), 1_000)
        .await;
    seen.extend(rest.unwrap().iter().map(|event| event.seq));
    let total = db.rows_of("events").await;
    assert_eq!(seen, (1..=total).collect::<Vec<_>>(), "none is missed, none comes twice");
    assert_eq!(db.store.last_event_seq().await.unwrap(), total);
    let everything = kernex_core::Selector::EVERYTHING;
    let changed = db.store.change_tags_of(ORG, &everything, &change, false, "ada", at(9)).await.unwrap();
    assert_eq!((changed.matched, changed.changed), (8, 8));
}
