//! What a bundle's programs can say and ask, over a Unix socket: `POST /metrics`, `POST /health`, `GET /bundle`.

mod http;

use std::{
    collections::BTreeMap,
    fs::{self, Permissions},
    io,
    os::unix::fs::{PermissionsExt as _, lchown},
    path::PathBuf,
    sync::Arc,
    time::Duration,
};

use kernex_core::{BundleName, DeviceHealth};
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::{
    net::{UnixListener, UnixStream},
    sync::{Semaphore, watch},
    task::JoinHandle,
    time::timeout,
};
use tokio_util::sync::CancellationToken;

use crate::{context::Snapshot, disk, sandbox::Ids, workload::Reported};
use http::{Answer, Request};

/// A request that is not complete after this is dropped.
const DEADLINE: Duration = Duration::from_secs(5);
/// Requests at the same time; more wait.
const MAX_CONNECTIONS: usize = 8;
/// Longest text about the health, as it is logged.
const MAX_MESSAGE_BYTES: usize = 1024;

/// What is offered to one bundle's programs.
#[derive(Clone, Debug)]
pub struct LocalApi {
    /// Where it listens.
    pub socket: PathBuf,
    /// Whom it is for; the agent's own user, if absent.
    pub user: Option<Ids>,
    /// The bundle.
    pub name: BundleName,
    /// What is said about it: name, version, folders.
    pub about: Value,
    /// For the configuration's metadata.
    pub snapshot: watch::Receiver<Snapshot>,
}

/// Listens until it is stopped.
pub fn serve(api: LocalApi, reported: Reported, stop: CancellationToken) -> io::Result<JoinHandle<()>> {
    disk::remove_file_if_there(&api.socket)?;
    let listener = UnixListener::bind(&api.socket)?;
    // Its folder is the agent's: nobody can have put something else in its place.
    fs::set_permissions(&api.socket, Permissions::from_mode(0o660))?;
    if let Some(user) = api.user {
        lchown(&api.socket, Some(user.uid), Some(user.gid))?;
    }
    Ok(tokio::spawn(async move {
        let (api, slots) = (Arc::new(api), Arc::new(Semaphore::new(MAX_CONNECTIONS)));
        loop {
            let Ok(slot) = slots.clone().acquire_owned().await else { return };
            let stream = tokio::select! {
                accepted = listener.accept() => accepted,
                () = stop.cancelled() => break,
            };
            // Out of descriptors, perhaps; there may be some when others have been answered.
            let Ok((stream, _)) = stream else {
                tokio::time::sleep(DEADLINE).await;
                continue;
            };
            let (api, reported) = (api.clone(), reported.clone());
            tokio::spawn(async move {
                let _ = timeout(DEADLINE, api.answer(stream, &reported)).await;
                drop(slot);
            });
        }
        let _ = disk::remove_file_if_there(&api.socket);
    }))
}

impl LocalApi {
    /// One request and its answer; the connection is closed afterwards.
    async fn answer(&self, mut stream: UnixStream, reported: &Reported) -> io::Result<()> {
        let answer = match http::read(&mut stream).await? {
            Ok(request) => self.act(&request, reported),
            Err(answer) => answer,
        };
        http::write(&mut stream, &answer).await
    }

    fn act(&self, request: &Request, reported: &Reported) -> Answer {
        match (request.method.as_str(), request.path.as_str()) {
            ("GET", "/bundle") => Answer::json(200, &self.bundle()),
            ("POST", "/metrics") => take_metrics(&request.body, reported),
            ("POST", "/health") => self.take_health(&request.body, reported),
            (_, "/bundle" | "/metrics" | "/health") => Answer::error(405, "this method is not for this path"),
            _ => Answer::error(404, "there are POST /metrics, POST /health and GET /bundle"),
        }
    }

    fn bundle(&self) -> Value {
        let mut about = self.about.clone();
        about["config_metadata"] = self.snapshot.borrow().config.metadata.clone().into();
        about
    }

