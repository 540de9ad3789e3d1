//! Nothing of an organisation is seen or changed from another one.

use kernex_core::{ConfigPatch, DeploymentStatus, DeviceConfig, LogLevel, Membership, ResultStatus};
use kernex_store::{DeleteBundle, DeviceFilter, DeviceUpdate, FleetStats, NewLogEntry, NewRegistrationToken};

use crate::{
    database::Database,
    fleet::{
        ORG, add_other_organization, at, beat, bundle, counter, deploy, deployment, device, fingerprint,
        new_deployment, other_org, report, result, tell,
    },
};

on_both!(
    every_read_from_another_organization_gives_nothing,
    every_write_from_another_organization_changes_nothing,
    a_deployment_takes_no_device_and_no_bundle_of_another_organization,
);

async fn every_read_from_another_organization_gives_nothing(db: &Database) {
    add_other_organization(db).await;
    let (store, foreign) = (&db.store, other_org());
    let id = device(store, ORG, "key").await;
    let bundle = bundle(store, ORG, "1.0.0").await;
    let made = deploy(store, ORG, &bundle, &[id], at(1)).await;
    beat(store, id, &report(), at(2)).await;
    tell(store, id, made, &result(ResultStatus::Success), at(3)).await.unwrap();
    let line =
        NewLogEntry { level: LogLevel::Info, message: "hello".to_owned(), fields: None, logged_at: at(4) };
    store.add_logs(&counter(id, at(4)), &[line], at(4)).await.unwrap();
    let patch = ConfigPatch { polling_interval: Some(5), ..ConfigPatch::default() };
    store
        .change_config(ORG, id, "ada", at(5), |config| config.patched(&patch))
        .await
        .unwrap()
        .unwrap()
        .unwrap();
    let token = NewRegistrationToken {
        secret_sha256: fingerprint("token"),
        uses: 1,
        expires_at: at(60),
        tags: [].into(),
        created_by: "ada".to_owned(),
    };
    store.create_registration_token(ORG, &token, at(5)).await.unwrap();

    // Each row: what the owner sees, and what the other organisation sees.
    let all = DeviceFilter { limit: 100, ..DeviceFilter::default() };
    let mut seen = Vec::new();
    for org in [ORG, foreign] {
        seen.push([
            ("find_device", usize::from(store.find_device(org, id).await.unwrap().is_some())),
            ("list_devices", store.list_devices(org, &all, at(6)).await.unwrap().0.len()),
            ("total", usize::try_from(store.list_devices(org, &all, at(6)).await.unwrap().1).unwrap()),
            ("memberships", store.memberships(org, &[id]).await.unwrap().len()),
            ("find_config", usize::from(store.find_config(org, id).await.unwrap().is_some())),
            (
                "find_config_version",
                usize::from(store.find_config_version(org, id, 2).await.unwrap().is_some()),
            ),
            ("list_config_versions", store.list_config_versions(org, id).await.unwrap().len() - 1),
            ("list_heartbeats", store.list_heartbeats(org, id, None, 10).await.unwrap().len()),
            ("list_logs of a device", store.list_logs(org, Some(id), None, None, 10).await.unwrap().len()),
            ("list_logs", store.list_logs(org, None, None, None, 10).await.unwrap().len()),
            ("find_bundle", usize::from(store.find_bundle(org, bundle.id).await.unwrap().is_some())),
            (
                "find_bundle_by_version",
                usize::from(
                    store.find_bundle_by_version(org, &bundle.name, &bundle.version).await.unwrap().is_some(),
                ),
            ),
            ("list_bundles", store.list_bundles(org, None, None, 10).await.unwrap().0.len()),
            ("device_has_bundle", usize::from(store.device_has_bundle(org, id, bundle.id).await.unwrap())),
            ("find_deployment", usize::from(store.find_deployment(org, made).await.unwrap().is_some())),
            ("list_deployments", store.list_deployments(org, None, None, 10).await.unwrap().0.len()),
            ("list_target_ids", store.list_target_ids(org, made).await.unwrap().len()),
            ("list_targets", store.list_targets(org, made, None, None, 10).await.unwrap().len()),
            ("list_history", store.list_history(org, id, 10).await.unwrap().len()),
            (
                "devices_that_ran",
                store.devices_that_ran(org, &[id], &bundle.name, &bundle.version).await.unwrap().len(),
            ),
            ("list_registration_tokens", store.list_registration_tokens(org, at(6)).await.unwrap().len()),
        ]);
    }
    for ((what, own), (_, other)) in seen[0].iter().zip(&seen[1]) {
        assert_eq!((*own, *other), (1, 0), "{what}");
    }
    assert_eq!(store.fleet_stats(foreign, at(6)).await.unwrap(), FleetStats::default());
    let previous = store.previous_versions(foreign, made, &bundle.name, &"2.0.0".parse().unwrap()).await;
    assert!(previous.unwrap().is_empty());
}

async fn every_write_from_another_organization_changes_nothing(db: &Database) {
    add_other_organization(db).await;
    let (store, foreign) = (&db.store, other_org());
    let id = device(store, ORG, "key").await;
    let bundle = bundle(store, ORG, "1.0.0").await;
    let made = deploy(store, ORG, &bundle, &[id], at(1)).await;
    let update = DeviceUpdate { display_name: Some(Some("mine".to_owned())), tags: Some([].into()) };
    assert!(store.update_device(foreign, id, &update, "ada", at(0)).await.unwrap().is_none());
    let gone =
        store.change_membership(foreign, id, Membership::ALL, Membership::Decommissioned, "ada", at(2)).await;
    assert_eq!(gone.unwrap(), None);
    let change = |config: &DeviceConfig| Ok::<_, ()>(config.clone());
    assert!(store.change_config(foreign, id, "eve", at(2), change).await.unwrap().is_none());
    assert_eq!(store.delete_bundle(foreign, bundle.id, "ada", at(2)).await.unwrap(), DeleteBundle::NotFound);
    assert_eq!(store.cancel_deployment(foreign, made, at(2)).await.unwrap(), None);
    let record = store.find_device(ORG, id).await.unwrap().unwrap();
    assert_eq!(
        (record.display_name, record.membership, record.config_version),
        (None, Membership::Active, 1)
    );
    assert_eq!(deployment(store, made).await.status, DeploymentStatus::Pending);
    assert!(store.find_bundle(ORG, bundle.id).await.unwrap().is_some());
}

async fn a_deployment_takes_no_device_and_no_bundle_of_another_organization(db: &Database) {
    add_other_organization(db).await;
    let (store, foreign) = (&db.store, other_org());
    let (own, theirs) = (device(store, ORG, "own").await, device(store, foreign, "theirs").await);
    let bundle = bundle(store, ORG, "1.0.0").await;
    let made = deploy(store, ORG, &bundle, &[own, theirs], at(1)).await;
    assert_eq!(store.list_target_ids(ORG, made).await.unwrap(), [own]);
    let new = new_deployment(&bundle, &[theirs], at(2));
    let stolen = store.create_deployments(foreign, &[new], at(2), None, || (201, String::new())).await;
    assert_eq!(stolen.unwrap(), kernex_store::Once::Done(false));
    assert_eq!(store.list_deployments(foreign, None, None, 10).await.unwrap().1, 0);
}
