//! One download, in this process, with terms that suit a test.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use kernex_agent::{
    clock::SystemClock,
    context::{Context, DownloadStatus, Snapshot},
    machine::Event,
    paths::DataDir,
    state::{AgentState, Attempt, Order, Release, Slot},
    work::{DownloadTerms, Job},
};
use kernex_api::signing::{KeyAlgorithm, SigningKey};
use kernex_client::{DeviceClient, HttpOptions, build_http_client};
use kernex_core::{BundleId, BundleName, DeploymentKind, DeviceConfig, Timestamp};
use tokio_util::sync::CancellationToken;

use crate::plane::{DEVICE, Fault, Plane, deployment};

fn context(plane: &Plane, data: DataDir, limit: Option<u32>) -> Context {
    let http = build_http_client(&HttpOptions::default()).unwrap();
    let key = Arc::new(SigningKey::generate(KeyAlgorithm::Ed25519).unwrap());
    let client = DeviceClient::new(&plane.address(), http.clone(), key, Arc::new(SystemClock)).unwrap();
    let client = Arc::new(client.with_device_id(DEVICE.parse().unwrap()));
    let config =
        DeviceConfig { polling_interval: 1, max_download_kib_per_sec: limit, ..DeviceConfig::default() };
    let snapshot = Snapshot::of(&AgentState::default(), &config, false);
    let terms = DownloadTerms { min_bytes_per_sec: 10_000, window: Duration::from_millis(300) };
    Context {
        snapshot: tokio::sync::watch::Sender::new(snapshot),
        download: DownloadStatus { terms, ..DownloadStatus::default() },
        ..Context::new(data, client, http)
    }
}

async fn download(plane: &Plane, bytes: Vec<u8>, limit: Option<u32>) -> Duration {
    let dir = tempfile::tempdir().unwrap();
    let data = DataDir::new(dir.path());
    data.create().unwrap();
    let digest = kernex_bundle::Digest::of(&bytes).to_string();
    let order = Order {
        deployment_id: deployment(1).parse().unwrap(),
        attempt: 1,
        kind: DeploymentKind::Deploy,
        bundle_name: BundleName::default(),
        release: Release { version: "1".parse().unwrap(), digest, bundle_id: BundleId(Default::default()) },
        size_bytes: bytes.len() as u64,
        download_url: String::new(),
        timeout_secs: 60,
        received_at: Timestamp::from_millis(0),
        lease_expires_at: Timestamp::from_millis(0),
    };
    plane.deploy(1, "1", bytes.clone());
    let job = Job {
        context: Arc::new(context(plane, data.clone(), limit)),
        attempt: Attempt::begin(order),
        slot: Slot::default(),
        deadline: tokio::time::Instant::now() + Duration::from_secs(60),
        stop: CancellationToken::new(),
    };
    let began = Instant::now();
    let event = job.run().await;
    assert!(matches!(event, Event::Completed { .. }), "{event:?}");
    assert_eq!(std::fs::read(data.part(deployment(1).parse().unwrap())).unwrap(), bytes);
    began.elapsed()
}

#[tokio::test]
async fn a_link_that_crawls_is_given_up_and_the_next_one_goes_on() {
    let plane = Plane::start().await;
    plane.fail_downloads(&[Fault::Crawl(50_000)]);
    let took = download(&plane, vec![7; 100_000], None).await;
    let ranges = plane.ranges();
    assert_eq!(ranges.len(), 2);
    let from: usize = ranges[1].strip_prefix("bytes=").unwrap().strip_suffix('-').unwrap().parse().unwrap();
    assert!((50_000..50_200).contains(&from), "{from}: what came is kept");
    assert!(
        took < Duration::from_secs(20),
        "{took:?}: at 50 bytes a second it would take a quarter of an hour"
    );
}

#[tokio::test]
async fn a_limited_download_takes_its_time_and_is_not_taken_for_a_crawling_one() {
    let plane = Plane::start().await;
    let took = download(&plane, vec![7; 100_000], Some(100)).await;
    assert!(took >= Duration::from_millis(900) && took < Duration::from_secs(10), "{took:?}");
    assert_eq!(plane.ranges().len(), 1);
}
