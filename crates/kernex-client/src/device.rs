//! The device's side of the API: every request is signed (protocol, section 1), bundle bytes come by capability URL.

mod download;
mod signed_time;
#[cfg(test)]
mod tests;

use std::{
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use kernex_api::{
    BASE_PATH, ErrorCode,
    deployments::ResultRequest,
    devices::{RegisterDeviceRequest, RegisteredDevice},
    heartbeat::{DeployCommand, HeartbeatRequest, HeartbeatResponse},
    logs::{LogEntry, LogsIngested},
    signing::{
        CanonicalRequest, DEVICE_ID_HEADER, IDEMPOTENCY_KEY_HEADER, NONE, SIGNATURE_HEADER, SigningKey,
        TIMESTAMP_HEADER,
    },
};
use kernex_core::{BundleId, Clock, DeploymentId, DeviceId, Timestamp};
use reqwest::{
    Client, Method, Response,
    header::{CONTENT_ENCODING, CONTENT_TYPE, RETRY_AFTER},
};
use serde::{Serialize, de::DeserializeOwned};
use url::Url;

pub use download::{Download, DownloadStart};
use signed_time::SignedTime;

use crate::{
    Error,
    http::{check_status, network_error, parse_base, read_bytes, read_json},
};

/// Lines of log are compressed from this size on; below it gzip saves next to nothing.
const MIN_COMPRESSED_BYTES: usize = 1024;
/// Deadline of a request when nothing else was set: the default `heartbeat_timeout`.
const DEFAULT_REQUEST_TIMEOUT: Duration = Duration::from_secs(30);

/// One device talking to its control plane.
///
/// Keeps one signed request in flight, because the timestamp is also a counter; clone the HTTP client and the key, not
/// this, when many devices are simulated.
#[derive(Debug)]
pub struct DeviceClient {
    /// Scheme, host, port and an optional path prefix, without a slash at the end.
    base: Url,
    prefix: String,
    http: Client,
    key: Arc<SigningKey>,
    clock: Arc<dyn Clock>,
    device_id: Mutex<Option<DeviceId>>,
    time: Mutex<SignedTime>,
    request_timeout_millis: AtomicU64,
    in_flight: tokio::sync::Mutex<()>,
}

/// A request before it is signed; a retry signs it anew.
struct Unsigned<'a> {
    method: Method,
    url: Url,
    body: Vec<u8>,
    is_gzip: bool,
    idempotency_key: Option<&'a str>,
}

impl DeviceClient {
    /// A client for a key that is not registered yet; `address` is the control plane's, with or without `/api/v1`.
    pub fn new(
        address: &str,
        http: Client,
        key: Arc<SigningKey>,
        clock: Arc<dyn Clock>,
    ) -> Result<Self, Error> {
        let base = parse_base(address)?;
        let path = base.path().trim_end_matches('/');
        let prefix = path.strip_suffix(BASE_PATH).unwrap_or(path).to_owned();
        Ok(Self {
            base,
            prefix,
            http,
            key,
            clock,
            device_id: Mutex::new(None),
            time: Mutex::new(SignedTime::default()),
            request_timeout_millis: AtomicU64::new(millis(DEFAULT_REQUEST_TIMEOUT)),
            in_flight: tokio::sync::Mutex::new(()),
        })
    }

    /// The same client for a device that is registered.
    #[must_use]
    pub fn with_device_id(self, device_id: DeviceId) -> Self {
        *lock(&self.device_id) = Some(device_id);
        self
    }

    /// The same client, going on from a counter that was kept over a restart.
    #[must_use]
    pub fn with_last_timestamp(self, last: Timestamp) -> Self {
        lock(&self.time).last = last.as_millis();
        self
    }

    /// The same client, with a clock correction that was kept over a restart.
    #[must_use]
    pub fn with_clock_offset_millis(self, offset: i64) -> Self {
        lock(&self.time).offset = offset;
        self
    }

    /// The same client with another deadline per request.
    #[must_use]
    pub fn with_request_timeout(self, timeout: Duration) -> Self {
        self.set_request_timeout(timeout);
        self
    }

