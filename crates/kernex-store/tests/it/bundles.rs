//! Bundles: one per name and version, kept while needed.

use std::collections::BTreeSet;

use kernex_core::{BundleId, ResultStatus};
use kernex_store::{DeleteBundle, Error, HeartbeatReport, NewBundle, Once};

use crate::{
    database::Database,
    fleet::{
        ORG, add_other_organization, all_at_once, assert_counts, at, beat, bundle, deploy, device, name,
        new_bundle, new_deployment, other_org, report, result, tell, version,
    },
};

on_both!(
    the_same_version_from_many_at_once_gives_one_bundle,
    a_stored_bundle_reads_back_as_it_was,
    the_same_version_of_another_name_or_organization_is_another_bundle,
    pages_cover_every_bundle_once_and_names_filter,
    a_bundle_that_is_needed_or_run_is_not_deleted,
    a_deleted_version_can_be_uploaded_again,
    a_deletion_and_a_deployment_at_once_never_leave_a_target_without_its_bundle,
    a_device_has_the_bundles_of_its_targets_only,
);

async fn create(db: &Database, new: &NewBundle) -> kernex_store::Result<Once<()>> {
    db.store.create_bundle(ORG, new, at(1), None, || (201, String::new())).await
}

async fn the_same_version_from_many_at_once_gives_one_bundle(db: &Database) {
    let replica = db.replica().await;
    let answers = all_at_once(20, |number| {
        let store = if number % 2 == 0 { db.store.clone() } else { replica.clone() };
        let new = new_bundle("default", "1.0.0");
        async move { store.create_bundle(ORG, &new, at(1), None, || (201, String::new())).await }
    })
    .await;
    assert_eq!(answers.iter().filter(|answer| answer.is_ok()).count(), 1);
    assert_eq!(answers.iter().filter(|answer| matches!(answer, Err(Error::Exists))).count(), 19);
    assert_eq!(db.rows_of("bundles").await, 1);
}

async fn a_stored_bundle_reads_back_as_it_was(db: &Database) {
    let new = NewBundle { size_bytes: 16 << 30, description: None, ..new_bundle("vision", "1.0.0+b.7") };
    create(db, &new).await.unwrap();
    let by_id = db.store.find_bundle(ORG, new.id).await.unwrap().unwrap();
    let by_version = db.store.find_bundle_by_version(ORG, &new.name, &new.version).await.unwrap().unwrap();
    for record in [by_id, by_version] {
        assert_eq!((record.id, &record.name, &record.version), (new.id, &new.name, &new.version));
        assert_eq!((&record.checksum_sha256, record.size_bytes), (&new.checksum_sha256, 16 << 30));
        assert_eq!((&record.manifest, record.description), (&new.manifest, None));
        assert_eq!((record.uploaded_by.as_str(), record.created_at), ("ada", at(1)));
    }
    assert!(db.store.find_bundle(ORG, BundleId::generate(at(0))).await.unwrap().is_none());
    let other = version("1.0.0+B.7");
    assert!(db.store.find_bundle_by_version(ORG, &new.name, &other).await.unwrap().is_none(), "case matters");
}

async fn the_same_version_of_another_name_or_organization_is_another_bundle(db: &Database) {
    add_other_organization(db).await;
    create(db, &new_bundle("default", "1.0.0")).await.unwrap();
    create(db, &new_bundle("vision", "1.0.0")).await.unwrap();
    let foreign = new_bundle("default", "1.0.0");
    db.store.create_bundle(other_org(), &foreign, at(1), None, || (201, String::new())).await.unwrap();
    assert_eq!(db.store.list_bundles(ORG, None, None, 10).await.unwrap().1, 2);
    assert_eq!(db.store.list_bundles(other_org(), None, None, 10).await.unwrap().1, 1);
    assert!(db.store.find_bundle(ORG, foreign.id).await.unwrap().is_none());
    assert_eq!(db.store.delete_bundle(ORG, foreign.id, "ada", at(2)).await.unwrap(), DeleteBundle::NotFound);
    assert!(db.store.find_bundle(other_org(), foreign.id).await.unwrap().is_some());
}

async fn pages_cover_every_bundle_once_and_names_filter(db: &Database) {
    let mut expected = Vec::new();
    for number in 0..11 {
        let new = NewBundle {
            id: BundleId::generate(at(number)),
            ..new_bundle(if number % 2 == 0 { "even" } else { "odd" }, &format!("{number}.0.0"))
        };
        create(db, &new).await.unwrap();
        expected.push(new.id);
    }
    expected.reverse();
    let (mut seen, mut after) = (Vec::new(), None);
    loop {
        let (page, total) = db.store.list_bundles(ORG, None, after, 4).await.unwrap();
        assert_eq!(total, 11);
        seen.extend(page.iter().map(|bundle| bundle.id));
        match page.last() {
            Some(last) => after = Some(last.id),
            None => break,
        }
    }
    assert_eq!(seen, expected);
    let (even, total) = db.store.list_bundles(ORG, Some(&name("even")), None, 100).await.unwrap();
    assert_eq!((even.len(), total), (6, 6));
    assert!(even.iter().all(|bundle| bundle.name == name("even")));
}

