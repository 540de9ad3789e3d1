//! Against a small server that answers what each test scripts.

use std::sync::{Arc, Mutex};

use kernex_api::signing::{
    CanonicalRequest, KeyAlgorithm, PublicKey, SigningKey, TIMESTAMP_HEADER, decode_signature,
};
use kernex_core::{Clock, DeviceHealth, DeviceId, Timestamp};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpListener,
};

use super::*;
use crate::{HttpOptions, build_http_client};

const NOW: i64 = 1_767_225_600_000;

#[derive(Debug)]
struct FixedClock(i64);

impl Clock for FixedClock {
    fn now(&self) -> Timestamp {
        Timestamp::from_millis(self.0)
    }
}

/// A request as it came over the wire.
#[derive(Clone, Debug)]
struct Seen {
    method: String,
    target: String,
    headers: Vec<(String, String)>,
    body: Vec<u8>,
}

impl Seen {
    fn header(&self, name: &str) -> &str {
        self.headers.iter().find(|(key, _)| key == name).map_or("", |(_, value)| value)
    }

    fn is_signed_by(&self, key: &SigningKey) -> bool {
        let (path, query) = self.target.split_once('?').unwrap_or((&self.target, ""));
        let canonical = CanonicalRequest {
            method: &self.method,
            path,
            query,
            device_id: self.header(DEVICE_ID_HEADER),
            timestamp: self.header(TIMESTAMP_HEADER),
            challenge: None,
            body: &self.body,
        };
        let public = PublicKey::from_pem(&key.public_key_pem().unwrap(), None).unwrap();
        let signature = decode_signature(self.header(SIGNATURE_HEADER)).unwrap();
        public.verify(canonical.text().unwrap().as_bytes(), &signature)
    }
}

/// Answers the scripted responses in order, one connection each, and gives what it saw.
async fn serve(answers: Vec<String>) -> (String, Arc<Mutex<Vec<Seen>>>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = format!("http://{}", listener.local_addr().unwrap());
    let seen = Arc::new(Mutex::new(Vec::new()));
    let log = seen.clone();
    tokio::spawn(async move {
        for answer in answers {
            let (mut stream, _) = listener.accept().await.unwrap();
            let mut bytes = Vec::new();
            loop {
                let mut buffer = [0; 4096];
                let read = stream.read(&mut buffer).await.unwrap();
                bytes.extend_from_slice(&buffer[..read]);
                if let Some(request) = parse(&bytes) {
                    log.lock().unwrap().push(request);
                    break;
                }
            }
            stream.write_all(answer.as_bytes()).await.unwrap();
        }
    });
    (address, seen)
}

fn parse(bytes: &[u8]) -> Option<Seen> {
    let end = bytes.windows(4).position(|window| window == b"\r\n\r\n")?;
    let head = std::str::from_utf8(&bytes[..end]).unwrap();
    let mut lines = head.split("\r\n");
    let mut first = lines.next()?.split(' ');
    let headers: Vec<(String, String)> = lines
        .filter_map(|line| line.split_once(": "))
        .map(|(key, value)| (key.to_ascii_lowercase(), value.to_owned()))
        .collect();
    let (method, target) = (first.next()?.to_owned(), first.next()?.to_owned());
    let seen = Seen { method, target, headers, body: bytes[end + 4..].to_vec() };
    let length = seen.header("content-length").parse().unwrap_or(0);
    (seen.body.len() >= length).then_some(seen)
}

fn answer(status: &str, headers: &str, body: &str) -> String {
    format!("HTTP/1.1 {status}\r\ncontent-length: {}\r\nconnection: close\r\n{headers}\r\n{body}", body.len())
}

fn problem(status: u16, code: &str, extra: &str) -> String {
    format!(
        r#"{{"type":"x","title":"t","status":{status},"detail":"d","code":"{code}","request_id":"r"{extra}}}"#
    )
}

