//! Configuration versions.

use std::collections::BTreeSet;

use kernex_core::{ConfigPatch, DeviceConfig, DeviceId, LogLevel};

use crate::{
    database::Database,
    fleet::{ORG, all_at_once, at, beat, device, other_org, report},
};

on_both!(
    a_device_starts_with_the_default_as_version_one,
    a_hundred_changes_at_once_get_a_version_each_and_none_is_lost,
    a_refused_change_stores_nothing,
    a_change_builds_on_the_one_before,
    versions_are_listed_newest_first_and_bounded,
    a_shorter_interval_counts_from_the_next_heartbeat_on,
);

async fn set(db: &Database, id: DeviceId, patch: ConfigPatch) -> u64 {
    let change = |config: &DeviceConfig| config.patched(&patch);
    let changed = db.store.change_config(ORG, id, "ada", at(1), change).await.unwrap();
    changed.unwrap().unwrap().version
}

fn interval(secs: u32) -> ConfigPatch {
    ConfigPatch { polling_interval: Some(secs), ..ConfigPatch::default() }
}

async fn a_device_starts_with_the_default_as_version_one(db: &Database) {
    let id = device(&db.store, ORG, "key").await;
    let config = db.store.find_config(ORG, id).await.unwrap().unwrap();
    assert_eq!((config.version, config.config), (1, DeviceConfig::default()));
    let versions = db.store.list_config_versions(ORG, id).await.unwrap();
    assert_eq!(versions.iter().map(|record| record.version).collect::<Vec<_>>(), [1]);
    let nobody = DeviceId::generate(at(0));
    assert!(db.store.find_config(ORG, nobody).await.unwrap().is_none());
    let change = db.store.change_config(ORG, nobody, "ada", at(1), |config| config.patched(&interval(5)));
    assert!(change.await.unwrap().is_none());
}

async fn a_hundred_changes_at_once_get_a_version_each_and_none_is_lost(db: &Database) {
    let id = device(&db.store, ORG, "key").await;
    let replica = db.replica().await;
    let given = all_at_once(100, |number| {
        let store = if number % 2 == 0 { db.store.clone() } else { replica.clone() };
        async move {
            // Each adds a key to what is there: a change that did not see the one before would drop that one's.
            let change = |config: &DeviceConfig| {
                let mut next = config.clone();
                next.metadata.insert(format!("from {number}"), true.into());
                Ok::<_, ()>(next)
            };
            store.change_config(ORG, id, "ada", at(1), change).await.unwrap().unwrap().unwrap().version
        }
    })
    .await;
    assert_eq!(given.into_iter().collect::<BTreeSet<_>>(), (2..=101).collect());
    let versions = db.store.list_config_versions(ORG, id).await.unwrap();
    assert_eq!(
        versions.iter().map(|record| record.version).collect::<Vec<_>>(),
        (1..=101).rev().collect::<Vec<_>>()
    );
    for record in versions {
        assert_eq!(record.config.metadata.len() as u64, record.version - 1, "version {}", record.version);
    }
}

async fn a_refused_change_stores_nothing(db: &Database) {
    let id = device(&db.store, ORG, "key").await;
    assert_eq!(set(db, id, interval(30)).await, 2);
    let refused = db.store.change_config(ORG, id, "ada", at(1), |config| config.patched(&interval(0)));
    assert!(refused.await.unwrap().unwrap().is_err());
    assert_eq!(db.store.find_config(ORG, id).await.unwrap().unwrap().version, 2);
    assert_eq!(db.store.list_config_versions(ORG, id).await.unwrap().len(), 2);
    assert_eq!(set(db, id, interval(20)).await, 3, "no number is skipped");
}

async fn a_change_builds_on_the_one_before(db: &Database) {
    let id = device(&db.store, ORG, "key").await;
    set(db, id, interval(30)).await;
    set(db, id, ConfigPatch { log_level: Some(LogLevel::Debug), ..ConfigPatch::default() }).await;
    let config = db.store.find_config(ORG, id).await.unwrap().unwrap();
    assert_eq!((config.config.polling_interval, config.config.log_level), (30, LogLevel::Debug));
    assert_eq!((config.created_by.as_deref(), config.created_at), (Some("ada"), Some(at(1))));
    let second = db.store.find_config_version(ORG, id, 2).await.unwrap().unwrap();
    assert_eq!((second.config.polling_interval, second.config.log_level), (30, LogLevel::Info));
    assert!(db.store.find_config_version(ORG, id, 4).await.unwrap().is_none());
    assert!(db.store.find_config_version(other_org(), id, 2).await.unwrap().is_none());
}

async fn versions_are_listed_newest_first_and_bounded(db: &Database) {
    let id = device(&db.store, ORG, "key").await;
    for number in 0..210 {
        set(db, id, interval(1 + number)).await;
    }
    let versions = db.store.list_config_versions(ORG, id).await.unwrap();
    assert_eq!((versions.len(), versions[0].version), (200, 211));
    assert_eq!(db.store.find_config_version(ORG, id, 2).await.unwrap().unwrap().config.polling_interval, 1);
}

async fn a_shorter_interval_counts_from_the_next_heartbeat_on(db: &Database) {
    let id = device(&db.store, ORG, "key").await;
    set(db, id, interval(10)).await;
    assert_eq!(beat(&db.store, id, &report(), at(2)).await.polling_interval, 10);
    let record = db.store.find_device(ORG, id).await.unwrap().unwrap();
    assert_eq!(record.overdue_at, at(2 + 3 * 10 + 15));
}
