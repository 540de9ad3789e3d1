//! A control plane with a clock that tests set, requests that may be as wrong as a test needs, and what is stored.

use std::{
    collections::BTreeMap,
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicI64, Ordering},
    },
    time::Duration,
};

use kernex_api::signing::{CanonicalRequest, KeyAlgorithm, SigningKey};
use kernex_client::{HttpOptions, build_http_client};
use kernex_core::{Clock, Timestamp};
use kernex_server::{
    config::Options,
    serve::{self, RunningServer},
};
use kernex_testkit::{ADMIN_PASSWORD, Backend, TestBundle, TestServer};
use reqwest::{
    Method, RequestBuilder,
    header::HeaderMap,
    multipart::{Form, Part},
};
use serde_json::{Value, json};
use sqlx::{AssertSqlSafe, Connection as _, PgConnection, Row as _, SqliteConnection};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
};

pub(crate) const LIMIT: Duration = Duration::from_secs(120);
/// How long an access token lasts in tests.
pub(crate) const TOKEN_TTL_SECS: u32 = 40_000;
/// An id of nothing.
pub(crate) const NOBODY: &str = "01900000-0000-7000-8000-00000000dead";

/// Makes two tests of each function: one on SQLite, one on PostgreSQL.
macro_rules! on_both {
    ($($name:ident),+ $(,)?) => {$(
        mod $name {
            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn sqlite() {
                $crate::support::run(kernex_testkit::Backend::Sqlite, async |api| super::$name(api).await).await;
            }

            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn postgres() {
                $crate::support::run(kernex_testkit::Backend::Postgres, async |api| super::$name(api).await).await;
            }
        }
    )+};
}

pub(crate) async fn run(backend: Backend, test: impl AsyncFnOnce(&Api)) {
    let api = Api::start(backend).await;
    assert!(tokio::time::timeout(LIMIT, test(&api)).await.is_ok(), "not done within {LIMIT:?}");
}

#[derive(Debug)]
pub(crate) struct ManualClock(AtomicI64);

impl Clock for ManualClock {
    fn now(&self) -> Timestamp {
        Timestamp::from_millis(self.0.load(Ordering::Relaxed))
    }
}

impl ManualClock {
    pub(crate) fn advance_secs(&self, secs: i64) {
        self.0.fetch_add(secs * 1_000, Ordering::Relaxed);
    }
}

pub(crate) struct Api {
    pub(crate) server: TestServer,
    pub(crate) clock: Arc<ManualClock>,
    /// The admin's access token.
    pub(crate) token: String,
    pub(crate) http: reqwest::Client,
}

/// A whole answer.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Vec<u8>,
}

impl Answer {
    pub(crate) async fn of(request: RequestBuilder) -> Self {
        let response = request.send().await.unwrap();
        let (status, headers) = (response.status().as_u16(), response.headers().clone());
        Self { status, headers, body: response.bytes().await.unwrap().to_vec() }
    }

    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|_| panic!("no JSON: {self:?}"))
    }

    pub(crate) fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).map(|value| value.to_str().unwrap())
    }

    #[track_caller]
    pub(crate) fn expect(self, status: u16) -> Self {
        assert_eq!(self.status, status, "{}", self.text());
        self
    }

    /// Demands a refusal as the protocol says it, whose `detail` names these words.
    #[track_caller]
    pub(crate) fn refused(&self, status: u16, code: &str, words: &[&str]) {
        assert_eq!(self.status, status, "{}", self.text());
        assert_eq!(self.header("content-type"), Some("application/problem+json"), "{}", self.text());
        let problem = self.json();
        assert_eq!(problem["status"], status, "{problem}");
        assert_eq!(problem["code"], code, "{problem}");
        assert_eq!(problem["type"], format!("urn:kernex:error:{code}"), "{problem}");
        assert!(problem["title"].as_str().is_some_and(|title| !title.is_empty()), "{problem}");
        assert_eq!(problem["request_id"].as_str(), self.header("x-request-id"), "{problem}");
        let detail = problem["detail"].as_str().unwrap();
        for word in words {
            assert!(detail.contains(word), "`{word}` is missing: {detail}");
        }
        assert!(!detail.is_empty() && detail.len() < 1_000, "{detail}");
        self.dressed();
        assert_eq!(self.header("www-authenticate").is_some(), status == 401, "{:?}", self.headers);
        if [429, 503].contains(&status) {
            assert!(self.header("retry-after").is_some(), "{:?}", self.headers);
        }
    }

    /// Demands the headers that every answer has.
    #[track_caller]
    pub(crate) fn dressed(&self) {
        assert_eq!(self.header("x-content-type-options"), Some("nosniff"));
        assert!(self.header("x-request-id").is_some_and(|id| id.len() == 36), "{:?}", self.headers);
        let time = self.header("x-kernex-time").and_then(|time| time.parse::<i64>().ok());
        assert!(time.is_some_and(|time| time >= 1_800_000_000_000), "{:?}", self.headers);
    }
}

