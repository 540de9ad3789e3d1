//! Answering requests.

use std::{
    fs,
    io::Write,
    net::{SocketAddr, TcpListener, TcpStream},
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    thread,
    time::Duration,
};

use crate::{
    http::{self, Request, Response},
    model::Model,
};

/// Connections answered at the same time; more are turned away with 503.
const MAX_CONNECTIONS: usize = 32;
const WRITE_TIMEOUT: Duration = Duration::from_secs(5);
const ADDRESS_FILE: &str = "infer.addr";

/// Where a server writes the address it listens on.
pub(crate) fn address_file(data_dir: &Path) -> PathBuf {
    data_dir.join(ADDRESS_FILE)
}

/// Serves until the process is ended.
pub(crate) fn serve(model: Model, listen: &str, data_dir: Option<&Path>) -> Result<(), String> {
    let listener = TcpListener::bind(listen).map_err(|e| format!("{listen}: {e}"))?;
    let address = listener.local_addr().map_err(|e| format!("{listen}: {e}"))?;
    if let Some(data_dir) = data_dir {
        write_address(data_dir, address).map_err(|e| format!("{}: {e}", address_file(data_dir).display()))?;
    }
    let _ = writeln!(std::io::stdout(), "model {} listens on http://{address}", model.version);
    accept(&listener, model);
    Ok(())
}

fn write_address(data_dir: &Path, address: SocketAddr) -> std::io::Result<()> {
    fs::create_dir_all(data_dir)?;
    let part = data_dir.join(format!("{ADDRESS_FILE}.part"));
    fs::write(&part, format!("{address}\n"))?;
    fs::rename(part, address_file(data_dir))
}

fn accept(listener: &TcpListener, model: Model) {
    let model = Arc::new(model);
    let open = Arc::new(AtomicUsize::new(0));
    for stream in listener.incoming() {
        // The connection broke before it was accepted.
        let Ok(stream) = stream else { continue };
        if open.fetch_add(1, Ordering::AcqRel) >= MAX_CONNECTIONS {
            open.fetch_sub(1, Ordering::AcqRel);
            let _ = stream.set_write_timeout(Some(Duration::from_millis(100)));
            let _ = Response::error(503, "too many connections").write(&stream);
            continue;
        }
        let (model, counted) = (Arc::clone(&model), Counted(Arc::clone(&open)));
        // A thread that does not start drops the connection and its count.
        let _ = thread::Builder::new().spawn(move || {
            let _counted = counted;
            answer(&stream, &model);
        });
    }
}

/// One of the connections that are open; ends its count however the thread ends.
struct Counted(Arc<AtomicUsize>);

impl Drop for Counted {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::AcqRel);
    }
}

fn answer(stream: &TcpStream, model: &Model) {
    let _ = stream.set_write_timeout(Some(WRITE_TIMEOUT));
    let response = match http::read_request(stream) {
        Ok(Some(request)) => respond(&request, model),
        Ok(None) => return,
        Err(response) => response,
    };
    let _ = response.write(stream);
}

fn respond(request: &Request, model: &Model) -> Response {
    match (request.method.as_str(), request.path.as_str()) {
        ("GET", "/health") => {
            let body = serde_json::json!({ "status": "ok", "model_version": model.version });
            Response { status: 200, body: body.to_string() }
        }
        ("POST", "/predict") => match model.answer(&request.body) {
            Ok(body) => Response { status: 200, body },
            Err(message) => Response::error(400, &message),
        },
        (_, "/health" | "/predict") => Response::error(405, "GET /health and POST /predict are answered"),
        _ => Response::error(404, "GET /health and POST /predict are answered"),
    }
}

#[cfg(test)]
mod tests {
    use std::io::Read;

    use super::*;

    fn start() -> SocketAddr {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let model = Model::parse(include_bytes!("../../v1/weights.json")).unwrap();
        thread::spawn(move || accept(&listener, model));
        address
    }

    fn ask(address: SocketAddr, request: &str) -> String {
        let mut stream = TcpStream::connect(address).unwrap();
        stream.write_all(request.as_bytes()).unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        answer
    }

    #[test]
    fn predictions_and_health_are_answered() {
        let address = start();
        let health = ask(address, "GET /health HTTP/1.1\r\n\r\n");
        assert!(health.starts_with("HTTP/1.1 200 OK") && health.contains(r#""status":"ok""#), "{health}");
        let body = r#"{"features":[45,1.2,3,2]}"#;
        let post =
            |body: &str| format!("POST /predict HTTP/1.1\r\nContent-Length: {}\r\n\r\n{body}", body.len());
        let answer = ask(address, &post(body));
        assert!(
            answer.contains(r#""label":"normal""#) && answer.contains(r#""model_version":"1.0.0""#),
            "{answer}"
        );
        let wrong = ask(address, &post("{}"));
        assert!(wrong.starts_with("HTTP/1.1 400") && wrong.contains("missing field"), "{wrong}");
        assert!(ask(address, "GET /predict HTTP/1.1\r\n\r\n").starts_with("HTTP/1.1 405"));
        assert!(ask(address, "GET / HTTP/1.1\r\n\r\n").starts_with("HTTP/1.1 404"));
    }

    #[test]
    fn clients_that_stay_silent_do_not_use_up_the_threads() {
        let address = start();
        let silent: Vec<_> = (0..MAX_CONNECTIONS).map(|_| TcpStream::connect(address).unwrap()).collect();
        assert!(ask(address, "").starts_with("HTTP/1.1 503"));
        drop(silent);
        let deadline = std::time::Instant::now() + Duration::from_secs(5);
        while !ask(address, "GET /health HTTP/1.1\r\n\r\n").starts_with("HTTP/1.1 200") {
            assert!(std::time::Instant::now() < deadline);
        }
    }
}
