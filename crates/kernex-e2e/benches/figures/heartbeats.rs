//! Heartbeats: how many per second, and what one costs the server.
//!
//! Requests are signed beforehand, with the timestamps at which a faster device might have signed them, so that the clients,
//! which share the processors with the server, do little more than send.

use std::{sync::Arc, time::Duration};

use futures_util::future::join_all;
use kernex_api::signing::{
    CanonicalRequest, DEVICE_ID_HEADER, KeyAlgorithm, SIGNATURE_HEADER, SigningKey, TIMESTAMP_HEADER,
};
use kernex_client::{DeviceClient, HttpOptions, build_http_client};
use kernex_testkit::{Backend, ServerProcess, ServerSetup, TestDevice, cpu_time, system_clock};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
    time::Instant,
};

use crate::{Size, table::table};

/// One device on each.
const CONNECTIONS: usize = 48;

pub(crate) async fn measure(size: &Size) -> String {
    let mut rows = Vec::new();
    for (name, algorithm, signed) in [
        ("Ed25519", KeyAlgorithm::Ed25519, size.signed_ed25519),
        ("RSA-4096", KeyAlgorithm::Rsa4096, size.signed_rsa),
    ] {
        let keys = make_keys(algorithm).await;
        for backend in Backend::all() {
            rows.push(measure_one(size, backend, name, &keys, signed).await);
        }
    }
    let title = format!("Heartbeats, {CONNECTIONS} connections with one device each");
    table(&title, &["Database, key", "heartbeats/s", "server CPU per heartbeat", "median", "99 %"], &rows)
}

async fn make_keys(algorithm: KeyAlgorithm) -> Vec<Arc<SigningKey>> {
    let make = |_| tokio::task::spawn_blocking(move || Arc::new(SigningKey::generate(algorithm).unwrap()));
    join_all((0..CONNECTIONS).map(make)).await.into_iter().map(Result::unwrap).collect()
}

async fn measure_one(
    size: &Size,
    backend: Backend,
    name: &str,
    keys: &[Arc<SigningKey>],
    signed: usize,
) -> Vec<String> {
    let setup = ServerSetup::new(backend).await;
    let server = setup.start().await;
    let admin = server.admin().await;
    let token = ServerProcess::registration_token(&admin, CONNECTIONS as u32).await;
    let address = server.url.trim_start_matches("http://").to_owned();
    let sign = keys.iter().map(|key| sign_heartbeats(&server.url, &token, key.clone(), signed));
    let requests = join_all(sign).await;

    let cpu = cpu_time(server.pid());
    let began = Instant::now();
    let end = began + size.rounds;
    let send = requests.into_iter().map(|requests| tokio::spawn(send_until(address.clone(), requests, end)));
    let mut times: Vec<Duration> = join_all(send).await.into_iter().flat_map(Result::unwrap).collect();
    let (took, cpu) = (began.elapsed(), cpu_time(server.pid()) - cpu);
    times.sort();
    let millis =
        |share: f64| format!("{:.1} ms", times[(times.len() as f64 * share) as usize].as_secs_f64() * 1e3);
    vec![
        format!("{backend:?}, {name}"),
        format!("{:.0}", times.len() as f64 / took.as_secs_f64()),
        format!("{:.0} µs", cpu.as_secs_f64() * 1e6 / times.len() as f64),
        millis(0.5),
        millis(0.99),
    ]
}

/// Registers a device and signs so many heartbeats, off the async threads.
async fn sign_heartbeats(url: &str, token: &str, key: Arc<SigningKey>, count: usize) -> Vec<Vec<u8>> {
    let http = build_http_client(&HttpOptions::default()).unwrap();
    let client = DeviceClient::new(url, http, key.clone(), system_clock()).unwrap();
    let device = TestDevice { client, key: key.clone() };
    device.register(Some(token)).await.unwrap();
    let (id, first) = (device.id().to_string(), device.client.last_timestamp().as_millis() + 1);
    let sign = move || (0..count).map(|number| signed_request(&key, &id, first + number as i64)).collect();
    tokio::task::spawn_blocking(sign).await.unwrap()
}

fn signed_request(key: &SigningKey, id: &str, timestamp: i64) -> Vec<u8> {
    let body = serde_json::to_vec(&TestDevice::heartbeat_request()).unwrap();
    let (path, timestamp) = (format!("/api/v1/devices/{id}/heartbeat"), timestamp.to_string());
    let signed = CanonicalRequest {
        method: "POST",
        path: &path,
        query: "",
        device_id: id,
        timestamp: &timestamp,
        challenge: None,
        body: &body,
    };
    let signature = key.sign(&signed).unwrap();
    let mut request = format!(
        "POST {path} HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\
         {DEVICE_ID_HEADER}: {id}\r\n{TIMESTAMP_HEADER}: {timestamp}\r\n{SIGNATURE_HEADER}: {signature}\r\n\r\n",
        body.len()
    )
    .into_bytes();
    request.extend(body);
    request
}

/// Sends one after another; gives how long each answer took.
async fn send_until(address: String, requests: Vec<Vec<u8>>, end: Instant) -> Vec<Duration> {
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream.set_nodelay(true).unwrap();
    let mut times = Vec::with_capacity(requests.len());
    let mut buffer = Vec::with_capacity(4_096);
    for request in requests {
        let began = Instant::now();
        if began >= end {
            break;
        }
        stream.write_all(&request).await.unwrap();
        read_answer(&mut stream, &mut buffer).await;
        times.push(began.elapsed());
    }
    times
}

async fn read_answer(stream: &mut TcpStream, buffer: &mut Vec<u8>) {
    buffer.clear();
    loop {
        assert_ne!(stream.read_buf(buffer).await.unwrap(), 0, "the server closed the connection");
        let text = String::from_utf8_lossy(buffer);
        let Some((head, body)) = text.split_once("\r\n\r\n") else { continue };
        assert!(head.starts_with("HTTP/1.1 200"), "{text}");
        let length =
            head.lines().find_map(|line| line.strip_prefix("content-length: ")?.parse::<usize>().ok());
        if body.len() >= length.expect("a heartbeat's answer has a length") {
            return;
        }
    }
}