fn heartbeat_answer() -> String {
    answer("200 OK", "", r#"{"commands":[],"server_time":"2026-01-01T00:00:00Z","next_heartbeat_secs":60}"#)
}

fn heartbeat() -> HeartbeatRequest {
    serde_json::from_value(serde_json::json!({
        "agent_version": "0", "memory_mb": 1.0, "cpu_pct": 1.0, "status": DeviceHealth::Healthy,
    }))
    .unwrap()
}

fn client(address: &str, now: i64) -> (DeviceClient, Arc<SigningKey>) {
    let key = Arc::new(SigningKey::generate(KeyAlgorithm::Ed25519).unwrap());
    let http = build_http_client(&HttpOptions::default()).unwrap();
    let client = DeviceClient::new(address, http, key.clone(), Arc::new(FixedClock(now))).unwrap();
    (client.with_device_id(DeviceId::generate(Timestamp::from_millis(NOW))), key)
}

#[tokio::test]
async fn a_wrong_clock_is_corrected_by_the_refusal_and_the_request_sent_once_more() {
    let year = 365 * 86_400_000;
    let skew = problem(401, "clock_skew", &format!(r#","server_time":{NOW}"#));
    let answers = vec![answer("401 Unauthorized", "", &skew), heartbeat_answer(), heartbeat_answer()];
    let (address, seen) = serve(answers).await;
    let (client, key) = client(&address, NOW + 10 * year);
    client.heartbeat(&heartbeat()).await.unwrap();
    client.heartbeat(&heartbeat()).await.unwrap();
    assert_eq!(client.clock_offset_millis(), -10 * year);
    assert_eq!(client.last_timestamp().as_millis(), NOW + 1, "the second heartbeat counts on");
    let seen = seen.lock().unwrap();
    let stamps: Vec<_> = seen.iter().map(|request| request.header(TIMESTAMP_HEADER)).collect();
    assert_eq!(stamps, [(NOW + 10 * year).to_string(), NOW.to_string(), (NOW + 1).to_string()]);
    assert!(seen.iter().all(|request| request.is_signed_by(&key)));
}

#[tokio::test]
async fn a_replay_is_signed_anew_once_and_the_second_refusal_stands() {
    let replayed = answer("401 Unauthorized", "", &problem(401, "replayed", ""));
    let (address, seen) = serve(vec![replayed.clone(), replayed]).await;
    let (client, _) = client(&address, NOW);
    let error = client.heartbeat(&heartbeat()).await.unwrap_err();
    assert_eq!(error.status(), Some(401));
    let seen = seen.lock().unwrap();
    assert_eq!(seen.len(), 2);
    assert_eq!(seen[1].header(TIMESTAMP_HEADER), (NOW + 1).to_string());
}

#[tokio::test]
async fn another_refusal_is_final_and_a_busy_server_says_when_to_come_back() {
    let unknown = answer("401 Unauthorized", "", &problem(401, "unauthenticated", ""));
    let busy = answer("429 Too Many Requests", "retry-after: 7\r\n", &problem(429, "rate_limited", ""));
    let (address, seen) = serve(vec![unknown, busy]).await;
    let (client, _) = client(&address, NOW);
    assert_eq!(client.heartbeat(&heartbeat()).await.unwrap_err().status(), Some(401));
    let error = client.heartbeat(&heartbeat()).await.unwrap_err();
    assert_eq!((error.status(), error.retry_after()), (Some(429), Some(Duration::from_secs(7))));
    assert_eq!(seen.lock().unwrap().len(), 2);
}

#[tokio::test]
async fn a_download_resumes_with_the_etag_unsigned_and_refuses_another_range() {
    let partial = |range: &str| {
        answer("206 Partial Content", &format!("content-range: {range}\r\netag: \"e\"\r\n"), "56789")
    };
    let answers = vec![
        partial("bytes 5-9/10"),
        partial("bytes 4-8/10"),
        answer("200 OK", "", "0123456789"),
        answer("416 Range Not Satisfiable", "content-range: bytes */10\r\n", ""),
    ];
    let (address, seen) = serve(answers).await;
    let (client, _) = client(&address, NOW);
    let mut download = client.download("/api/v1/b?cap=1", 5, Some("\"e\"")).await.unwrap();
    assert_eq!((download.start(), download.total_bytes()), (DownloadStart::Resumed(5), Some(10)));
    assert_eq!(download.etag(), Some("\"e\""));
    assert_eq!(download.chunk().await.unwrap().unwrap(), "56789");
    assert!(client.download("/api/v1/b?cap=1", 5, None).await.is_err());
    let whole = client.download(&format!("{address}/api/v1/b?cap=1"), 5, None).await.unwrap();
    assert_eq!((whole.start(), whole.total_bytes()), (DownloadStart::Whole, Some(10)));
    let nothing = client.download("/api/v1/b?cap=1", 10, None).await.unwrap();
    assert_eq!((nothing.start(), nothing.total_bytes()), (DownloadStart::NothingMore, Some(10)));
    let seen = seen.lock().unwrap();
    assert_eq!((seen[0].target.as_str(), seen[0].header("range")), ("/api/v1/b?cap=1", "bytes=5-"));
    assert_eq!((seen[0].header("if-range"), seen[0].header(SIGNATURE_HEADER)), ("\"e\"", ""));
}

#[test]
fn the_address_may_or_may_not_hold_the_base_path() {
    for address in ["http://x:1", "http://x:1/", "http://x:1/api/v1", "http://x:1/api/v1/"] {
        let (client, _) = client(address, NOW);
        assert_eq!(client.endpoint("/a").unwrap().as_str(), "http://x:1/api/v1/a", "{address}");
    }
    let (client, _) = client("http://x:1/fleet/", NOW);
    assert_eq!(client.endpoint("/a").unwrap().as_str(), "http://x:1/fleet/api/v1/a");
    assert_eq!(client.resolve("/api/v1/b").unwrap().as_str(), "http://x:1/fleet/api/v1/b");
    assert!(client.resolve("file:///etc/passwd").is_err());
}

#[tokio::test]
async fn an_order_is_asked_for_with_a_signature_and_a_refusal_keeps_its_status() {
    let order = format!(
        r#"{{"deployment_id":"{id}","attempt":2,"bundle_id":"{id}","bundle_name":"default","bundle_version":"1",
            "checksum_sha256":"aa","size_bytes":1,"download_url":"/x","timeout_secs":60,
            "lease_expires_at":"2026-01-01T00:00:00Z"}}"#,
        id = "00000000-0000-7000-8000-000000000001"
    );
    let gone = answer("410 Gone", "", &problem(410, "gone", ""));
    let (address, seen) = serve(vec![answer("200 OK", "", &order), gone]).await;
    let (client, key) = client(&address, NOW);
    let deployment = "00000000-0000-7000-8000-000000000001".parse().unwrap();
    assert_eq!(client.order(deployment).await.unwrap().attempt, 2);
    assert_eq!(client.order(deployment).await.unwrap_err().status(), Some(410));
    let seen = seen.lock().unwrap();
    assert_eq!(seen[0].target, format!("/api/v1/deployments/{deployment}/order"));
    assert!(seen[0].method == "GET" && seen.iter().all(|request| request.is_signed_by(&key)));
}

#[tokio::test]
async fn many_lines_of_log_are_compressed_before_they_are_signed_and_a_few_are_not() {
    let taken = || answer("200 OK", "", r#"{"ingested":1}"#);
    let (address, seen) = serve(vec![taken(), taken()]).await;
    let (client, key) = client(&address, NOW);
    let line = LogEntry {
        device_id: client.device_id().unwrap(),
        level: kernex_core::LogLevel::Info,
        message: "the same words over and over".to_owned(),
        timestamp: Timestamp::from_millis(NOW),
        fields: None,
    };
    client.ship_logs(std::slice::from_ref(&line)).await.unwrap();
    client.ship_logs(&vec![line; 100]).await.unwrap();
    let seen = seen.lock().unwrap();
    assert!(seen.iter().all(|request| request.is_signed_by(&key)));
    assert_eq!((seen[0].header("content-encoding"), seen[1].header("content-encoding")), ("", "gzip"));
    let mut text = Vec::new();
    std::io::Read::read_to_end(&mut flate2::read::GzDecoder::new(&seen[1].body[..]), &mut text).unwrap();
    assert_eq!(serde_json::from_slice::<Vec<LogEntry>>(&text).unwrap().len(), 100);
    assert!(seen[1].body.len() * 10 < text.len(), "{} of {} bytes", seen[1].body.len(), text.len());
}
