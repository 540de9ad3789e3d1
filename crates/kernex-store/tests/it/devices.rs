//! Listing, changing, letting in, letting go.

use std::collections::{BTreeMap, BTreeSet};

use kernex_core::{
    DeploymentStatus, DeviceHealth, DeviceId, DeviceStatus, Membership, Selector, TargetState,
};
use kernex_store::{DeviceFilter, DeviceUpdate, Error, HeartbeatReport, NewDevice, Reading};

use crate::{
    database::Database,
    fleet::{
        ORG, all_at_once, assert_counts, at, beat, bundle, counter, deploy, deployment, device, device_of,
        fingerprint, name, new_device, report, target, version, waiting_device, working_on,
    },
};

on_both!(
    pages_cover_every_device_once_newest_first,
    a_page_is_not_disturbed_by_devices_that_register_meanwhile,
    text_finds_names_types_ids_and_fingerprints,
    signs_that_mean_something_in_a_pattern_are_only_themselves,
    status_filters_agree_with_the_status_of_each_device,
    tags_must_all_fit,
    a_bundle_version_finds_the_devices_that_run_it,
    filters_can_be_combined,
    an_update_changes_what_it_names_and_keeps_the_rest,
    updates_at_the_same_time_do_not_lose_each_other,
    membership_changes_only_from_where_it_may,
    a_device_that_leaves_cancels_its_open_targets,
    memberships_are_given_for_many_at_once,
);

fn all() -> DeviceFilter {
    DeviceFilter { limit: 100, ..DeviceFilter::default() }
}

async fn found(db: &Database, filter: &DeviceFilter) -> BTreeSet<DeviceId> {
    let (devices, total) = db.store.list_devices(ORG, filter, at(10)).await.unwrap();
    assert_eq!(devices.len() as u64, total);
    devices.iter().map(|device| device.id).collect()
}

async fn named(db: &Database, key: &str, display_name: &str) -> DeviceId {
    let id = waiting_device(&db.store, ORG, key).await;
    let update = DeviceUpdate { display_name: Some(Some(display_name.to_owned())), tags: None };
    db.store.update_device(ORG, id, &update, "ada", at(0)).await.unwrap().unwrap();
    id
}

fn tags(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
    pairs.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect()
}

async fn pages_cover_every_device_once_newest_first(db: &Database) {
    let mut expected = Vec::new();
    for number in 0..23 {
        let new = new_device(&format!("device {number}"));
        expected.push(device_of(db.store.register_device(&new, at(number)).await.unwrap()).0);
    }
    expected.reverse();
    let mut seen = Vec::new();
    let mut filter = DeviceFilter { limit: 5, ..DeviceFilter::default() };
    loop {
        let (page, total) = db.store.list_devices(ORG, &filter, at(30)).await.unwrap();
        assert_eq!(total, 23, "the total does not depend on the page");
        seen.extend(page.iter().map(|device| device.id));
        match page.last() {
            Some(last) if page.len() == 5 => filter.after = Some(last.id),
            _ => break,
        }
    }
    assert_eq!(seen, expected);
}

async fn a_page_is_not_disturbed_by_devices_that_register_meanwhile(db: &Database) {
    for number in 0..4 {
        let new = new_device(&format!("device {number}"));
        db.store.register_device(&new, at(number)).await.unwrap();
    }
    let mut filter = DeviceFilter { limit: 2, ..DeviceFilter::default() };
    let (first, _) = db.store.list_devices(ORG, &filter, at(10)).await.unwrap();
    db.store.register_device(&new_device("newcomer"), at(9)).await.unwrap();
    filter.after = Some(first[1].id);
    let (second, total) = db.store.list_devices(ORG, &filter, at(10)).await.unwrap();
    let ids: BTreeSet<_> = first.iter().chain(&second).map(|device| device.id).collect();
    assert_eq!((ids.len(), total), (4, 5));
}

