//! Bundle bytes encrypted on the disk.

use kernex_core::Timestamp;
use kernex_server::{
    bundles::encrypt,
    config::Options,
    secrets::{Purpose, rotate},
};
use kernex_testkit::{Backend, TestBundle, wait_for};
use serde_json::json;

use crate::support::{Answer, Api, LIMIT};

async fn encrypted() -> Api {
    Api::start_with(Backend::Sqlite, |options| options.encrypt_bundles = Some(true)).await
}

async fn upload(api: &Api, archive: &[u8]) -> String {
    let answer = api.upload_archive(archive.to_vec()).await.expect(201).json();
    answer["bundle_id"].as_str().unwrap().to_owned()
}

async fn is_valid(api: &Api, id: &str) -> bool {
    api.post(&format!("/bundles/{id}/verify"), &json!({})).await.expect(200).json()["valid"] == true
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn bytes_are_encrypted_on_the_disk_and_plain_to_whoever_may_have_them() {
    let api = encrypted().await;
    let archive = api.archive(&TestBundle::tiny("default", "1.0.0"));
    let id = upload(&api, &archive).await;
    let path = api.server.data_dir().join("blobs").join(&id);
    let stored = std::fs::read(&path).unwrap();
    assert!(stored.starts_with(b"KXSEAL1\n") && !stored.windows(8).any(|window| window == &archive[..8]));
    assert_eq!(api.get(&format!("/bundles/{id}")).await.expect(200).body, archive);
    let part = api.request("GET", &format!("/bundles/{id}")).header("range", "bytes=10-29");
    let part = Answer::of(part).await.expect(206);
    assert_eq!(part.body, archive[10..30]);
    assert_eq!(part.header("content-range").unwrap(), format!("bytes 10-29/{}", archive.len()));
    assert!(is_valid(&api, &id).await);

    let mut bad = stored.clone();
    let last = bad.len() - 1;
    bad[last] ^= 1;
    std::fs::write(&path, &bad).unwrap();
    assert!(!is_valid(&api, &id).await, "a changed byte");
    std::fs::write(&path, &stored).unwrap();
    assert!(is_valid(&api, &id).await);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_changed_storage_key_is_taken_by_the_running_server_and_only_key_files_are_rewritten() {
    let api = encrypted().await;
    let id = api.bundle("1.0.0").await;
    let blobs = api.server.data_dir().join("blobs");
    let (key_file, bytes) = (blobs.join(format!("{id}.key")), std::fs::read(blobs.join(&id)).unwrap());
    let before = std::fs::read_to_string(&key_file).unwrap();
    let ring =
        rotate::rotate(api.server.state().settings(), Purpose::Storage, Timestamp::from_millis(api.now()))
            .unwrap();
    let expected = format!("local:{}:", ring.current().id());
    let is_new = || std::fs::read_to_string(&key_file).unwrap().starts_with(&expected);
    wait_for("the key to be wrapped anew", LIMIT, async || is_new().then_some(())).await;
    assert!(!before.starts_with(&expected));
    assert_eq!(std::fs::read(blobs.join(&id)).unwrap(), bytes);
    assert!(is_valid(&api, &id).await);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_stored_plain_is_encrypted_by_a_command_while_the_server_runs() {
    let api = Api::start_with(Backend::Sqlite, |_| {}).await;
    let archive = api.archive(&TestBundle::tiny("default", "1.0.0"));
    let id = upload(&api, &archive).await;
    let path = api.server.data_dir().join("blobs").join(&id);
    assert_eq!(std::fs::read(&path).unwrap(), archive);
    for _ in 0..2 {
        let options = Options { data_dir: Some(api.server.data_dir().to_owned()), ..Options::default() };
        encrypt::run(encrypt::Encrypt { options }).await.unwrap();
        assert!(std::fs::read(&path).unwrap().starts_with(b"KXSEAL1\n"));
    }
    assert_eq!(api.get(&format!("/bundles/{id}")).await.expect(200).body, archive);
    assert!(is_valid(&api, &id).await);
}