    /// Changes the deadline of requests from now on.
    pub fn set_request_timeout(&self, timeout: Duration) {
        self.request_timeout_millis.store(millis(timeout), Ordering::Relaxed);
    }

    /// Who this is, once registered.
    pub fn device_id(&self) -> Option<DeviceId> {
        *lock(&self.device_id)
    }

    /// The last timestamp that was sent: the next one will be greater. To be kept over restarts.
    pub fn last_timestamp(&self) -> Timestamp {
        Timestamp::from_millis(lock(&self.time).last)
    }

    /// How much the control plane's clock is ahead of this device's, milliseconds. To be kept over restarts.
    pub fn clock_offset_millis(&self) -> i64 {
        lock(&self.time).offset
    }

    /// The present, corrected by what the control plane said about this device's clock.
    pub fn corrected_now(&self) -> Timestamp {
        self.clock.now().plus_millis(self.clock_offset_millis())
    }

    /// Registers the key; the same key again gives the same device. From then on the client acts as that device.
    pub async fn register(&self, request: &RegisterDeviceRequest) -> Result<RegisteredDevice, Error> {
        let unsigned = self.post("/devices/register", request, None)?;
        let device: RegisteredDevice = self.send_json(None, &unsigned).await?;
        *lock(&self.device_id) = Some(device.device_id);
        Ok(device)
    }

    /// Reports what the device is and does; the answer carries commands.
    pub async fn heartbeat(&self, request: &HeartbeatRequest) -> Result<HeartbeatResponse, Error> {
        let id = self.registered()?;
        let unsigned = self.post(&format!("/devices/{id}/heartbeat"), request, None)?;
        self.send_json(Some(id), &unsigned).await
    }

    /// Reports how a deployment ended; the key stays the same over retries.
    pub async fn report_result(
        &self,
        deployment: DeploymentId,
        request: &ResultRequest,
        idempotency_key: &str,
    ) -> Result<(), Error> {
        let id = self.registered()?;
        let path = format!("/deployments/{deployment}/result");
        let unsigned = self.post(&path, request, Some(idempotency_key))?;
        self.send(Some(id), &unsigned).await.map(drop)
    }

    /// Asks whether a deployment is still meant for this device; the answer has a fresh download address.
    ///
    /// A refusal with 410 or 403 means that it is not.
    pub async fn order(&self, deployment: DeploymentId) -> Result<DeployCommand, Error> {
        let id = self.registered()?;
        let unsigned = self.get(&format!("/deployments/{deployment}/order"))?;
        self.send_json(Some(id), &unsigned).await
    }

    /// Ships lines of log, compressed when that is worth it; gives how many were stored.
    pub async fn ship_logs(&self, entries: &[LogEntry]) -> Result<usize, Error> {
        let id = self.registered()?;
        let mut unsigned = self.post("/logs/batch", entries, None)?;
        if unsigned.body.len() > MIN_COMPRESSED_BYTES {
            unsigned.body = gzip(&unsigned.body)?;
            unsigned.is_gzip = true;
        }
        let answer: LogsIngested = self.send_json(Some(id), &unsigned).await?;
        Ok(answer.ingested)
    }

    /// The manifest of a bundle that this device has a target with: its JSON text.
    pub async fn bundle_manifest(&self, bundle: BundleId) -> Result<Vec<u8>, Error> {
        let id = self.registered()?;
        let unsigned = self.get(&format!("/bundles/{bundle}/manifest"))?;
        let response = self.send(Some(id), &unsigned).await?;
        read_bytes(&self.base, response).await
    }

    fn registered(&self) -> Result<DeviceId, Error> {
        self.device_id().ok_or(Error::NotRegistered)
    }

    fn request_timeout(&self) -> Duration {
        Duration::from_millis(self.request_timeout_millis.load(Ordering::Relaxed))
    }

    fn endpoint(&self, path: &str) -> Result<Url, Error> {
        let path = format!("{}{BASE_PATH}{path}", self.prefix);
        self.base.join(&path).map_err(|_| Error::Address(path))
    }