impl Api {
    pub(crate) async fn start(backend: Backend) -> Self {
        Self::start_with(backend, |_| {}).await
    }

    pub(crate) async fn start_with(backend: Backend, change: impl FnOnce(&mut Options)) -> Self {
        let clock = Arc::new(ManualClock(AtomicI64::new(1_800_000_000_000)));
        let change = |options: &mut Options| {
            // Tests move the clock by hours and keep their login.
            options.token_ttl_secs = Some(TOKEN_TTL_SECS);
            change(options);
        };
        let server = TestServer::start_with(backend, clock.clone(), change).await;
        let http = build_http_client(&HttpOptions::default()).unwrap();
        let mut api = Self { server, clock, token: String::new(), http };
        api.token = api.login("admin", ADMIN_PASSWORD).await;
        api
    }

    pub(crate) fn now(&self) -> i64 {
        self.clock.now().as_millis()
    }

    pub(crate) async fn login(&self, username: &str, password: &str) -> String {
        let body = json!({"username": username, "password": password});
        let answer = Answer::of(self.anonymous("POST", "/auth/login").json(&body)).await.expect(200);
        answer.json()["access_token"].as_str().unwrap().to_owned()
    }

    /// A user of a role, logged in.
    pub(crate) async fn user(&self, username: &str, role: &str) -> String {
        let body = json!({"username": username, "password": "a password for tests", "role": role});
        self.post("/auth/register", &body).await.expect(201);
        self.login(username, "a password for tests").await
    }

    /// A path of the API, or at the root if it says so itself.
    pub(crate) fn url(&self, path: &str) -> String {
        match path.strip_prefix("root:") {
            Some(path) => format!("{}{path}", self.server.url),
            None => format!("{}/api/v1{path}", self.server.url),
        }
    }

    pub(crate) fn anonymous(&self, method: &str, path: &str) -> RequestBuilder {
        self.http.request(Method::from_bytes(method.as_bytes()).unwrap(), self.url(path))
    }

    /// A request of the admin.
    pub(crate) fn request(&self, method: &str, path: &str) -> RequestBuilder {
        self.anonymous(method, path).bearer_auth(&self.token)
    }

    pub(crate) async fn get(&self, path: &str) -> Answer {
        Answer::of(self.request("GET", path)).await
    }

    pub(crate) async fn post(&self, path: &str, body: &Value) -> Answer {
        Answer::of(self.request("POST", path).json(body)).await
    }

    /// A request with a body as it is, called JSON.
    pub(crate) async fn send_text(&self, method: &str, path: &str, body: impl Into<Vec<u8>>) -> Answer {
        let request = self.request(method, path).header("content-type", "application/json");
        Answer::of(request.body(body.into())).await
    }

    /// Sends bytes as they are, closes the sending side if told so, and gives what comes back.
    pub(crate) async fn raw(&self, bytes: &[u8]) -> String {
        let mut stream = TcpStream::connect(self.server.url.strip_prefix("http://").unwrap()).await.unwrap();
        // A server that has refused may not read to the end.
        let _ = stream.write_all(bytes).await;
        let mut answer = Vec::new();
        let _ = tokio::time::timeout(Duration::from_secs(20), stream.read_to_end(&mut answer)).await;
        String::from_utf8_lossy(&answer).into_owned()
    }

    /// Another control plane on the same database and storage.
    pub(crate) async fn replica(&self) -> RunningServer {
        let mut settings = self.server.state().settings().clone();
        settings.listen = ([127, 0, 0, 1], 0).into();
        serve::start(settings, self.clock.clone()).await.unwrap()
    }

