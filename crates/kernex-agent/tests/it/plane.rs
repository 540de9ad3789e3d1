//! A control plane of a hundred lines: says what a test wants, remembers what it heard, and misbehaves on request.

use std::{
    collections::{BTreeMap, VecDeque},
    io::Read as _,
    sync::{Arc, Mutex},
};

use kernex_agent::state::Release;
use serde_json::{Value, json};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpListener, TcpStream},
};

/// How the next download goes wrong.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Fault {
    /// After this many bytes the connection breaks.
    Break(usize),
    /// The range is ignored: all bytes from the first one.
    IgnoreRange,
    /// The range is refused with 416.
    RefuseRange,
    /// 206 with another range than was asked for.
    OtherRange,
    /// The address is not accepted.
    Refuse,
    /// The bytes stop coming, and the connection stays open.
    Stall(usize),
    /// After this many bytes a byte comes now and then.
    Crawl(usize),
    /// 206 as it was asked for, of other content.
    OtherContent,
    /// So many bytes less are promised and sent than there are.
    Shorten(usize),
}

#[derive(Default)]
struct Shared {
    commands: Vec<Value>,
    heartbeats: Vec<Value>,
    results: Vec<Value>,
    keys: Vec<String>,
    logs: Vec<String>,
    /// By digest.
    bundles: BTreeMap<String, Vec<u8>>,
    replaced: Option<Vec<u8>>,
    withdrawn: Vec<String>,
    refuse_orders: usize,
    orders: usize,
    compressed_batches: usize,
    urls: Vec<String>,
    faults: VecDeque<Fault>,
    ranges: Vec<String>,
    refuse_results: usize,
    refuse_manifests: usize,
}

#[derive(Clone)]
pub(crate) struct Plane {
    address: String,
    shared: Arc<Mutex<Shared>>,
}

pub(crate) const DEVICE: &str = "00000000-0000-7000-8000-00000000000d";

