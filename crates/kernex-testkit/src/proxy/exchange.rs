//! A request and its answer, as bytes.

use std::{io, time::Duration};

use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
    time::timeout,
};

/// Larger than what tests send and fetch.
const MAX_BYTES: u64 = 64 * 1024 * 1024;
/// A control plane that does not answer within this time has ended.
const UPSTREAM_TIMEOUT: Duration = Duration::from_secs(60);

/// A request as it came, apart from how connections are kept.
#[derive(Clone, Debug)]
pub(super) struct Request {
    pub(super) path: String,
    bytes: Vec<u8>,
}

/// Whether it is a heartbeat.
pub(super) fn is_heartbeat(request: &Request) -> bool {
    request.path.contains("/heartbeat")
}

/// Reads one request; nothing when the device closes instead.
pub(super) async fn read_request(client: &mut TcpStream) -> io::Result<Option<Request>> {
    let mut bytes = Vec::new();
    let end_of_head = loop {
        if let Some(at) = bytes.windows(4).position(|four| four == b"\r\n\r\n") {
            break at + 4;
        }
        if client.read_buf(&mut bytes).await? == 0 {
            return Ok(None);
        }
    };
    let head = String::from_utf8_lossy(&bytes[..end_of_head]).into_owned();
    let length = head.lines().find_map(|line| {
        let (name, value) = line.split_once(':')?;
        name.eq_ignore_ascii_case("content-length").then(|| value.trim().parse::<usize>().ok())?
    });
    let wanted = end_of_head + length.unwrap_or(0);
    while bytes.len() < wanted {
        if client.read_buf(&mut bytes).await? == 0 {
            return Ok(None);
        }
    }
    let path = head.split(' ').nth(1).unwrap_or_default().to_owned();
    Ok(Some(Request { path, bytes: closing(&head, &bytes[end_of_head..]) }))
}

/// The same request on a connection of its own.
fn closing(head: &str, body: &[u8]) -> Vec<u8> {
    let kept = head.trim_end().lines().filter(|line| !line.to_ascii_lowercase().starts_with("connection:"));
    let mut bytes = kept.collect::<Vec<_>>().join("\r\n").into_bytes();
    bytes.extend_from_slice(b"\r\nconnection: close\r\n\r\n");
    bytes.extend_from_slice(body);
    bytes
}

/// Brings a request to the control plane and gives its answer, which ends with the connection.
pub(super) async fn ask(upstream: &str, request: &Request) -> io::Result<Vec<u8>> {
    let exchange = async {
        let mut server = TcpStream::connect(upstream).await?;
        server.write_all(&request.bytes).await?;
        let mut answer = Vec::new();
        server.take(MAX_BYTES).read_to_end(&mut answer).await?;
        Ok(answer)
    };
    timeout(UPSTREAM_TIMEOUT, exchange).await.map_err(|_| io::Error::from(io::ErrorKind::TimedOut))?
}

/// What some other program on the way says.
pub(super) fn error_page(number: usize) -> String {
    let (status, further) = [
        ("500 Internal Server Error", ""),
        ("502 Bad Gateway", ""),
        ("503 Service Unavailable", "retry-after: 1\r\n"),
        ("504 Gateway Timeout", ""),
    ][number % 4];
    let body = format!("<html><head><title>{status}</title></head><body>no</body></html>");
    format!(
        "HTTP/1.1 {status}\r\ncontent-type: text/html\r\n{further}content-length: {}\r\nconnection: close\r\n\r\n{body}",
        body.len()
    )
}
