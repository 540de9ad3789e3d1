//! A disk that is full while a bundle arrives.

use std::{
    fs,
    path::{Path, PathBuf},
};

use kernex_testkit::{Backend, ServerSetup, TestBundle};

use crate::small_disk::SmallDisk;

/// Room for the database and a small bundle, not for a large one.
const DISK_MIB: usize = 24;

#[tokio::test(flavor = "multi_thread")]
async fn an_upload_onto_a_full_disk_is_refused_leaves_nothing_and_the_server_goes_on() {
    let mount_point = tempfile::tempdir().unwrap();
    let Some(disk) = SmallDisk::mount(mount_point.path(), DISK_MIB) else {
        println!("not run: only root can mount a small disk");
        return;
    };
    let setup = ServerSetup::new(Backend::Sqlite).await.with_data_dir(&disk.0.join("data"));
    let server = setup.start().await;
    let admin = server.admin().await;
    let large =
        TestBundle::tiny("large", "1.0.0").with_random_bytes((DISK_MIB + 8) << 20).pack(setup.folder());
    let before = bundle_files(setup.data_dir());

    let error = admin.upload_bundle(&large, None, |_| {}).await.unwrap_err();
    assert_eq!(error.status(), Some(503), "{error}");
    assert!(error.to_string().contains("no space"), "{error}");
    assert_eq!(bundle_files(setup.data_dir()), before, "something was left behind");

    let small = TestBundle::tiny("small", "1.0.0").pack(setup.folder());
    let uploaded = admin.upload_bundle(&small, None, |_| {}).await.expect("a small bundle still fits");
    let names: Vec<_> = admin.list_bundles(&Default::default()).await.unwrap().bundles;
    assert_eq!(names.iter().map(|bundle| bundle.bundle_id).collect::<Vec<_>>(), [uploaded.bundle_id]);
    drop(server);
}

fn bundle_files(data_dir: &Path) -> Vec<PathBuf> {
    let folders = ["blobs", "incoming"].map(|folder| fs::read_dir(data_dir.join(folder)).unwrap());
    folders.into_iter().flatten().map(|entry| entry.unwrap().path()).collect()
}
