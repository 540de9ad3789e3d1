//! Counts over the fleet.

use std::collections::BTreeMap;

use kernex_core::{DeviceHealth, Membership, ResultStatus};
use kernex_store::{HeartbeatReport, Reading};

use crate::{
    database::Database,
    fleet::{
        ORG, add_other_organization, at, beat, bundle, deploy, device, other_org, report, result, tell,
        waiting_device,
    },
};

on_both!(an_empty_fleet_counts_nothing, counts_follow_the_fleet);

async fn an_empty_fleet_counts_nothing(db: &Database) {
    let stats = db.store.fleet_stats(ORG, at(0)).await.unwrap();
    assert_eq!(stats, kernex_store::FleetStats::default());
    assert!(db.store.count_devices(at(0)).await.unwrap().is_empty());
}

async fn counts_follow_the_fleet(db: &Database) {
    add_other_organization(db).await;
    let online = device(&db.store, ORG, "online").await;
    let broken = device(&db.store, ORG, "broken").await;
    let gone = device(&db.store, ORG, "gone").await;
    device(&db.store, ORG, "never seen").await;
    waiting_device(&db.store, ORG, "waiting").await;
    device(&db.store, other_org(), "foreign").await;
    beat(&db.store, online, &report(), at(1)).await;
    let reading = Reading { status: DeviceHealth::Error, ..report().reading };
    beat(&db.store, broken, &HeartbeatReport { reading, ..report() }, at(1)).await;
    db.store
        .change_membership(ORG, gone, Membership::ALL, Membership::Decommissioned, "ada", at(1))
        .await
        .unwrap();
    let (first, deleted) = (bundle(&db.store, ORG, "1.0.0").await, bundle(&db.store, ORG, "2.0.0").await);
    db.store.delete_bundle(ORG, deleted.id, "ada", at(1)).await.unwrap();
    let made = deploy(&db.store, ORG, &first, &[online], at(2)).await;
    tell(&db.store, online, made, &result(ResultStatus::Success), at(3)).await.unwrap();
    deploy(&db.store, ORG, &first, &[online], at(4)).await;

    let stats = db.store.fleet_stats(ORG, at(5)).await.unwrap();
    let counts = |pairs: &[(&str, u64)]| -> BTreeMap<String, u64> {
        pairs.iter().map(|(status, count)| ((*status).to_owned(), *count)).collect()
    };
    let devices =
        [("online", 1), ("error", 1), ("offline", 1), ("pending_approval", 1), ("decommissioned", 1)];
    assert_eq!(stats.devices_by_status, counts(&devices));
    assert_eq!(stats.deployments_by_status, counts(&[("pending", 1), ("success", 1)]));
    assert_eq!(stats.bundles, 1);
    let everywhere = db.store.count_devices(at(5)).await.unwrap();
    assert_eq!(everywhere.get("offline"), Some(&2), "all organisations");
    let later = db.store.fleet_stats(ORG, at(100_000)).await.unwrap();
    assert_eq!(later.devices_by_status.get("offline"), Some(&3));
}
