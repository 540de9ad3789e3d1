//! Asking a running server for its health, for the health check in the manifest.

use std::{
    fs,
    io::{Read, Write},
    net::{SocketAddr, TcpStream},
    path::Path,
    time::Duration,
};

use crate::server::address_file;

const TIMEOUT: Duration = Duration::from_secs(2);
const MAX_ANSWER_BYTES: u64 = 16 * 1024;

/// An error unless a server answers at the address written in the data folder and has this model loaded: the address
/// may be an older version's.
pub(crate) fn check(data_dir: Option<&Path>, model_version: &str) -> Result<(), String> {
    let file = address_file(data_dir.ok_or("--check needs KERNEX_DATA_DIR")?);
    let text = fs::read_to_string(&file).map_err(|e| format!("{}: {e}", file.display()))?;
    let address: SocketAddr =
        text.trim().parse().map_err(|_| format!("{} holds no address", file.display()))?;
    let answer = get_health(address).map_err(|e| format!("{address}: {e}"))?;
    let (head, body) = answer.split_once("\r\n\r\n").ok_or_else(|| format!("{address}: no HTTP answer"))?;
    if !head.starts_with("HTTP/1.1 200 ") {
        return Err(format!("{address}: {}", head.lines().next().unwrap_or("no answer")));
    }
    let health: serde_json::Value = serde_json::from_str(body).map_err(|e| format!("{address}: {e}"))?;
    match health["model_version"].as_str() {
        Some(running) if running == model_version => Ok(()),
        Some(running) => Err(format!("{address}: runs model {running}, not {model_version}")),
        None => Err(format!("{address}: the answer names no model")),
    }
}

fn get_health(address: SocketAddr) -> std::io::Result<String> {
    let mut stream = TcpStream::connect_timeout(&address, TIMEOUT)?;
    stream.set_read_timeout(Some(TIMEOUT))?;
    stream.set_write_timeout(Some(TIMEOUT))?;
    write!(stream, "GET /health HTTP/1.1\r\nhost: {address}\r\nconnection: close\r\n\r\n")?;
    let mut answer = String::new();
    stream.take(MAX_ANSWER_BYTES).read_to_string(&mut answer)?;
    Ok(answer)
}
