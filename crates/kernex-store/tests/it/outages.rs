//! A database that is gone, full, busy or broken: every call says so, as something that trying again may help.

use std::{
    path::{Path, PathBuf},
    process::Command,
    time::Duration,
};

use kernex_core::Membership;
use kernex_store::{DeviceFilter, Error, Options, Store};
use sqlx::{Connection as _, Executor as _, SqliteConnection};

use crate::fleet::{LEASE, ORG, at, counter, device, new_device, report};

/// Demands that calls of each kind fail as unavailable.
async fn assert_unavailable(store: &Store, id: kernex_core::DeviceId, with_reads: bool) {
    let mut errors = vec![
        ("check", store.check().await.err()),
        ("register", store.register_device(&new_device("other"), at(1)).await.err()),
        ("heartbeat", store.record_heartbeat(&counter(id, at(9)), &report(), LEASE, at(9)).await.err()),
        (
            "membership",
            store.change_membership(ORG, id, Membership::ALL, Membership::Active, "ada", at(1)).await.err(),
        ),
    ];
    if with_reads {
        let all = DeviceFilter { limit: 10, ..DeviceFilter::default() };
        errors.push(("find", store.find_device(ORG, id).await.err()));
        errors.push(("list", store.list_devices(ORG, &all, at(1)).await.err()));
        errors.push(("stats", store.fleet_stats(ORG, at(1)).await.err()));
    }
    for (what, error) in errors {
        assert!(matches!(error, Some(Error::Unavailable(_))), "{what}: {error:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_postgres_that_was_stopped_is_unavailable() {
    let cluster = tokio::task::spawn_blocking(kernex_testpg::Cluster::start).await.unwrap().unwrap();
    let mut options = Options::new(cluster.url());
    options.acquire_timeout = Duration::from_millis(500);
    let store = Store::open(&options).await.unwrap();
    let id = device(&store, ORG, "key").await;
    tokio::task::spawn_blocking(move || drop(cluster)).await.unwrap();
    assert_unavailable(&store, id, true).await;
    assert!(matches!(Store::open(&options).await, Err(Error::Unavailable(_))));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_postgres_that_cuts_its_connections_is_used_again() {
    let cluster = tokio::task::spawn_blocking(kernex_testpg::Cluster::start).await.unwrap().unwrap();
    let store = Store::open(&Options::new(cluster.url())).await.unwrap();
    let id = device(&store, ORG, "key").await;
    let mut connection = sqlx::PgConnection::connect(cluster.url()).await.unwrap();
    let cut =
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'kernex-server'";
    connection.execute(cut).await.unwrap();
    assert_answers_in_the_end(&store, id).await;
    store.check().await.unwrap();
    drop(store);
    tokio::task::spawn_blocking(move || drop(cluster)).await.unwrap();
}

#[tokio::test]
async fn a_postgres_that_became_read_only_is_unavailable_for_writes() {
    let db = crate::database::Database::create(crate::database::Kind::Postgres).await;
    let id = device(&db.store, ORG, "key").await;
    let name = db.texts("SELECT current_database()::text").await.remove(0);
    db.execute(&format!("ALTER DATABASE \"{name}\" SET default_transaction_read_only = on")).await;
    assert!(matches!(db.reopen().await, Err(Error::Unavailable(_))));
    // New connections are read-only; old ones are cut.
    db.execute(&format!(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{name}' AND pid <> pg_backend_pid()"
    ))
    .await;
    assert_answers_in_the_end(&db.store, id).await;
    assert_unavailable(&db.store, id, false).await;
    assert!(db.store.find_device(ORG, id).await.unwrap().is_some(), "reading goes on");
}

/// Calls on cut connections may fail, as unavailable; each takes its connection out of the pool.
async fn assert_answers_in_the_end(store: &Store, id: kernex_core::DeviceId) {
    let mut failures = 0;
    while let Err(error) = store.find_device(ORG, id).await {
        assert!(matches!(error, Error::Unavailable(_)), "{error}");
        failures += 1;
        assert!(failures < 20, "the pool must find new connections");
    }
}

#[tokio::test]
async fn a_closed_pool_is_unavailable() {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open(&Options::sqlite_file(&folder.path().join("kernex.db"))).await.unwrap();
    let id = device(&store, ORG, "key").await;
    store.close().await;
    assert_unavailable(&store, id, true).await;
}

#[tokio::test]
async fn a_sqlite_file_that_another_process_keeps_locked_is_unavailable_for_writes() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("kernex.db");
    let store = Store::open(&Options::sqlite_file(&path)).await.unwrap();
    let id = device(&store, ORG, "key").await;
    let mut holder = SqliteConnection::connect(&format!("sqlite://{}", path.display())).await.unwrap();
    holder.execute("BEGIN IMMEDIATE").await.unwrap();
    assert!(matches!(store.check().await, Err(Error::Unavailable(_))));
    assert!(store.find_device(ORG, id).await.unwrap().is_some(), "reading goes on");
    holder.execute("ROLLBACK").await.unwrap();
    store.check().await.unwrap();
}

#[tokio::test]
async fn a_sqlite_file_that_is_none_or_cannot_be_made_is_unavailable() {
    let folder = tempfile::tempdir().unwrap();
    let garbage = folder.path().join("garbage.db");
    std::fs::write(&garbage, "this is no database\n".repeat(500)).unwrap();
    for path in [garbage, folder.path().join("missing/kernex.db"), folder.path().to_owned()] {
        let error = Store::open(&Options::sqlite_file(&path)).await.unwrap_err();
        assert!(matches!(error, Error::Unavailable(_)), "{}: {error:?}", path.display());
    }
}

#[tokio::test]
async fn a_full_disk_is_unavailable_until_there_is_space_again() {
    let Some(disk) = SmallDisk::mount() else {
        println!("skipped: only root can mount a small disk");
        return;
    };
    let store = Store::open(&Options::sqlite_file(&disk.path().join("kernex.db"))).await.unwrap();
    let id = device(&store, ORG, "key").await;
    let ballast = disk.path().join("ballast");
    disk.fill(&ballast);
    let mut secs = 10;
    // What SQLite has reserved before is used up first.
    let error = loop {
        secs += 1;
        match store.record_heartbeat(&counter(id, at(secs)), &report(), LEASE, at(secs)).await {
            Ok(_) => assert!(secs < 10_000, "the disk must be full at some time"),
            Err(error) => break error,
        }
    };
    assert!(matches!(error, Error::Unavailable(_)), "{error:?}");
    let acknowledged = store.list_heartbeats(ORG, id, None, 1).await.unwrap();
    assert_eq!(acknowledged.first().map(|row| row.received_at).unwrap_or(at(10)), at(secs - 1));
    std::fs::remove_file(&ballast).unwrap();
    store.record_heartbeat(&counter(id, at(secs)), &report(), LEASE, at(secs)).await.unwrap();
    store.close().await;
}

#[tokio::test]
async fn a_read_only_disk_is_unavailable_for_writes() {
    let Some(disk) = SmallDisk::mount() else {
        println!("skipped: only root can mount a read-only disk");
        return;
    };
    let options = Options::sqlite_file(&disk.path().join("kernex.db"));
    let store = Store::open(&options).await.unwrap();
    device(&store, ORG, "key").await;
    store.close().await;
    disk.make_read_only();
    let error = Store::open(&options).await.unwrap_err();
    assert!(matches!(error, Error::Unavailable(_)), "{error:?}");
}

/// A disk of a few megabytes in memory.
struct SmallDisk {
    folder: PathBuf,
}

impl SmallDisk {
    fn mount() -> Option<Self> {
        let folder = tempfile::tempdir().unwrap().keep();
        let disk = Self { folder };
        let mounted =
            Command::new("mount").args(["-t", "tmpfs", "-o", "size=4m", "tmpfs"]).arg(&disk.folder).output();
        mounted.is_ok_and(|output| output.status.success()).then_some(disk)
    }

    fn path(&self) -> &Path {
        &self.folder
    }

    fn fill(&self, path: &Path) {
        use std::io::Write as _;
        let mut file = std::fs::File::create(path).unwrap();
        while file.write_all(&[0; 4_096]).is_ok() {}
    }

    fn make_read_only(&self) {
        let status = Command::new("mount").args(["-o", "remount,ro"]).arg(&self.folder).status().unwrap();
        assert!(status.success());
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        // If it was never mounted there is nothing to unmount.
        let _ = Command::new("umount").arg("--lazy").arg(&self.folder).output();
        let _ = std::fs::remove_dir(&self.folder);
    }
}
