//! Asking a device's workload, which answers on an address that it writes into its data folder.

use std::{fs, path::Path, time::Duration};

use anyhow::{Context as _, Result, ensure};
use serde_json::Value;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
    time::timeout,
};

/// A reading that the example's versions judge differently.
pub(super) const READING: &str = r#"{"features":[51,1.9,3.3,1.92]}"#;

const ANSWER_DEADLINE: Duration = Duration::from_secs(5);

/// `POST /predict` to the workload of the device with this data folder.
pub(super) async fn predict(device: &Path) -> Result<Value> {
    let file = device.join("bundles/edge-model/data/infer.addr");
    let address = fs::read_to_string(&file)
        .with_context(|| format!("the workload has not written {}", file.display()))?;
    let answer = timeout(ANSWER_DEADLINE, post(address.trim())).await;
    answer
        .context("no answer in time")
        .flatten()
        .with_context(|| format!("the workload at {} does not answer", address.trim()))
}

async fn post(address: &str) -> Result<Value> {
    let mut stream = TcpStream::connect(address).await?;
    let length = READING.len();
    let request = format!(
        "POST /predict HTTP/1.1\r\nHost: {address}\r\nContent-Type: application/json\r\nContent-Length: {length}\r\n\
         Connection: close\r\n\r\n{READING}"
    );
    stream.write_all(request.as_bytes()).await?;
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).await?;
    let answer = String::from_utf8_lossy(&answer);
    let (head, body) = answer.split_once("\r\n\r\n").context("the answer has no body")?;
    ensure!(head.starts_with("HTTP/1.1 200"), "the answer is {}", head.lines().next().unwrap_or_default());
    serde_json::from_str(body).context("the answer is not JSON")
}