impl Plane {
    pub(crate) async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = format!("http://{}", listener.local_addr().unwrap());
        let plane = Self { address, shared: Arc::default() };
        let serving = plane.clone();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(serving.clone().serve(stream));
            }
        });
        plane
    }

    pub(crate) fn address(&self) -> String {
        self.address.clone()
    }

    /// Wants a bundle of these bytes installed, and nothing else, until its result comes.
    pub(crate) fn deploy(&self, number: u64, version: &str, bytes: Vec<u8>) {
        self.shared.lock().unwrap().commands.clear();
        self.also(self.order_for("default", number, version, bytes));
    }

    /// What `deploy` sends, to be changed by the caller.
    pub(crate) fn order_for(&self, name: &str, number: u64, version: &str, bytes: Vec<u8>) -> Value {
        let checksum = kernex_bundle::Digest::of(&bytes).to_string();
        let command = json!({
            "type": "deploy", "deployment_id": deployment(number), "attempt": 1,
            "bundle_id": "00000000-0000-7000-8000-000000000002", "bundle_name": name, "bundle_version": version,
            "checksum_sha256": checksum, "size_bytes": bytes.len(), "download_url": format!("/api/v1/bundles/{checksum}?cap=0"),
            "timeout_secs": 60, "lease_expires_at": "2026-01-01T00:00:00Z",
        });
        self.shared.lock().unwrap().bundles.insert(checksum, bytes);
        command
    }

    /// Wants this, too.
    pub(crate) fn also(&self, command: Value) {
        self.shared.lock().unwrap().commands.push(command);
    }

    /// Serves other bytes than were promised.
    pub(crate) fn replace_bytes(&self, bytes: Vec<u8>) {
        self.shared.lock().unwrap().replaced = Some(bytes);
    }

    /// The deployment is not meant for the device any more; no heartbeat says so.
    pub(crate) fn withdraw(&self, number: u64) {
        self.shared.lock().unwrap().withdrawn.push(deployment(number));
    }

    /// The next questions for orders are answered with 503.
    pub(crate) fn refuse_orders(&self, count: usize) {
        self.shared.lock().unwrap().refuse_orders = count;
    }

    /// How often the device asked whether a deployment still stands.
    pub(crate) fn orders(&self) -> usize {
        self.shared.lock().unwrap().orders
    }

    /// How many batches of lines came compressed.
    pub(crate) fn compressed_batches(&self) -> usize {
        self.shared.lock().unwrap().compressed_batches
    }

    /// The addresses that bytes were fetched from.
    pub(crate) fn urls(&self) -> Vec<String> {
        self.shared.lock().unwrap().urls.clone()
    }

    pub(crate) fn command(&self, command: Value) {
        self.shared.lock().unwrap().commands.push(command);
    }

    pub(crate) fn fail_downloads(&self, faults: &[Fault]) {
        self.shared.lock().unwrap().faults.extend(faults);
    }

    /// The next results are answered with 503.
    pub(crate) fn refuse_results(&self, count: usize) {
        self.shared.lock().unwrap().refuse_results = count;
    }

    /// The next questions for manifests are answered with 503.
    pub(crate) fn refuse_manifests(&self, count: usize) {
        self.shared.lock().unwrap().refuse_manifests = count;
    }

    pub(crate) fn heartbeats(&self) -> usize {
        self.shared.lock().unwrap().heartbeats.len()
    }

    pub(crate) fn last_heartbeat(&self) -> Value {
        self.shared.lock().unwrap().heartbeats.last().cloned().unwrap_or_default()
    }

    /// The states that heartbeats reported for a deployment, repetitions left out.
    pub(crate) fn states(&self, number: u64) -> Vec<String> {
        let shared = self.shared.lock().unwrap();
        let targets = shared.heartbeats.iter().flat_map(|heartbeat| heartbeat["targets"].as_array().unwrap());
        let of_it = targets.filter(|target| target["deployment_id"] == deployment(number));
        let mut states: Vec<String> =
            of_it.map(|target| target["state"].as_str().unwrap().to_owned()).collect();
        states.dedup();
        states
    }

    pub(crate) fn results(&self) -> Vec<Value> {
        self.shared.lock().unwrap().results.clone()
    }

    pub(crate) fn idempotency_keys(&self) -> Vec<String> {
        self.shared.lock().unwrap().keys.clone()
    }

    pub(crate) fn logs(&self) -> Vec<String> {
        self.shared.lock().unwrap().logs.clone()
    }

    pub(crate) fn ranges(&self) -> Vec<String> {
        self.shared.lock().unwrap().ranges.clone()
    }

    async fn serve(self, mut stream: TcpStream) {
        let mut bytes = Vec::new();
        loop {
            let Some((head, body, used)) = parse(&bytes) else {
                let mut buffer = vec![0; 16 * 1024];
                match stream.read(&mut buffer).await {
                    Ok(read @ 1..) => bytes.extend_from_slice(&buffer[..read]),
                    _ => return,
                }
                continue;
            };
            bytes.drain(..used);
            let target = head.split(' ').nth(1).unwrap_or_default().to_owned();
            if target.starts_with("/api/v1/bundles/") && !target.ends_with("/manifest") {
                if !self.send_bundle(&mut stream, &target, &head).await {
                    return;
                }
                continue;
            }
            let (status, answer) = self.answer(&target, &head, &body);
            let text = answer.to_string();
            let head = format!(
                "HTTP/1.1 {status} x\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n",
                text.len()
            );
            if stream.write_all(format!("{head}{text}").as_bytes()).await.is_err() {
                return;
            }
        }
    }

    fn answer(&self, target: &str, head: &str, body: &[u8]) -> (u16, Value) {
        let mut shared = self.shared.lock().unwrap();
        let mut plain = body.to_vec();
        if header(head, "content-encoding").as_deref() == Some("gzip") {
            plain.clear();
            flate2::read::GzDecoder::new(body).read_to_end(&mut plain).unwrap();
            shared.compressed_batches += 1;
        }
        let body: Value = serde_json::from_slice(&plain).unwrap_or_default();
        if target.ends_with("/order") {
            return shared.order(target.split('/').nth(4).unwrap_or_default());
        }
        if target.ends_with("/manifest") {
            let is_refused = shared.refuse_manifests > 0;
            shared.refuse_manifests = shared.refuse_manifests.saturating_sub(1);
            return if is_refused {
                (503, problem(503, "unavailable"))
            } else {
                (200, json!({"version": "1.0.0"}))
            };
        }
        if target.ends_with("/register") {
            return (201, json!({"device_id": DEVICE, "status": "pending_approval"}));
        }
        if target.ends_with("/heartbeat") {
            let busy: Vec<Value> =
                body["targets"].as_array().unwrap().iter().map(|t| t["deployment_id"].clone()).collect();
            shared.heartbeats.push(body);
            // As the protocol says: derived from what is desired and what was reported.
            let commands: Vec<&Value> = shared
                .commands
                .iter()
                .filter(|command| command["type"] == "cancel" || !busy.contains(&command["deployment_id"]))
                .collect();
            let answer = json!({"commands": commands, "server_time": "2026-01-01T00:00:00Z", "next_heartbeat_secs": 1});
            return (200, answer);
        }
        if target.ends_with("/result") {
            shared.keys.push(header(head, "idempotency-key").unwrap_or_default());
            if shared.refuse_results > 0 {
                shared.refuse_results -= 1;
                return (503, problem(503, "unavailable"));
            }
            let id = target.split('/').nth(4).unwrap_or_default().to_owned();
            shared.commands.retain(|command| command["deployment_id"] != id.as_str());
            shared.results.push(body);
            return (200, json!({}));
        }
        let lines = body.as_array().cloned().unwrap_or_default();
        shared.logs.extend(lines.iter().map(|line| line["message"].as_str().unwrap_or_default().to_owned()));
        (200, json!({"ingested": lines.len()}))
    }

    /// Sends the bundle's bytes, or what the next fault makes of them; whether the connection goes on.
    async fn send_bundle(&self, stream: &mut TcpStream, target: &str, head: &str) -> bool {
        let (bundle, fault) = {
            let mut shared = self.shared.lock().unwrap();
            shared.ranges.push(header(head, "range").unwrap_or_default());
            shared.urls.push(target.to_owned());
            let digest = target.split(['/', '?']).nth(4).unwrap_or_default();
            let bytes = shared.replaced.clone().or_else(|| shared.bundles.get(digest).cloned());
            (bytes.unwrap_or_default(), shared.faults.pop_front())
        };
        let bundle = match fault {
            Some(Fault::Shorten(by)) => bundle[..bundle.len() - by].to_vec(),
            _ => bundle,
        };
        let etag = if fault == Some(Fault::OtherContent) { "other" } else { "e" };
        let first = header(head, "range")
            .and_then(|range| range.strip_prefix("bytes=")?.strip_suffix('-')?.parse::<usize>().ok())
            .filter(|first| *first > 0 && fault != Some(Fault::IgnoreRange));
        let (total, from) = (bundle.len(), first.unwrap_or(0));
        let answer = match (fault, first) {
            (Some(Fault::Refuse), _) => return self.refuse(stream, 403).await,
            (Some(Fault::RefuseRange), Some(_)) => {
                let text =
                    format!("HTTP/1.1 416 x\r\ncontent-range: bytes */{total}\r\ncontent-length: 0\r\n\r\n");
                return stream.write_all(text.as_bytes()).await.is_ok();
            }
            (Some(Fault::OtherRange), Some(from)) => {
                format!("HTTP/1.1 206 x\r\ncontent-range: bytes {}-{}/{total}\r\n", from - 1, total - 1)
            }
            (_, Some(from)) => {
                format!("HTTP/1.1 206 x\r\ncontent-range: bytes {from}-{}/{total}\r\n", total - 1)
            }
            (_, None) => "HTTP/1.1 200 x\r\n".to_owned(),
        };
        let answer = format!("{answer}etag: \"{etag}\"\r\ncontent-length: {}\r\n\r\n", total - from);
        let end = match fault {
            Some(Fault::Break(bytes) | Fault::Stall(bytes) | Fault::Crawl(bytes)) => total.min(from + bytes),
            _ => total,
        };
        let sent = stream.write_all(answer.as_bytes()).await.is_ok()
            && stream.write_all(&bundle[from..end]).await.is_ok();
        if let Some(Fault::Crawl(_)) = fault {
            for byte in &bundle[end..] {
                if stream.write_all(&[*byte]).await.is_err() {
                    return false;
                }
                tokio::time::sleep(std::time::Duration::from_millis(20)).await;
            }
        }
        if let Some(Fault::Stall(_)) = fault {
            std::future::pending::<()>().await;
        }
        sent && end == total
    }

    async fn refuse(&self, stream: &mut TcpStream, status: u16) -> bool {
        let text = problem(status, "forbidden").to_string();
        let answer = format!("HTTP/1.1 {status} x\r\ncontent-length: {}\r\n\r\n{text}", text.len());
        stream.write_all(answer.as_bytes()).await.is_ok()
    }
}