    fn take_health(&self, body: &[u8], reported: &Reported) -> Answer {
        let said: HealthBody = match serde_json::from_slice(body) {
            Ok(said) => said,
            Err(error) => return Answer::error(400, &error.to_string()),
        };
        if said.status != DeviceHealth::Healthy {
            let mut message = said.message.unwrap_or_default();
            let mut end = message.len().min(MAX_MESSAGE_BYTES);
            while !message.is_char_boundary(end) {
                end -= 1;
            }
            message.truncate(end);
            tracing::warn!(bundle.name = %self.name, status = ?said.status, message, "the workload says that it is not well");
        }
        reported.set_health(said.status);
        Answer::empty()
    }
}

#[derive(Deserialize)]
struct HealthBody {
    status: DeviceHealth,
    message: Option<String>,
}

fn take_metrics(body: &[u8], reported: &Reported) -> Answer {
    let numbers: BTreeMap<String, f64> = match serde_json::from_slice(body) {
        Ok(numbers) => numbers,
        Err(error) => return Answer::error(400, &error.to_string()),
    };
    match reported.post(numbers) {
        Ok(()) => Answer::empty(),
        Err(reason) => Answer::error(422, reason),
    }
}

/// What `GET /bundle` says of a release.
pub fn about(name: &BundleName, version: &str, dir: &std::path::Path, data_dir: &std::path::Path) -> Value {
    json!({ "name": name, "version": version, "bundle_dir": dir, "data_dir": data_dir })
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

    use super::*;

    async fn ask(socket: &std::path::Path, text: &str) -> String {
        let mut stream = UnixStream::connect(socket).await.unwrap();
        stream.write_all(text.as_bytes()).await.unwrap();
        // What was refused early was not read; the connection is reset after the answer.
        let mut answer = Vec::new();
        let _ = stream.read_to_end(&mut answer).await;
        String::from_utf8(answer).unwrap()
    }

    fn post(path: &str, body: &str) -> String {
        format!("POST {path} HTTP/1.1\r\nHost: x\r\nContent-Length: {}\r\n\r\n{body}", body.len())
    }

    #[tokio::test]
    async fn a_program_tells_its_numbers_and_health_and_asks_what_it_is() {
        let dir = tempfile::tempdir().unwrap();
        let socket = dir.path().join("agent.sock");
        let name: BundleName = "default".parse().unwrap();
        let about = about(&name, "1.2.0", dir.path(), dir.path());
        let (_sender, snapshot) = watch::channel(Snapshot::default());
        let api = LocalApi { socket: socket.clone(), user: None, name, about, snapshot };
        let (reported, stop) = (Reported::default(), CancellationToken::new());
        let task = serve(api, reported.clone(), stop.clone()).unwrap();
        assert_eq!(fs::metadata(&socket).unwrap().permissions().mode() & 0o777, 0o660);

        assert!(ask(&socket, &post("/metrics", r#"{"fps": 29.5}"#)).await.starts_with("HTTP/1.1 204"));
        assert!(ask(&socket, &post("/metrics", r#"{"fps": "fast"}"#)).await.starts_with("HTTP/1.1 400"));
        assert!(ask(&socket, &post("/metrics", r#"{"": 1}"#)).await.starts_with("HTTP/1.1 422"));
        assert!(
            ask(&socket, &post("/health", r#"{"status":"error","message":"no camera"}"#))
                .await
                .contains("204")
        );
        let bundle = ask(&socket, "GET /bundle HTTP/1.1\r\n\r\n").await;
        assert!(bundle.starts_with("HTTP/1.1 200") && bundle.contains(r#""version":"1.2.0""#), "{bundle}");
        assert!(ask(&socket, "GET /keys HTTP/1.1\r\n\r\n").await.starts_with("HTTP/1.1 404"));
        assert!(ask(&socket, "DELETE /bundle HTTP/1.1\r\n\r\n").await.starts_with("HTTP/1.1 405"));
        assert!(ask(&socket, "nonsense\r\n\r\n").await.starts_with("HTTP/1.1 400"));
        let long = format!("GET /bundle HTTP/1.1\r\nx: {}\r\n\r\n", "y".repeat(10_000));
        assert!(ask(&socket, &long).await.starts_with("HTTP/1.1 431"));
        let huge = "POST /metrics HTTP/1.1\r\nContent-Length: 99999999\r\n\r\n";
        assert!(ask(&socket, huge).await.starts_with("HTTP/1.1 413"));
        stop.cancel();
        task.await.unwrap();
        assert!(!socket.exists());
    }
}
