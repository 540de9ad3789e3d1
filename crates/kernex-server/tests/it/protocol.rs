//! What holds for every answer; health, metrics, pages and the document.

use std::time::Duration;

use kernex_testkit::{Backend, wait_for};
use serde_json::{Value, json};

use crate::support::{Answer, Api, api_of};

on_both!(
    unknown_addresses_and_methods_are_problems,
    every_answer_carries_time_id_and_nosniff,
    health_names_what_works,
    metrics_count_requests_and_devices_without_naming_them,
    the_document_that_is_served_is_the_one_that_is_committed,
    pages_load_nothing_from_elsewhere,
    a_replica_sees_the_same,
);

async fn unknown_addresses_and_methods_are_problems(api: &Api) {
    for path in [
        "/nothing",
        "/devices/a/b/c",
        "/device",
        "root:/nothing",
        "root:/api/v2/devices",
        "root:/api/v1",
        "/users",
    ] {
        for method in ["GET", "POST", "DELETE"] {
            Answer::of(api.request(method, path)).await.refused(404, "not_found", &["/docs"]);
        }
    }
    for (method, path, allowed) in [
        ("DELETE", "/devices", "GET"),
        ("PUT", "/deployments", "POST"),
        ("GET", "/auth/login", "POST"),
        ("PATCH", "/bundles", "POST"),
        ("POST", "root:/health", "GET"),
        ("TRACE", "/devices", "GET"),
    ] {
        let answer = Answer::of(api.request(method, path)).await;
        answer.refused(405, "method_not_allowed", &["Allow"]);
        assert!(answer.header("allow").unwrap().contains(allowed), "{:?}", answer.headers);
    }
}

async fn every_answer_carries_time_id_and_nosniff(api: &Api) {
    let mut ids = Vec::new();
    for path in [
        "/devices",
        "/nothing",
        "root:/health",
        "root:/metrics",
        "root:/docs/",
        "/openapi.json",
        "/schemas/manifest.json",
        "root:/setup",
    ] {
        let answer = api.get(path).await;
        answer.dressed();
        assert_eq!(answer.header("x-kernex-time"), Some(api.now().to_string().as_str()), "{path}");
        ids.push(answer.header("x-request-id").unwrap().to_owned());
    }
    ids.sort();
    let number = ids.len();
    ids.dedup();
    assert_eq!(ids.len(), number, "an id is given once");
    let request = api.request("GET", "/nothing").header("x-request-id", "mine\u{e9}");
    Answer::of(request).await.refused(404, "not_found", &[]);
    api.clock.advance_secs(60);
    assert_eq!(api.get("/devices").await.header("x-kernex-time"), Some(api.now().to_string().as_str()));
}

async fn health_names_what_works(api: &Api) {
    for path in ["root:/health", "root:/health/ready", "/health"] {
        let health = Answer::of(api.anonymous("GET", path)).await.expect(200).json();
        assert_eq!(health["status"], "ok");
        for check in ["database", "storage", "disk"] {
            assert_eq!(health["checks"][check]["status"], "ok", "{health}");
        }
    }
    assert_eq!(
        Answer::of(api.anonymous("GET", "root:/health/live")).await.expect(200).json()["status"],
        "ok"
    );
}