async fn text_finds_names_types_ids_and_fingerprints(db: &Database) {
    let camera = named(db, "one", "Camera North").await;
    let scanner = named(db, "two", "scanner").await;
    let find =
        async |text: &str| found(db, &DeviceFilter { selector: Some(Selector::text(text)), ..all() }).await;
    assert_eq!(find("camera").await, [camera].into(), "without regard to case");
    assert_eq!(find("NORTH").await, [camera].into());
    assert_eq!(find("jetson").await, [camera, scanner].into());
    assert_eq!(find(&scanner.to_string()).await, [scanner].into());
    assert!(find(&scanner.to_string()[..20].to_uppercase()).await.contains(&scanner));
    assert_eq!(find(&fingerprint("two")[..12]).await, [scanner].into());
    assert_eq!(find("nothing like it").await, BTreeSet::new());
}

async fn signs_that_mean_something_in_a_pattern_are_only_themselves(db: &Database) {
    let percent = named(db, "one", "100% load").await;
    let underscore = named(db, "two", "rack_7").await;
    let backslash = named(db, "three", r"a\b").await;
    let quote = named(db, "four", "O'Hara; DROP TABLE devices").await;
    let find =
        async |text: &str| found(db, &DeviceFilter { selector: Some(Selector::text(text)), ..all() }).await;
    assert_eq!(find("%").await, [percent].into());
    assert_eq!(find("_").await, [underscore].into());
    assert_eq!(find(r"\").await, [backslash].into());
    assert_eq!(find("k_7").await, [underscore].into());
    assert_eq!(find("0%l").await, BTreeSet::new());
    assert_eq!(find("'").await, [quote].into());
}

async fn status_filters_agree_with_the_status_of_each_device(db: &Database) {
    for (key, health) in
        [("a", DeviceHealth::Healthy), ("b", DeviceHealth::Degraded), ("c", DeviceHealth::Error)]
    {
        let id = device(&db.store, ORG, key).await;
        let report = HeartbeatReport { reading: Reading { status: health, ..report().reading }, ..report() };
        beat(&db.store, id, &report, at(1)).await;
    }
    device(&db.store, ORG, "never seen").await;
    waiting_device(&db.store, ORG, "waiting").await;
    let gone = device(&db.store, ORG, "gone").await;
    db.store
        .change_membership(ORG, gone, Membership::ALL, Membership::Decommissioned, "ada", at(1))
        .await
        .unwrap();
    // Three missed heartbeats of 60 s and 15 s of grace after the last one.
    for (now, online) in [(at(1), 3), (at(1 + 194), 3), (at(1 + 195), 0)] {
        let (everything, _) = db.store.list_devices(ORG, &all(), now).await.unwrap();
        let mut sum = 0;
        for status in DeviceStatus::ALL {
            let filter = DeviceFilter { status: Some(*status), ..all() };
            let (listed, total) = db.store.list_devices(ORG, &filter, now).await.unwrap();
            assert!(listed.iter().all(|device| device.status(now) == *status), "{status}");
            let expected = everything.iter().filter(|device| device.status(now) == *status).count();
            assert_eq!((listed.len(), total), (expected, expected as u64), "{status}");
            sum += expected;
        }
        assert_eq!(sum, 6, "every device has one status");
        let offline = everything.iter().filter(|device| device.status(now) == DeviceStatus::Offline).count();
        assert_eq!(offline, 4 - online);
    }
}

async fn tags_must_all_fit(db: &Database) {
    let one = NewDevice { tags: tags(&[("site", "north"), ("rack", "1")]), ..new_device("one") };
    let two = NewDevice { tags: tags(&[("site", "north"), ("rack", "2")]), ..new_device("two") };
    let one = device_of(db.store.register_device(&one, at(0)).await.unwrap()).0;
    let two = device_of(db.store.register_device(&two, at(0)).await.unwrap()).0;
    let find = async |pairs: &[(&str, &str)]| {
        found(db, &DeviceFilter { tags: tags(pairs).into_iter().collect(), ..all() }).await
    };
    assert_eq!(find(&[("site", "north")]).await, [one, two].into());
    assert_eq!(find(&[("site", "north"), ("rack", "2")]).await, [two].into());
    assert_eq!(find(&[("site", "North")]).await, BTreeSet::new(), "values are compared exactly");
    let update = DeviceUpdate { display_name: None, tags: Some(tags(&[("rack", "2")])) };
    db.store.update_device(ORG, one, &update, "ada", at(0)).await.unwrap();
    assert_eq!(find(&[("site", "north")]).await, [two].into(), "labels that were replaced are gone");
    assert_eq!(find(&[("rack", "2")]).await, [one, two].into());
}

async fn a_bundle_version_finds_the_devices_that_run_it(db: &Database) {
    let one = device(&db.store, ORG, "one").await;
    let two = device(&db.store, ORG, "two").await;
    let runs = |pairs: &[(&str, &str)]| {
        let bundles = pairs.iter().map(|(bundle, number)| (name(bundle), version(number))).collect();
        HeartbeatReport { bundles: Some(bundles), ..report() }
    };
    let find =
        async |text: &str| found(db, &DeviceFilter { bundle_version: Some(text.to_owned()), ..all() }).await;
    beat(&db.store, one, &runs(&[("default", "1.0.0"), ("tools", "7")]), at(1)).await;
    beat(&db.store, two, &runs(&[("default", "1.0.0")]), at(1)).await;
    assert_eq!(find("1.0.0").await, [one, two].into());
    assert_eq!(find("7").await, [one].into());
    beat(&db.store, two, &runs(&[("default", "2.0.0")]), at(2)).await;
    assert_eq!(find("1.0.0").await, [one].into());
    beat(&db.store, two, &report(), at(3)).await;
    assert_eq!(find("2.0.0").await, [two].into(), "a heartbeat that says nothing changes nothing");
    beat(&db.store, two, &runs(&[]), at(4)).await;
    assert_eq!(find("2.0.0").await, BTreeSet::new());
}

async fn filters_can_be_combined(db: &Database) {
    let new = NewDevice { tags: tags(&[("site", "north")]), ..new_device("one") };
    let one = device_of(db.store.register_device(&new, at(0)).await.unwrap()).0;
    waiting_device(&db.store, ORG, "two").await;
    let mut filter = DeviceFilter {
        selector: Some(Selector::text("jetson")),
        status: Some(DeviceStatus::PendingApproval),
        tags: vec![("site".to_owned(), "north".to_owned())],
        ..all()
    };
    assert_eq!(found(db, &filter).await, [one].into());
    filter.bundle_version = Some("1.0.0".to_owned());
    assert_eq!(found(db, &filter).await, BTreeSet::new());
}

async fn an_update_changes_what_it_names_and_keeps_the_rest(db: &Database) {
    let id = named(db, "key", "camera").await;
    let update = DeviceUpdate { display_name: None, tags: Some(tags(&[("site", "north")])) };
    let record = db.store.update_device(ORG, id, &update, "ada", at(0)).await.unwrap().unwrap();
    assert_eq!(record.display_name.as_deref(), Some("camera"));
    assert_eq!(record.tags, tags(&[("site", "north")]));
    let update = DeviceUpdate { display_name: Some(None), tags: None };
    db.store.update_device(ORG, id, &update, "ada", at(0)).await.unwrap().unwrap();
    let record = db.store.find_device(ORG, id).await.unwrap().unwrap();
    assert_eq!((record.display_name, record.tags), (None, tags(&[("site", "north")])));
    let nobody = DeviceId::generate(at(0));
    assert!(db.store.update_device(ORG, nobody, &update, "ada", at(0)).await.unwrap().is_none());
}

async fn updates_at_the_same_time_do_not_lose_each_other(db: &Database) {
    let id = named(db, "key", "camera").await;
    all_at_once(20, |number| {
        let store = db.store.clone();
        let update = if number % 2 == 0 {
            DeviceUpdate { display_name: Some(Some("renamed".to_owned())), tags: None }
        } else {
            DeviceUpdate { display_name: None, tags: Some(tags(&[("site", "north"), ("rack", "1")])) }
        };
        async move { store.update_device(ORG, id, &update, "ada", at(0)).await.unwrap().unwrap() }
    })
    .await;
    let record = db.store.find_device(ORG, id).await.unwrap().unwrap();
    assert_eq!(record.display_name.as_deref(), Some("renamed"));
    assert_eq!(record.tags, tags(&[("site", "north"), ("rack", "1")]));
    assert_eq!(db.rows_of("device_tags").await, 2);
}

async fn membership_changes_only_from_where_it_may(db: &Database) {
    let id = waiting_device(&db.store, ORG, "key").await;
    let change = async |from: &[Membership], to| {
        db.store.change_membership(ORG, id, from, to, "ada", at(1)).await.unwrap().unwrap()
    };
    let waiting = [Membership::PendingApproval];
    assert_eq!(change(&waiting, Membership::Active).await, Membership::PendingApproval);
    assert_eq!(change(&waiting, Membership::Decommissioned).await, Membership::Active);
    let identity = db.store.find_identity(id).await.unwrap().unwrap();
    assert_eq!(identity.membership, Membership::Active, "a refused change changes nothing");
    let outcomes = all_at_once(10, |_| {
        let store = db.store.clone();
        async move {
            let from = [Membership::Active];
            store
                .change_membership(ORG, id, &from, Membership::Decommissioned, "ada", at(1))
                .await
                .unwrap()
                .unwrap()
        }
    })
    .await;
    let first = outcomes.iter().filter(|before| **before == Membership::Active).count();
    assert_eq!(first, 1, "only one of many at once does it");
    let nobody = DeviceId::generate(at(0));
    let unknown = db.store.change_membership(ORG, nobody, Membership::ALL, Membership::Active, "ada", at(1));
    assert_eq!(unknown.await.unwrap(), None);
}

async fn a_device_that_leaves_cancels_its_open_targets(db: &Database) {
    let (stays, leaves) = (device(&db.store, ORG, "stays").await, device(&db.store, ORG, "leaves").await);
    let bundle = bundle(&db.store, ORG, "1.0.0").await;
    let both = deploy(&db.store, ORG, &bundle, &[stays, leaves], at(1)).await;
    let alone = deploy(&db.store, ORG, &bundle, &[leaves], at(2)).await;
    beat(&db.store, leaves, &report(), at(3)).await;
    beat(&db.store, leaves, &working_on(both, 1, TargetState::Staging), at(4)).await;
    db.store
        .change_membership(ORG, leaves, Membership::ALL, Membership::Decommissioned, "ada", at(5))
        .await
        .unwrap();
    for id in [both, alone] {
        assert_counts(&db.store, id).await;
        assert_eq!(target(&db.store, id, leaves).await.state, TargetState::Cancelled);
    }
    assert_eq!(deployment(&db.store, both).await.status, DeploymentStatus::InProgress);
    assert_eq!(deployment(&db.store, alone).await.status, DeploymentStatus::Cancelled);
    assert_eq!(target(&db.store, both, stays).await.state, TargetState::Pending);
    let request = counter(leaves, at(6));
    assert!(matches!(db.store.accept_request(&request).await, Err(Error::Replayed)));
    let heartbeat = db.store.record_heartbeat(&request, &report(), crate::fleet::LEASE, at(6)).await;
    assert!(matches!(heartbeat, Err(Error::Replayed)));
    let third = deploy(&db.store, ORG, &bundle, &[stays, leaves], at(7)).await;
    assert_eq!(deployment(&db.store, third).await.total, 1, "a device that has left gets no target");
}

async fn memberships_are_given_for_many_at_once(db: &Database) {
    let active = device(&db.store, ORG, "active").await;
    let waiting = waiting_device(&db.store, ORG, "waiting").await;
    let nobody = DeviceId::generate(at(0));
    let known = db.store.memberships(ORG, &[waiting, nobody, active]).await.unwrap();
    let expected = [(active, Membership::Active), (waiting, Membership::PendingApproval)];
    assert_eq!(known, expected.into());
    assert!(db.store.memberships(ORG, &[]).await.unwrap().is_empty());
    let many: Vec<_> = (0..10_000).map(|_| DeviceId::generate(at(0))).chain([active]).collect();
    assert_eq!(db.store.memberships(ORG, &many).await.unwrap().len(), 1);
}