    fn get(&self, path: &str) -> Result<Unsigned<'static>, Error> {
        let url = self.endpoint(path)?;
        Ok(Unsigned { method: Method::GET, url, body: Vec::new(), is_gzip: false, idempotency_key: None })
    }

    fn post<'a, T: Serialize + ?Sized>(
        &self,
        path: &str,
        body: &T,
        idempotency_key: Option<&'a str>,
    ) -> Result<Unsigned<'a>, Error> {
        let body = serde_json::to_vec(body).map_err(std::io::Error::from)?;
        Ok(Unsigned {
            method: Method::POST,
            url: self.endpoint(path)?,
            body,
            is_gzip: false,
            idempotency_key,
        })
    }

    async fn send_json<T: DeserializeOwned>(
        &self,
        device: Option<DeviceId>,
        unsigned: &Unsigned<'_>,
    ) -> Result<T, Error> {
        let response = self.send(device, unsigned).await?;
        read_json(&self.base, response).await
    }

    /// Sends and, if the clock or the counter was the reason for a refusal, signs anew and sends once more.
    async fn send(&self, device: Option<DeviceId>, unsigned: &Unsigned<'_>) -> Result<Response, Error> {
        let _one_at_a_time = self.in_flight.lock().await;
        match self.send_once(device, unsigned).await {
            Err(error) if self.learn_from(&error) => self.send_once(device, unsigned).await,
            outcome => outcome,
        }
    }

    /// Takes over what a refusal says about the time; whether another try makes sense.
    fn learn_from(&self, error: &Error) -> bool {
        let Some(problem) = error.problem() else { return false };
        match (problem.status, problem.code, problem.server_time) {
            (401, ErrorCode::ClockSkew, Some(server_time)) => {
                lock(&self.time).correct(self.clock.now().as_millis(), server_time);
                true
            }
            (401, ErrorCode::Replayed, _) => true,
            _ => false,
        }
    }

    async fn send_once(&self, device: Option<DeviceId>, unsigned: &Unsigned<'_>) -> Result<Response, Error> {
        let timestamp = lock(&self.time).next(self.clock.now().as_millis()).to_string();
        let device = device.map_or_else(|| NONE.to_owned(), |id| id.to_string());
        let signature = self.key.sign(&CanonicalRequest {
            method: unsigned.method.as_str(),
            path: unsigned.url.path(),
            query: unsigned.url.query().unwrap_or_default(),
            device_id: &device,
            timestamp: &timestamp,
            challenge: None,
            body: &unsigned.body,
        })?;
        let mut request = self
            .http
            .request(unsigned.method.clone(), unsigned.url.clone())
            .timeout(self.request_timeout())
            .header(DEVICE_ID_HEADER, device)
            .header(TIMESTAMP_HEADER, timestamp)
            .header(SIGNATURE_HEADER, signature);
        if !unsigned.body.is_empty() {
            request = request.header(CONTENT_TYPE, "application/json").body(unsigned.body.clone());
        }
        if unsigned.is_gzip {
            request = request.header(CONTENT_ENCODING, "gzip");
        }
        if let Some(key) = unsigned.idempotency_key {
            request = request.header(IDEMPOTENCY_KEY_HEADER, key);
        }
        let response = request.send().await.map_err(|error| network_error(&self.base, error))?;
        check_answer(&self.base, response).await
    }
}

/// Like [`check_status`], and keeps how long a busy control plane asks to be left alone.
async fn check_answer(base: &Url, response: Response) -> Result<Response, Error> {
    let busy = matches!(response.status().as_u16(), 429 | 503);
    let wait = response.headers().get(RETRY_AFTER).and_then(|value| value.to_str().ok()?.trim().parse().ok());
    match (check_status(base, response).await, wait) {
        (Err(error), Some(secs)) if busy => {
            Err(Error::Busy { retry_after: Duration::from_secs(secs), source: Box::new(error) })
        }
        (outcome, _) => outcome,
    }
}

fn gzip(bytes: &[u8]) -> std::io::Result<Vec<u8>> {
    use std::io::Write as _;
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    encoder.write_all(bytes)?;
    encoder.finish()
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

/// A poisoned lock holds plain values that are valid after every single write.
fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
