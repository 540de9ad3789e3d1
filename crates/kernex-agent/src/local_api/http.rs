//! As much of HTTP/1.1 as the local API needs: one request and one answer per connection, within strict limits.

use std::io;

use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::UnixStream;

/// Longest first line and headers; ours need less than a tenth.
const MAX_HEAD_BYTES: usize = 4 * 1024;
/// Longest body: 64 metrics take less than a tenth.
const MAX_BODY_BYTES: usize = 64 * 1024;
const END_OF_HEAD: &[u8] = b"\r\n\r\n";

/// A request.
pub(super) struct Request {
    pub(super) method: String,
    pub(super) path: String,
    pub(super) body: Vec<u8>,
}

/// An answer.
pub(super) struct Answer {
    status: u16,
    body: Vec<u8>,
}

impl Answer {
    pub(super) fn empty() -> Self {
        Self { status: 204, body: Vec::new() }
    }

    pub(super) fn json(status: u16, value: &Value) -> Self {
        Self { status, body: value.to_string().into_bytes() }
    }

    pub(super) fn error(status: u16, detail: &str) -> Self {
        Self::json(status, &json!({ "status": status, "detail": detail }))
    }
}

/// Reads a request; one that cannot be used gives the answer to it.
pub(super) async fn read(stream: &mut UnixStream) -> io::Result<Result<Request, Answer>> {
    let mut bytes = Vec::new();
    let head = loop {
        if let Some(end) = bytes.windows(END_OF_HEAD.len()).position(|window| window == END_OF_HEAD) {
            break end;
        }
        if bytes.len() > MAX_HEAD_BYTES {
            return Ok(Err(Answer::error(431, "the headers are too long")));
        }
        if stream.read_buf(&mut bytes).await? == 0 {
            return Ok(Err(Answer::error(400, "the request is cut off")));
        }
    };
    let mut body = bytes.split_off(head + END_OF_HEAD.len());
    let (method, path, length) = match parse_head(&bytes[..head]) {
        Ok(parsed) => parsed,
        Err(answer) => return Ok(Err(answer)),
    };
    while body.len() < length {
        if stream.read_buf(&mut body).await? == 0 {
            return Ok(Err(Answer::error(400, "the body is cut off")));
        }
    }
    body.truncate(length);
    Ok(Ok(Request { method, path, body }))
}

/// Method, path, and length of the body.
fn parse_head(head: &[u8]) -> Result<(String, String, usize), Answer> {
    let bad = |detail: &str| Answer::error(400, detail);
    let head = std::str::from_utf8(head).map_err(|_| bad("the headers are not text"))?;
    let mut lines = head.split("\r\n");
    let mut first = lines.next().unwrap_or_default().split(' ');
    let (Some(method), Some(path), Some("HTTP/1.1" | "HTTP/1.0"), None) =
        (first.next(), first.next(), first.next(), first.next())
    else {
        return Err(bad("this is not an HTTP/1.1 request"));
    };
    let mut length = None;
    for line in lines {
        let (name, value) = line.split_once(':').ok_or_else(|| bad("a header has no colon"))?;
        if name.eq_ignore_ascii_case("transfer-encoding") {
            return Err(Answer::error(411, "give the length of the body"));
        }
        if name.eq_ignore_ascii_case("content-length") {
            let value = value.trim().parse::<usize>().map_err(|_| bad("the length is no number"))?;
            if length.replace(value).is_some() {
                return Err(bad("there are two lengths"));
            }
        }
    }
    let length = length.unwrap_or(0);
    match length {
        0..=MAX_BODY_BYTES => Ok((method.to_owned(), path.to_owned(), length)),
        _ => Err(Answer::error(413, "the body is larger than 64 KiB")),
    }
}

/// Sends an answer.
pub(super) async fn write(stream: &mut UnixStream, answer: &Answer) -> io::Result<()> {
    let Answer { status, body } = answer;
    let length = body.len();
    let mut bytes = format!(
        "HTTP/1.1 {status} {}\r\nContent-Type: application/json\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n",
        reason(*status)
    )
    .into_bytes();
    bytes.extend_from_slice(body);
    stream.write_all(&bytes).await?;
    stream.shutdown().await
}

const fn reason(status: u16) -> &'static str {
    match status {
        200 => "OK",
        204 => "No Content",
        404 => "Not Found",
        405 => "Method Not Allowed",
        _ => "Bad Request",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn heads_that_could_be_understood_in_two_ways_are_refused() {
        let status = |head: &str| parse_head(head.as_bytes()).map_or_else(|answer| answer.status, |_| 200);
        assert_eq!(status("GET / HTTP/1.1\r\ncontent-length: 3"), 200);
        for (head, expected) in [
            ("GET /a b HTTP/1.1", 400),
            ("GET / HTTP/2", 400),
            ("", 400),
            ("POST / HTTP/1.1\r\nContent-Length: 1\r\ncontent-length: 2", 400),
            ("POST / HTTP/1.1\r\nContent-Length: -1", 400),
            ("POST / HTTP/1.1\r\nTransfer-Encoding: chunked", 411),
            ("POST / HTTP/1.1\r\nno colon", 400),
            ("POST / HTTP/1.1\r\nContent-Length: 65537", 413),
        ] {
            assert_eq!(status(head), expected, "{head:?}");
        }
    }
}
