//! Bundle bytes stream through: memory does not grow with the bundle.

use kernex_testkit::{Backend, ServerSetup, TestBundle, memory, reset_peak_memory};

const BUNDLE_BYTES: usize = 256 << 20;
/// What a transfer may add to the server's memory, whatever the size of the bundle.
const MAX_GROWTH_BYTES: u64 = 32 << 20;

#[tokio::test(flavor = "multi_thread")]
async fn a_bundle_of_256_mib_raises_the_servers_memory_by_less_than_32_mib() {
    let setup = ServerSetup::new(Backend::Sqlite).await;
    let server = setup.start().await;
    let admin = server.admin().await;
    let archive = TestBundle::tiny("large", "1.0.0").with_random_bytes(BUNDLE_BYTES).pack(setup.folder());

    let rest = start_measuring(server.pid());
    let uploaded = admin.upload_bundle(&archive, None, |_| {}).await.unwrap();
    assert!(uploaded.size_bytes >= BUNDLE_BYTES as u64);
    assert_grew_little("upload", server.pid(), rest);

    let rest = start_measuring(server.pid());
    let copy = setup.folder().join("copy");
    let written =
        admin.download_bundle(uploaded.bundle_id, &uploaded.checksum_sha256, &copy, |_| {}).await.unwrap();
    assert_eq!(written, uploaded.size_bytes);
    assert_grew_little("download", server.pid(), rest);
}

fn start_measuring(pid: i32) -> u64 {
    reset_peak_memory(pid);
    memory(pid).resident
}

fn assert_grew_little(what: &str, pid: i32, rest: u64) {
    let growth = memory(pid).peak.saturating_sub(rest);
    println!(
        "{what} of {} MiB: {:.1} MiB above rest",
        BUNDLE_BYTES >> 20,
        growth as f64 / f64::from(1 << 20)
    );
    assert!(growth < MAX_GROWTH_BYTES, "the {what} raised the memory by {growth} bytes");
}