/// The database is gone: every route says 503, the program itself lives, and nothing tells how it is reached.
#[tokio::test(flavor = "multi_thread")]
async fn a_database_that_is_gone_is_503_with_retry_after() {
    for backend in Backend::all() {
        let api = Api::start(backend).await;
        let device = api.device().await;
        api.server.state().store().close().await;
        for path in ["root:/health", "root:/health/ready"] {
            let answer = Answer::of(api.anonymous("GET", path)).await.expect(503);
            assert_eq!(answer.json()["checks"]["database"]["status"], "failing");
            assert_eq!(answer.json()["checks"]["storage"]["status"], "ok");
            assert!(!answer.text().contains("postgres://"), "{}", answer.text());
        }
        Answer::of(api.anonymous("GET", "root:/health/live")).await.expect(200);
        Answer::of(api.anonymous("GET", "root:/metrics")).await.expect(200);
        api.get("/devices").await.refused(503, "unavailable", &["database"]);
        let login = json!({"username": "admin", "password": "x"});
        Answer::of(api.anonymous("POST", "/auth/login").json(&login)).await.refused(
            503,
            "unavailable",
            &["database"],
        );
        device.beat(&api).await.refused(503, "unavailable", &["database"]);
        let body = json!({"public_key": device.key.public_key_pem().unwrap()}).to_string();
        let mut again = device.signed(&api, "POST", "/devices/register", body);
        again.set("x-device-id", "-");
        again.sign(&device.key);
        again.send(&api).await.refused(503, "unavailable", &["database"]);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn storage_that_cannot_be_written_is_503_and_nothing_is_stored() {
    let api = Api::start(Backend::Sqlite).await;
    let incoming = api.server.data_dir().join("incoming");
    std::fs::remove_dir(&incoming).unwrap();
    let archive = api.archive(&kernex_testkit::TestBundle::tiny("default", "1.0.0"));
    api.upload_archive(archive.clone()).await.refused(503, "unavailable", &["storage"]);
    let health = Answer::of(api.anonymous("GET", "root:/health")).await.expect(503).json();
    assert_eq!(health["checks"]["storage"]["status"], "failing");
    assert_eq!(health["checks"]["database"]["status"], "ok");
    assert_eq!(api.stored().await["bundles"], 0);
    std::fs::create_dir(&incoming).unwrap();
    api.upload_archive(archive).await.expect(201);
}

async fn metrics_count_requests_and_devices_without_naming_them(api: &Api) {
    let device = api.device().await;
    device.beat(api).await.expect(200);
    for path in ["/nothing/a", "/nothing/b"] {
        Answer::of(api.request("GET", path)).await.expect(404);
    }
    Answer::of(api.request("BREW", "/devices")).await.expect(405);
    let answer = Answer::of(api.anonymous("GET", "root:/metrics")).await.expect(200);
    assert!(answer.header("content-type").unwrap().starts_with("text/plain"));
    let text = answer.text();
    assert!(text.contains("/api/v1/devices/{device_id}/heartbeat"), "routes, not paths: {text}");
    for secret in [device.id.as_str(), "/nothing", "BREW", "admin"] {
        assert!(!text.contains(secret), "{secret} in {text}");
    }
    let lines = text.lines().filter(|line| !line.starts_with('#') && !line.is_empty());
    for line in lines {
        let (name, value) = line.rsplit_once(' ').unwrap();
        assert!(name.starts_with("kernex_") || name.starts_with("process_"), "{line}");
        assert!(value.parse::<f64>().is_ok(), "{line}");
    }
    assert!(text.contains("status=\"online\""), "{text}");
}

async fn the_document_that_is_served_is_the_one_that_is_committed(api: &Api) {
    let served = Answer::of(api.anonymous("GET", "/openapi.json")).await.expect(200).json();
    let committed: Value = serde_json::from_str(&kernex_server::openapi::document_json().unwrap()).unwrap();
    assert_eq!(served, committed);
    let schema = Answer::of(api.anonymous("GET", "/schemas/manifest.json")).await.expect(200);
    assert_eq!(schema.text(), kernex_bundle::MANIFEST_SCHEMA);
    assert_eq!(schema.header("content-type"), Some("application/schema+json"));
}

async fn pages_load_nothing_from_elsewhere(api: &Api) {
    let docs = Answer::of(api.anonymous("GET", "root:/docs/")).await.expect(200).text();
    let setup =
        Answer::of(api.anonymous("GET", "root:/setup").header("accept", "text/html")).await.expect(200);
    assert!(setup.header("content-security-policy").unwrap().contains("default-src 'none'"));
    for (base, page) in [("/docs/", docs), ("/", setup.text())] {
        let loaded: Vec<_> = ["src=\"", "href=\"", "src='", "href='"]
            .iter()
            .flat_map(|attribute| page.split(attribute).skip(1))
            .map(|rest| rest.split(['"', '\'']).next().unwrap())
            .collect();
        assert!(!loaded.is_empty(), "{page}");
        for address in loaded {
            assert!(!address.contains("//"), "{address}");
            let path = if address.starts_with('/') {
                address.to_owned()
            } else {
                format!("{base}{}", address.trim_start_matches("./"))
            };
            Answer::of(api.anonymous("GET", &format!("root:{path}"))).await.expect(200);
        }
        assert!(!page.contains("@import"), "{page}");
    }
}

async fn a_replica_sees_the_same(api: &Api) {
    let (device, replica) = (api.device().await, api.replica().await);
    let own = format!("{}/devices/{}", api_of(&replica), device.id);
    let answer = Answer::of(api.http.get(own).bearer_auth(&api.token)).await.expect(200);
    assert_eq!(answer.json()["device_id"], device.id);
    replica.shutdown().await;
    let check = async || (Answer::of(api.anonymous("GET", "root:/health")).await.status == 200).then_some(());
    wait_for("the first one", Duration::from_secs(10), check).await;
}