    /// How many rows each table holds, beside what every request may leave.
    pub(crate) async fn stored(&self) -> BTreeMap<String, i64> {
        let tables = [
            "users",
            "sessions",
            "registration_tokens",
            "devices",
            "device_tags",
            "device_bundles",
            "heartbeats",
            "device_configs",
            "bundles",
            "deployments",
            "deployment_targets",
            "log_entries",
            "idempotency_keys",
        ];
        let query: Vec<_> = tables
            .iter()
            .map(|table| format!("SELECT '{table}' AS name, COUNT(*) AS rows FROM {table}"))
            .collect();
        let query = AssertSqlSafe(query.join(" UNION ALL "));
        let url = self.server.state().settings().database_url.expose();
        if url.starts_with("postgres") {
            let mut connection = PgConnection::connect(url).await.unwrap();
            let rows = sqlx::query(query).fetch_all(&mut connection).await.unwrap();
            rows.iter().map(|row| (row.get(0), row.get(1))).collect()
        } else {
            let mut connection = SqliteConnection::connect(url).await.unwrap();
            let rows = sqlx::query(query).fetch_all(&mut connection).await.unwrap();
            rows.iter().map(|row| (row.get(0), row.get(1))).collect()
        }
    }

    /// How many files are arriving, and how many have arrived.
    pub(crate) fn files(&self) -> (usize, usize) {
        let count = |folder: &str| std::fs::read_dir(self.server.data_dir().join(folder)).unwrap().count();
        (count("incoming"), count("blobs"))
    }

    /// A device that has been let in.
    pub(crate) async fn device(&self) -> Device {
        let token = self.post("/registration-tokens", &json!({})).await.expect(201).json();
        let device = self.register(json!({"registration_token": token["token"]})).await;
        assert_eq!(device.status, "online");
        device
    }

    /// A device that was registered with further fields.
    pub(crate) async fn register(&self, mut fields: Value) -> Device {
        let key = SigningKey::generate(KeyAlgorithm::Ed25519).unwrap();
        fields["public_key"] = key.public_key_pem().unwrap().into();
        let body = fields.to_string();
        let now = self.now();
        let mut signed = Signed::new("POST", "/devices/register", "-", now, body.as_bytes());
        signed.sign(&key);
        let answer = signed.send(self).await.expect(201).json();
        let text = |field: &str| answer[field].as_str().unwrap().to_owned();
        Device { id: text("device_id"), status: text("status"), key, last: AtomicI64::new(now) }
    }

    /// Packs a small bundle.
    pub(crate) fn archive(&self, bundle: &TestBundle) -> Vec<u8> {
        let folder = tempfile::tempdir().unwrap();
        std::fs::read(bundle.pack(folder.path())).unwrap()
    }

    pub(crate) async fn upload_parts(&self, form: Form) -> Answer {
        Answer::of(self.request("POST", "/bundles").multipart(form)).await
    }

    pub(crate) async fn upload_archive(&self, archive: Vec<u8>) -> Answer {
        self.upload_parts(Form::new().part("file", file_part(archive))).await
    }

    /// A small bundle `default` of this version, uploaded; its id.
    pub(crate) async fn bundle(&self, version: &str) -> String {
        let archive = self.archive(&TestBundle::tiny("default", version));
        let answer = self.upload_archive(archive).await.expect(201);
        answer.json()["bundle_id"].as_str().unwrap().to_owned()
    }

    pub(crate) async fn deploy(&self, version: &str, devices: &[&Device]) -> String {
        let devices: Vec<_> = devices.iter().map(|device| &device.id).collect();
        let body = json!({"bundle_version": version, "target_devices": devices});
        let answer = self.post("/deployments", &body).await.expect(201);
        answer.json()["deployment_id"].as_str().unwrap().to_owned()
    }
}

pub(crate) fn file_part(bytes: Vec<u8>) -> Part {
    Part::bytes(bytes).file_name("bundle.tar.gz")
}

pub(crate) fn heartbeat() -> Value {
    json!({"agent_version": "0.1.0", "memory_mb": 512.0, "cpu_pct": 12.5, "status": "healthy"})
}

/// One device.
pub(crate) struct Device {
    pub(crate) id: String,
    pub(crate) status: String,
    pub(crate) key: SigningKey,
    last: AtomicI64,
}

impl Device {
    /// A timestamp that is greater than the last one.
    pub(crate) fn next(&self, api: &Api) -> i64 {
        let next = api.now().max(self.last.load(Ordering::Relaxed) + 1);
        self.last.store(next, Ordering::Relaxed);
        next
    }

    /// A signed request that has not been sent.
    pub(crate) fn signed(&self, api: &Api, method: &str, path: &str, body: impl AsRef<[u8]>) -> Signed {
        let mut signed = Signed::new(method, path, &self.id, self.next(api), body.as_ref());
        signed.sign(&self.key);
        signed
    }

