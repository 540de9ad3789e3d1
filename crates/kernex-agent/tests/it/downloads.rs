//! Downloads over a bad link.

use kernex_bundle::{PackOptions, pack};

use crate::{
    plane::{Fault, Plane},
    support::{Agent, until},
};

/// A bundle that does not compress, so that faults fall inside of it.
fn bundle() -> Vec<u8> {
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join("manifest.json"), r#"{"version":"1.0.0"}"#).unwrap();
    let noise: Vec<u8> = (0..4_000u32)
        .flat_map(|number| *kernex_bundle::Digest::of(&number.to_le_bytes()).as_bytes())
        .collect();
    std::fs::write(dir.path().join("model"), noise).unwrap();
    let mut bytes = Vec::new();
    pack(dir.path(), &mut bytes, &PackOptions::default(), &mut |_, _| {}).unwrap();
    assert!(bytes.len() > 100_000);
    bytes
}

async fn ends_well(faults: &[Fault]) -> Vec<String> {
    let plane = Plane::start().await;
    let dir = tempfile::tempdir().unwrap();
    plane.fail_downloads(faults);
    plane.deploy(1, "1.0.0", bundle());
    let agent = Agent::start(dir.path(), &plane.address());
    until("a result", || !plane.results().is_empty()).await;
    let result = plane.results()[0].clone();
    assert_eq!(result["status"], "success", "{faults:?}: {result}");
    agent.stop().await;
    plane.ranges()
}

#[tokio::test]
async fn a_broken_link_goes_on_where_it_stopped() {
    let ranges = ends_well(&[Fault::Break(40_000), Fault::Break(30_000)]).await;
    assert_eq!(ranges, ["", "bytes=40000-", "bytes=70000-"]);
}

#[tokio::test]
async fn a_server_that_ignores_refuses_or_mistakes_the_range_ends_well() {
    let then = |fault| [Fault::Break(40_000), fault];
    let (ignored, refused, mistaken) =
        (then(Fault::IgnoreRange), then(Fault::RefuseRange), then(Fault::OtherRange));
    let (ignored, refused, mistaken) =
        tokio::join!(ends_well(&ignored), ends_well(&refused), ends_well(&mistaken));
    assert_eq!(ignored, ["", "bytes=40000-"]);
    assert_eq!(refused, ["", "bytes=40000-", ""]);
    assert_eq!(mistaken, ["", "bytes=40000-", "bytes=40000-"]);
}

#[tokio::test]
async fn an_address_that_is_refused_is_asked_for_again() {
    let ranges = ends_well(&[Fault::Break(40_000), Fault::Refuse]).await;
    assert_eq!(ranges, ["", "bytes=40000-", "bytes=40000-"]);
}

#[tokio::test]
async fn wrong_bytes_are_refused_with_both_digests_and_not_kept() {
    let plane = Plane::start().await;
    let dir = tempfile::tempdir().unwrap();
    let good = bundle();
    let mut bad = good.clone();
    bad[50_000] ^= 1;
    plane.deploy(1, "1.0.0", good);
    plane.replace_bytes(bad);
    let agent = Agent::start(dir.path(), &plane.address());
    until("a result", || !plane.results().is_empty()).await;
    let result = plane.results()[0].clone();
    assert_eq!(
        (result["status"].as_str(), result["error_code"].as_str()),
        (Some("failed"), Some("checksum"))
    );
    assert!(result["error_message"].as_str().unwrap().contains("promised was"), "{result}");
    agent.stop().await;
    assert_eq!(dir.path().join("staging").read_dir().unwrap().count(), 0);
}

#[tokio::test]
async fn a_killed_agent_goes_on_with_the_download_where_it_was() {
    let plane = Plane::start().await;
    let dir = tempfile::tempdir().unwrap();
    plane.fail_downloads(&[Fault::Break(40_000), Fault::Stall(0)]);
    plane.deploy(1, "1.0.0", bundle());
    let agent = Agent::start(dir.path(), &plane.address());
    until("the second request", || plane.ranges().len() == 2).await;
    agent.kill().await;
    let agent = Agent::start(dir.path(), &plane.address());
    until("a result", || !plane.results().is_empty()).await;
    assert_eq!(plane.results()[0]["status"], "success");
    assert_eq!(plane.ranges(), ["", "bytes=40000-", "bytes=40000-"]);
    agent.stop().await;
}