async fn a_bundle_that_is_needed_or_run_is_not_deleted(db: &Database) {
    let (one, two) = (device(&db.store, ORG, "one").await, device(&db.store, ORG, "two").await);
    let bundle = bundle(&db.store, ORG, "1.0.0").await;
    let made = deploy(&db.store, ORG, &bundle, &[one, two], at(1)).await;
    let delete = async |secs| db.store.delete_bundle(ORG, bundle.id, "ada", at(secs)).await.unwrap();
    assert_eq!(delete(2).await, DeleteBundle::NeededByTargets(2));
    tell(&db.store, one, made, &result(ResultStatus::Success), at(3)).await.unwrap();
    assert_eq!(delete(4).await, DeleteBundle::NeededByTargets(1));
    tell(&db.store, two, made, &result(ResultStatus::Failed), at(5)).await.unwrap();
    assert_eq!(delete(6).await, DeleteBundle::RunByDevices(1));
    let other = vec![(name("default"), version("9.0.0"))];
    beat(&db.store, one, &HeartbeatReport { bundles: Some(other), ..report() }, at(7)).await;
    assert_eq!(delete(8).await, DeleteBundle::Deleted);
    assert_eq!(delete(9).await, DeleteBundle::NotFound);
    assert!(db.store.find_bundle(ORG, bundle.id).await.unwrap().is_none());
    assert_eq!(db.store.list_history(ORG, one, 10).await.unwrap()[0].bundle_version, version("1.0.0"));
    assert_counts(&db.store, made).await;
}

async fn a_deleted_version_can_be_uploaded_again(db: &Database) {
    let first = bundle(&db.store, ORG, "1.0.0").await;
    db.store.delete_bundle(ORG, first.id, "ada", at(1)).await.unwrap();
    let second = bundle(&db.store, ORG, "1.0.0").await;
    let found = db.store.find_bundle_by_version(ORG, &first.name, &first.version).await.unwrap().unwrap();
    assert_eq!(found.id, second.id);
    let (listed, total) = db.store.list_bundles(ORG, None, None, 10).await.unwrap();
    assert_eq!((listed.len(), total), (1, 1));
    let unknown = BundleId::generate(at(0));
    let deleted = db.store.deleted_bundles(&[first.id, second.id, unknown]).await.unwrap();
    assert_eq!(deleted, [first.id], "only what is known to be deleted may lose its bytes");
    let new = new_deployment(&first, &[device(&db.store, ORG, "key").await], at(2));
    let made = db.store.create_deployments(ORG, &[new], at(2), None, || (201, String::new())).await.unwrap();
    assert_eq!(made, Once::Done(false));
    assert_eq!(db.rows_of("deployments").await, 0);
}

async fn a_deletion_and_a_deployment_at_once_never_leave_a_target_without_its_bundle(db: &Database) {
    let id = device(&db.store, ORG, "key").await;
    for round in 0..8 {
        let bundle = bundle(&db.store, ORG, &format!("{round}.0.0")).await;
        let outcomes = all_at_once(4, |number| {
            let (store, bundle) = (db.store.clone(), bundle.clone());
            async move {
                if number % 2 == 0 {
                    return store.delete_bundle(ORG, bundle.id, "ada", at(1)).await.unwrap()
                        == DeleteBundle::Deleted;
                }
                let new = [new_deployment(&bundle, &[id], at(1))];
                let made = store.create_deployments(ORG, &new, at(1), None, || (201, String::new()));
                made.await.unwrap() == Once::Done(true)
            }
        })
        .await;
        let (deleted, deployed) = (outcomes[0] || outcomes[2], outcomes[1] || outcomes[3]);
        assert!(deleted != deployed, "round {round}: {outcomes:?}");
    }
}

async fn a_device_has_the_bundles_of_its_targets_only(db: &Database) {
    let (one, two) = (device(&db.store, ORG, "one").await, device(&db.store, ORG, "two").await);
    let (first, second) = (bundle(&db.store, ORG, "1.0.0").await, bundle(&db.store, ORG, "2.0.0").await);
    let made = deploy(&db.store, ORG, &first, &[one], at(1)).await;
    let has =
        async |device, bundle: &NewBundle| db.store.device_has_bundle(ORG, device, bundle.id).await.unwrap();
    let seen: Vec<bool> = vec![
        has(one, &first).await,
        has(one, &second).await,
        has(two, &first).await,
        has(two, &second).await,
    ];
    assert_eq!(seen, [true, false, false, false]);
    tell(&db.store, one, made, &result(ResultStatus::Success), at(2)).await.unwrap();
    assert!(has(one, &first).await, "after the end as well");
    let listed: BTreeSet<_> = db.store.list_target_ids(ORG, made).await.unwrap().into_iter().collect();
    assert_eq!(listed, [one].into());
}