    pub(crate) async fn send(&self, api: &Api, method: &str, path: &str, body: impl AsRef<[u8]>) -> Answer {
        self.signed(api, method, path, body).send(api).await
    }

    pub(crate) fn heartbeat_path(&self) -> String {
        format!("/devices/{}/heartbeat", self.id)
    }

    pub(crate) async fn beat(&self, api: &Api) -> Answer {
        self.send(api, "POST", &self.heartbeat_path(), heartbeat().to_string()).await
    }

    /// Reports that a deployment ended so.
    pub(crate) async fn report(&self, api: &Api, deployment: &str, status: &str) -> Answer {
        let body = json!({"device_id": self.id, "status": status});
        self.send(api, "POST", &format!("/deployments/{deployment}/result"), body.to_string()).await
    }
}

/// A request with a device's headers, which a test may change after it was signed.
#[derive(Clone, Debug)]
pub(crate) struct Signed {
    pub(crate) method: String,
    pub(crate) path: String,
    pub(crate) body: Vec<u8>,
    pub(crate) headers: Vec<(&'static str, String)>,
}

impl Signed {
    fn new(method: &str, path: &str, device: &str, timestamp: i64, body: &[u8]) -> Self {
        let headers = vec![
            ("x-device-id", device.to_owned()),
            ("x-device-timestamp", timestamp.to_string()),
            ("x-device-signature", String::new()),
        ];
        Self { method: method.to_owned(), path: path.to_owned(), body: body.to_vec(), headers }
    }

    /// What is signed.
    pub(crate) fn text(&self) -> String {
        let path = format!("/api/v1{}", self.path);
        let (path, query) = path.split_once('?').unwrap_or((&path, ""));
        CanonicalRequest {
            method: &self.method,
            path,
            query,
            device_id: self.value("x-device-id").unwrap(),
            timestamp: self.value("x-device-timestamp").unwrap(),
            challenge: self.value("x-device-challenge"),
            body: &self.body,
        }
        .text()
        .unwrap()
    }

    pub(crate) fn sign(&mut self, key: &SigningKey) {
        let path = format!("/api/v1{}", self.path);
        let (path, query) = path.split_once('?').unwrap_or((&path, ""));
        let request = CanonicalRequest {
            method: &self.method,
            path,
            query,
            device_id: self.value("x-device-id").unwrap(),
            timestamp: self.value("x-device-timestamp").unwrap(),
            challenge: self.value("x-device-challenge"),
            body: &self.body,
        };
        let signature = key.sign(&request).unwrap();
        self.set("x-device-signature", &signature);
    }

    pub(crate) fn value(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(known, _)| *known == name).map(|(_, value)| value.as_str())
    }

    pub(crate) fn set(&mut self, name: &'static str, value: &str) {
        self.headers.retain(|(known, _)| *known != name);
        self.headers.push((name, value.to_owned()));
    }

    pub(crate) async fn send(&self, api: &Api) -> Answer {
        self.send_to(api, &api.url("")).await
    }

    /// Sends it to another control plane.
    pub(crate) async fn send_to(&self, api: &Api, base: &str) -> Answer {
        let method = Method::from_bytes(self.method.as_bytes()).unwrap();
        let mut request = api.http.request(method, format!("{base}{}", self.path));
        for (name, value) in &self.headers {
            request = request.header(*name, value);
        }
        Answer::of(request.body(self.body.clone())).await
    }
}

/// Where a replica's API is.
pub(crate) fn api_of(replica: &RunningServer) -> String {
    format!("http://{}/api/v1", replica.address)
}

/// Digest as lower-case hex.
pub(crate) fn sha256(bytes: &[u8]) -> String {
    hex::encode(aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, bytes))
}

/// A gzipped tar of these files.
pub(crate) fn tar_gz(files: &[(&str, &[u8])]) -> Vec<u8> {
    let mut archive =
        tar::Builder::new(flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast()));
    for (name, bytes) in files {
        let mut header = tar::Header::new_gnu();
        header.set_size(bytes.len() as u64);
        header.set_mode(0o644);
        // `set_path` would refuse the names that tests need.
        let field = &mut header.as_gnu_mut().unwrap().name;
        field[..name.len()].copy_from_slice(name.as_bytes());
        header.set_cksum();
        archive.append(&header, *bytes).unwrap();
    }
    archive.into_inner().unwrap().finish().unwrap()
}

pub(crate) fn is_empty(folder: &Path) -> bool {
    std::fs::read_dir(folder).unwrap().next().is_none()
}
