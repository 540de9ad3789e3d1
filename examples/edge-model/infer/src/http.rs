//! As much of HTTP/1.1 as the example needs: one request per connection, with limits.

use std::{
    io::{self, BufRead, BufReader, Read, Write},
    net::TcpStream,
    time::{Duration, Instant},
};

const MAX_HEAD_BYTES: usize = 8 * 1024;
const MAX_BODY_BYTES: usize = 64 * 1024;
/// A client that sends a byte now and then must not hold a thread for ever.
const REQUEST_DEADLINE: Duration = Duration::from_secs(10);

pub(crate) struct Request {
    pub(crate) method: String,
    pub(crate) path: String,
    pub(crate) body: Vec<u8>,
}

/// An answer, its body JSON.
#[derive(Debug, PartialEq)]
pub(crate) struct Response {
    pub(crate) status: u16,
    pub(crate) body: String,
}

impl Response {
    pub(crate) fn error(status: u16, message: &str) -> Self {
        Self { status, body: serde_json::json!({ "error": message }).to_string() }
    }

    pub(crate) fn write(&self, mut out: impl Write) -> io::Result<()> {
        let reason = match self.status {
            200 => "OK",
            400 => "Bad Request",
            404 => "Not Found",
            405 => "Method Not Allowed",
            408 => "Request Timeout",
            411 => "Length Required",
            413 => "Content Too Large",
            503 => "Service Unavailable",
            _ => "Error",
        };
        let (status, length) = (self.status, self.body.len());
        write!(
            out,
            "HTTP/1.1 {status} {reason}\r\ncontent-type: application/json\r\ncontent-length: {length}\r\n\
             connection: close\r\n\r\n{}",
            self.body
        )?;
        out.flush()
    }
}

/// Reads a request; `None` if the client went away without one.
pub(crate) fn read_request(stream: &TcpStream) -> Result<Option<Request>, Response> {
    let reader = UntilDeadline { stream, deadline: Instant::now() + REQUEST_DEADLINE };
    parse(BufReader::new(reader))
}

fn parse(mut reader: impl BufRead) -> Result<Option<Request>, Response> {
    let mut room = MAX_HEAD_BYTES;
    let first = read_line(&mut reader, &mut room)?;
    if first.is_empty() {
        return Ok(None);
    }
    let mut words = first.split(' ');
    let (Some(method), Some(target), Some("HTTP/1.1" | "HTTP/1.0"), None) =
        (words.next(), words.next(), words.next(), words.next())
    else {
        return Err(Response::error(400, "this is not HTTP/1.1"));
    };
    let mut length = None;
    loop {
        let line = read_line(&mut reader, &mut room)?;
        if line.is_empty() {
            break;
        }
        let (name, value) =
            line.split_once(':').ok_or_else(|| Response::error(400, "a header has no colon"))?;
        if name.eq_ignore_ascii_case("transfer-encoding") {
            return Err(Response::error(411, "send the body with a content-length"));
        }
        if name.eq_ignore_ascii_case("content-length") {
            let bytes = value.trim().parse::<usize>().ok().filter(|_| length.is_none());
            length = Some(bytes.ok_or_else(|| Response::error(400, "the content-length is wrong"))?);
        }
    }
    let length = length.unwrap_or(0);
    if length > MAX_BODY_BYTES {
        return Err(Response::error(413, "the body is larger than 64 KiB"));
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body).map_err(|e| read_failed(&e))?;
    let path = target.split('?').next().unwrap_or(target);
    Ok(Some(Request { method: method.to_owned(), path: path.to_owned(), body }))
}

fn read_line(reader: &mut impl BufRead, room: &mut usize) -> Result<String, Response> {
    let mut line = Vec::new();
    reader.take(*room as u64).read_until(b'\n', &mut line).map_err(|e| read_failed(&e))?;
    *room -= line.len();
    if *room == 0 {
        return Err(Response::error(400, "the head is larger than 8 KiB"));
    }
    let line = String::from_utf8(line).map_err(|_| Response::error(400, "the head is not UTF-8"))?;
    Ok(line.trim_end_matches(['\r', '\n']).to_owned())
}

fn read_failed(error: &io::Error) -> Response {
    match error.kind() {
        io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut => {
            Response::error(408, "the request took too long")
        }
        _ => Response::error(400, "the request is cut off"),
    }
}

struct UntilDeadline<'a> {
    stream: &'a TcpStream,
    deadline: Instant,
}

impl Read for UntilDeadline<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let left = self.deadline.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return Err(io::ErrorKind::TimedOut.into());
        }
        self.stream.set_read_timeout(Some(left))?;
        self.stream.read(buffer)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn status(text: &str) -> u16 {
        match parse(text.as_bytes()) {
            Ok(_) => 200,
            Err(response) => response.status,
        }
    }

    #[test]
    fn a_request_is_read_with_its_body() {
        let text = "POST /predict?x=1 HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\n{}and more";
        let request = parse(text.as_bytes()).unwrap().unwrap();
        assert_eq!((request.method.as_str(), request.path.as_str()), ("POST", "/predict"));
        assert_eq!(request.body, b"{}");
        assert!(parse(&b""[..]).unwrap().is_none());
    }

    #[test]
    fn requests_beyond_the_limits_are_refused() {
        for (text, expected) in [
            ("GET / HTTP/2\r\n\r\n".to_owned(), 400),
            ("\u{1}\u{2}\r\n\r\n".to_owned(), 400),
            ("GET / HTTP/1.1\r\nno colon\r\n\r\n".to_owned(), 400),
            (format!("GET / HTTP/1.1\r\nA: {}\r\n\r\n", "x".repeat(9000)), 400),
            ("POST / HTTP/1.1\r\nContent-Length: 65537\r\n\r\n".to_owned(), 413),
            ("POST / HTTP/1.1\r\nContent-Length: -1\r\n\r\n".to_owned(), 400),
            ("POST / HTTP/1.1\r\nContent-Length: 1\r\nContent-Length: 1\r\n\r\nx".to_owned(), 400),
            ("POST / HTTP/1.1\r\nContent-Length: 5\r\n\r\nx".to_owned(), 400),
            ("POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n".to_owned(), 411),
        ] {
            assert_eq!(status(&text), expected, "{}", &text[..text.len().min(60)]);
        }
    }
}