impl Shared {
    /// The order as it stands, with a new address each time.
    fn order(&mut self, id: &str) -> (u16, Value) {
        self.orders += 1;
        if self.refuse_orders > 0 {
            self.refuse_orders -= 1;
            return (503, problem(503, "unavailable"));
        }
        let is_open = !self.withdrawn.iter().any(|withdrawn| withdrawn == id);
        match self.commands.iter().find(|command| is_open && command["deployment_id"] == id) {
            Some(command) => {
                let mut order = command.clone();
                let digest = order["checksum_sha256"].as_str().unwrap_or_default();
                order["download_url"] = format!("/api/v1/bundles/{digest}?cap={}", self.orders).into();
                (200, order)
            }
            None => (410, problem(410, "gone")),
        }
    }
}

pub(crate) fn deployment(number: u64) -> String {
    format!("00000000-0000-7000-8000-{number:012}")
}

/// The release's folder of bytes under a version.
pub(crate) fn release_folder(version: &str, bytes: &[u8]) -> String {
    let digest = kernex_bundle::Digest::of(bytes).to_string();
    Release {
        version: version.parse().unwrap(),
        digest,
        bundle_id: kernex_core::BundleId(Default::default()),
    }
    .folder()
}

fn problem(status: u16, code: &str) -> Value {
    json!({"type": "x", "title": "x", "status": status, "detail": "as the test wants", "code": code, "request_id": "r"})
}

fn header(head: &str, name: &str) -> Option<String> {
    let mut lines = head.lines().filter_map(|line| line.split_once(": "));
    lines.find(|(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, value)| value.to_owned())
}

fn parse(bytes: &[u8]) -> Option<(String, Vec<u8>, usize)> {
    let end = bytes.windows(4).position(|window| window == b"\r\n\r\n")?;
    let head = String::from_utf8_lossy(&bytes[..end]).into_owned();
    let length: usize = header(&head, "content-length").and_then(|text| text.parse().ok()).unwrap_or(0);
    let body = bytes.get(end + 4..end + 4 + length)?;
    Some((head, body.to_vec(), end + 4 + length))
}
