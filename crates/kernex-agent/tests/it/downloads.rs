//! Downloads over a bad link.

use kernex_bundle::{PackOptions, pack};

use serde_json::json;

use crate::{
    plane::{Fault, Plane, deployment},
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
    assert!(plane.orders() >= 2, "asked before the download and before the activation");
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

#[tokio::test]
async fn content_that_changed_in_between_and_a_proxy_that_cuts_off_end_well() {
    let (changed, cut) = ([Fault::Break(40_000), Fault::OtherContent], [Fault::Shorten(50_000)]);
    let (changed, cut) = tokio::join!(ends_well(&changed), ends_well(&cut));
    assert_eq!(changed, ["", "bytes=40000-", ""]);
    assert_eq!(cut, ["", ""]);
}

#[tokio::test]
async fn a_refused_address_is_replaced_by_the_one_of_a_new_order() {
    let plane = Plane::start().await;
    let dir = tempfile::tempdir().unwrap();
    plane.fail_downloads(&[Fault::Break(40_000), Fault::Refuse]);
    plane.deploy(1, "1.0.0", bundle());
    let agent = Agent::start(dir.path(), &plane.address());
    until("a result", || !plane.results().is_empty()).await;
    assert_eq!(plane.results()[0]["status"], "success");
    agent.stop().await;
    let caps: Vec<String> =
        plane.urls().iter().map(|url| url.split_once("cap=").unwrap().1.to_owned()).collect();
    assert_eq!(caps, ["1", "1", "2"], "the address of the command itself is never used");
}

#[tokio::test]
async fn a_proxy_that_always_offers_something_else_is_a_wrong_checksum() {
    let plane = Plane::start().await;
    let dir = tempfile::tempdir().unwrap();
    plane.fail_downloads(&[Fault::Shorten(1); 9]);
    plane.deploy(1, "1.0.0", bundle());
    let agent = Agent::start(dir.path(), &plane.address());
    until("a result", || !plane.results().is_empty()).await;
    let result = plane.results()[0].clone();
    assert_eq!(
        (&result["status"], &result["error_code"]),
        (&"failed".into(), &"checksum".into()),
        "{result}"
    );
    assert_eq!(plane.ranges().len(), 3);
    agent.stop().await;
}

#[tokio::test]
async fn nothing_is_fetched_for_a_deployment_that_was_withdrawn_or_while_nobody_can_be_asked() {
    let plane = Plane::start().await;
    let dir = tempfile::tempdir().unwrap();
    plane.withdraw(1);
    plane.deploy(1, "1.0.0", bundle());
    let agent = Agent::start(dir.path(), &plane.address());
    until("a result", || !plane.results().is_empty()).await;
    let result = plane.results()[0].clone();
    assert_eq!(
        (&result["status"], &result["error_code"]),
        (&"failed".into(), &"cancelled".into()),
        "{result}"
    );
    assert!(plane.ranges().is_empty() && !dir.path().join("bundles/default").exists());

    plane.refuse_orders(2);
    plane.deploy(2, "1.0.0", bundle());
    until("a result", || plane.results().len() == 2).await;
    assert_eq!(plane.results()[1]["status"], "success");
    assert!(plane.orders() >= 5, "{}", plane.orders());
    assert_eq!(plane.ranges().len(), 1, "bytes are fetched after the answer only");
    agent.stop().await;
}

/// What waits for release is here and nobody can be asked: the lease decides.
async fn activate_without_contact(lease: &str) -> (Plane, tempfile::TempDir, Agent) {
    let plane = Plane::start().await;
    let dir = tempfile::tempdir().unwrap();
    let agent = Agent::start(dir.path(), &plane.address());
    let (one, two) = (bundle(), version("2.0.0"));
    plane.deploy(1, "1.0.0", one.clone());
    until("a result", || plane.results().len() == 1).await;
    plane.deploy(2, "2.0.0", two);
    until("a result", || plane.results().len() == 2).await;
    plane.refuse_orders(usize::MAX);
    let mut back = plane.order_for("default", 3, "1.0.0", one);
    back["lease_expires_at"] = lease.into();
    back["timeout_secs"] = 3.into();
    plane.also(back);
    (plane, dir, agent)
}

fn version(version: &str) -> Vec<u8> {
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join("manifest.json"), format!(r#"{{"version":"{version}"}}"#)).unwrap();
    let mut bytes = Vec::new();
    pack(dir.path(), &mut bytes, &PackOptions::default(), &mut |_, _| {}).unwrap();
    bytes
}

#[tokio::test]
async fn a_kept_release_is_activated_without_a_download_and_without_an_answer_while_the_lease_lasts() {
    let (plane, _dir, agent) = activate_without_contact("2900-01-01T00:00:00Z").await;
    until("a result", || plane.results().len() == 3).await;
    assert_eq!(plane.results()[2]["status"], "success");
    assert_eq!(plane.urls().len(), 2, "nothing was fetched for the way back");
    agent.stop().await;
}

#[tokio::test]
async fn after_the_lease_nothing_is_activated_without_an_answer() {
    let (plane, dir, agent) = activate_without_contact("2001-01-01T00:00:00Z").await;
    until("a result", || plane.results().len() == 3).await;
    let result = plane.results()[2].clone();
    assert_eq!(
        (&result["status"], &result["error_code"]),
        (&"rolled_back".into(), &"download".into()),
        "{result}"
    );
    let current = std::fs::read_link(dir.path().join("bundles/default/current")).unwrap();
    assert!(current.to_string_lossy().contains("2.0.0"), "{current:?}");
    agent.stop().await;
}

#[tokio::test]
async fn a_bad_bundle_is_quarantined_and_not_fetched_again_for_the_same_deployment_also_after_a_restart() {
    let plane = Plane::start().await;
    let dir = tempfile::tempdir().unwrap();
    let mut bad = bundle();
    bad[50_000] ^= 1;
    plane.deploy(1, "1.0.0", bad.clone());
    let agent = Agent::start(dir.path(), &plane.address());
    until("a result", || !plane.results().is_empty()).await;
    let first = plane.results()[0].clone();
    assert_eq!(first["error_code"], "unpack", "{first}");
    let saved = || std::fs::read_to_string(dir.path().join("state.json")).unwrap_or_default();
    // A result that is left in the outbox would be sent again, and end the second attempt before it is ordered.
    let is_out =
        || std::fs::read_dir(dir.path().join("outbox/results")).is_ok_and(|mut left| left.next().is_none());
    until("the note that it was taken", || saved().contains("\"reports\": []") && is_out()).await;
    agent.kill().await;
    let mut again = plane.order_for("default", 1, "1.0.0", bad.clone());
    again["attempt"] = 2.into();
    plane.also(again);
    let agent = Agent::start(dir.path(), &plane.address());
    until("the same result", || plane.results().last().is_some_and(|result| result["attempt"] == 2)).await;
    assert_eq!(plane.results().last().unwrap()["error_message"], first["error_message"]);
    assert_eq!(plane.ranges().len(), 1, "fetched once");
    agent.stop().await;
    let digest: String = kernex_bundle::Digest::of(&bad).to_string().chars().take(16).collect();
    let item = dir.path().join("quarantine").join(digest);
    assert_eq!(std::fs::read(item.join("bundle")).unwrap(), bad);
    let reason: serde_json::Value =
        serde_json::from_slice(&std::fs::read(item.join("reason.json")).unwrap()).unwrap();
    assert_eq!((&reason["code"], &reason["deployment_id"]), (&"unpack".into(), &deployment(1).into()));
}

#[tokio::test]
async fn cancelling_is_obeyed_while_nobody_answers_and_while_bytes_come() {
    let plane = Plane::start().await;
    let dir = tempfile::tempdir().unwrap();
    let agent = Agent::start(dir.path(), &plane.address());
    plane.fail_downloads(&[Fault::Stall(1_000)]);
    plane.deploy(1, "1.0.0", bundle());
    until("the download", || plane.urls().len() == 1).await;
    plane.also(json!({"type": "cancel", "deployment_id": deployment(1), "attempt": 1}));
    until("a result", || plane.results().len() == 1).await;
    assert_eq!(plane.results()[0]["error_code"], "cancelled");
    plane.refuse_orders(usize::MAX);
    plane.deploy(2, "1.0.0", bundle());
    let asked = plane.orders();
    until("a question", || plane.orders() > asked).await;
    plane.also(json!({"type": "cancel", "deployment_id": deployment(2), "attempt": 1}));
    until("a result", || plane.results().len() == 2).await;
    assert_eq!(plane.results()[1]["error_code"], "cancelled");
    agent.stop().await;
}

#[tokio::test]
async fn a_manifest_beside_the_archive_is_fetched_until_it_comes() {
    let plane = Plane::start().await;
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join("model"), "m").unwrap();
    let archive = dir.path().join("a.tar.gz");
    let mut tar = std::process::Command::new("tar");
    tar.arg("-czf").arg(&archive).arg("-C").arg(dir.path()).arg("model");
    assert!(tar.status().unwrap().success());
    plane.refuse_manifests(2);
    plane.deploy(1, "1.0.0", std::fs::read(&archive).unwrap());
    let device = dir.path().join("device");
    std::fs::create_dir(&device).unwrap();
    let agent = Agent::start(&device, &plane.address());
    until("a result", || !plane.results().is_empty()).await;
    assert_eq!(plane.results()[0]["status"], "success", "{}", plane.results()[0]);
    agent.stop().await;
}
