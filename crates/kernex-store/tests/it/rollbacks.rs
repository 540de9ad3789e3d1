//! What devices ran before, and lists of deployments and targets.

use std::collections::BTreeSet;

use kernex_core::{DeploymentStatus, DeviceId, ResultStatus, TargetState};
use kernex_store::NewBundle;

use crate::{
    database::Database,
    fleet::{ORG, at, bundle, deploy, device, name, new_bundle, result, tell, version},
};

on_both!(
    the_version_before_is_the_last_other_one_that_ran,
    a_version_whose_bundle_is_gone_cannot_be_returned_to,
    only_devices_that_ran_a_version_with_success_are_named,
    pages_of_deployments_cover_each_once_newest_first,
    pages_of_targets_cover_each_once_in_order,
);

/// The bundle of a version, which is uploaded if it is not there.
async fn stored(db: &Database, number: &str) -> NewBundle {
    match db.store.find_bundle_by_version(ORG, &name("default"), &version(number)).await.unwrap() {
        Some(known) => NewBundle { id: known.id, ..new_bundle("default", number) },
        None => bundle(&db.store, ORG, number).await,
    }
}

async fn ran(db: &Database, device: DeviceId, number: &str, status: ResultStatus, secs: i64) {
    let bundle = stored(db, number).await;
    let made = deploy(&db.store, ORG, &bundle, &[device], at(secs)).await;
    tell(&db.store, device, made, &result(status), at(secs + 1)).await.unwrap();
}

async fn the_version_before_is_the_last_other_one_that_ran(db: &Database) {
    use ResultStatus::{Failed, Success};
    let (one, two, new) = (
        device(&db.store, ORG, "one").await,
        device(&db.store, ORG, "two").await,
        device(&db.store, ORG, "new").await,
    );
    ran(db, one, "1.0.0", Success, 10).await;
    ran(db, one, "2.0.0", Success, 20).await;
    ran(db, one, "2.5.0", Failed, 30).await;
    ran(db, one, "3.0.0", Success, 40).await;
    ran(db, two, "2.0.0", Success, 20).await;
    ran(db, two, "1.0.0", Success, 50).await;
    let third = stored(db, "3.0.0").await;
    let made = deploy(&db.store, ORG, &third, &[one, two, new], at(60)).await;
    ran(db, two, "9.0.0", Success, 70).await;
    let previous = db.store.previous_versions(ORG, made, &name("default"), &version("3.0.0")).await.unwrap();
    let previous: BTreeSet<_> = previous.into_iter().map(|(id, version)| (id, version.to_string())).collect();
    let expected = [(one, "2.0.0".to_owned()), (two, "1.0.0".to_owned())];
    assert_eq!(
        previous,
        expected.into(),
        "not what failed, not the same one, nothing later, and nothing for a new one"
    );
}

async fn a_version_whose_bundle_is_gone_cannot_be_returned_to(db: &Database) {
    let id = device(&db.store, ORG, "one").await;
    for (number, secs) in [("1.0.0", 10), ("2.0.0", 20), ("3.0.0", 30)] {
        ran(db, id, number, ResultStatus::Success, secs).await;
    }
    let second = stored(db, "2.0.0").await;
    db.store.delete_bundle(ORG, second.id, "ada", at(40)).await.unwrap();
    let third = stored(db, "3.0.0").await;
    let made = deploy(&db.store, ORG, &third, &[id], at(50)).await;
    let previous = db.store.previous_versions(ORG, made, &name("default"), &version("3.0.0")).await.unwrap();
    assert_eq!(previous, [(id, version("1.0.0"))]);
}

async fn only_devices_that_ran_a_version_with_success_are_named(db: &Database) {
    let (ok, failed, never) = (
        device(&db.store, ORG, "ok").await,
        device(&db.store, ORG, "failed").await,
        device(&db.store, ORG, "never").await,
    );
    ran(db, ok, "1.0.0", ResultStatus::Success, 10).await;
    ran(db, failed, "1.0.0", ResultStatus::Failed, 10).await;
    ran(db, ok, "1.0.0", ResultStatus::Success, 20).await;
    let asked = [ok, failed, never];
    let name = name("default");
    let found = db.store.devices_that_ran(ORG, &asked, &name, &version("1.0.0")).await.unwrap();
    assert_eq!(found, [ok], "each once");
    let found = db.store.devices_that_ran(ORG, &asked, &name, &version("2.0.0")).await.unwrap();
    assert!(found.is_empty());
    let found = db.store.devices_that_ran(ORG, &[], &name, &version("1.0.0")).await.unwrap();
    assert!(found.is_empty());
}

async fn pages_of_deployments_cover_each_once_newest_first(db: &Database) {
    let id = device(&db.store, ORG, "key").await;
    let bundle = bundle(&db.store, ORG, "1.0.0").await;
    let mut expected = Vec::new();
    for secs in 1..=9 {
        expected.push(deploy(&db.store, ORG, &bundle, &[id], at(secs)).await);
    }
    tell(&db.store, id, expected[4], &result(ResultStatus::Success), at(20)).await.unwrap();
    expected.reverse();
    let (mut seen, mut after) = (Vec::new(), None);
    loop {
        let (page, total) = db.store.list_deployments(ORG, None, after, 4).await.unwrap();
        assert_eq!(total, 9);
        seen.extend(page.iter().map(|deployment| deployment.id));
        match page.last() {
            Some(last) => after = Some(last.id),
            None => break,
        }
    }
    assert_eq!(seen, expected);
    for (status, count) in
        [(DeploymentStatus::Success, 1), (DeploymentStatus::Pending, 8), (DeploymentStatus::Failed, 0)]
    {
        let (page, total) = db.store.list_deployments(ORG, Some(status), None, 100).await.unwrap();
        assert_eq!((page.len(), total), (usize::try_from(count).unwrap(), count), "{status}");
    }
}

async fn pages_of_targets_cover_each_once_in_order(db: &Database) {
    let mut ids = Vec::new();
    for number in 0..9 {
        ids.push(device(&db.store, ORG, &format!("device {number}")).await);
    }
    let bundle = bundle(&db.store, ORG, "1.0.0").await;
    let made = deploy(&db.store, ORG, &bundle, &ids, at(1)).await;
    ids.sort();
    let (mut seen, mut after) = (Vec::new(), None);
    loop {
        let page = db.store.list_targets(ORG, made, None, after, 4).await.unwrap();
        seen.extend(page.iter().map(|target| target.device_id));
        match page.last() {
            Some(last) => after = Some(last.device_id),
            None => break,
        }
    }
    assert_eq!(seen, ids);
    tell(&db.store, ids[3], made, &result(ResultStatus::Success), at(2)).await.unwrap();
    for (state, count) in [(TargetState::Success, 1), (TargetState::Pending, 8), (TargetState::Failed, 0)] {
        assert_eq!(db.store.list_targets(ORG, made, Some(state), None, 100).await.unwrap().len(), count);
    }
}
