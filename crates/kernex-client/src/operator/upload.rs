//! Uploading a bundle from disk, in constant memory.

use std::{
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use futures_util::StreamExt as _;
use kernex_api::bundles::UploadedBundle;
use reqwest::{
    Body, Method,
    multipart::{Form, Part},
};
use tokio::{fs::File, time::Instant};
use tokio_util::io::ReaderStream;

use super::OperatorClient;
use crate::{
    Error,
    http::{origin, read_json},
};

/// How much is read at a time: large enough that the system calls do not count.
const CHUNK_BYTES: usize = 256 * 1024;
/// How long the control plane may think after the last byte: it reads the archive to its end.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(10 * 60);

impl OperatorClient {
    /// `POST /bundles`: sends the file as it is on disk, with its manifest when one is given beside it.
    ///
    /// `progress` is called with the number of bytes that were handed to the connection so far.
    pub async fn upload_bundle(
        &self,
        path: &Path,
        manifest: Option<&serde_json::Value>,
        progress: impl Fn(u64) + Send + Sync + 'static,
    ) -> Result<UploadedBundle, Error> {
        let file = File::open(path).await?;
        let size = file.metadata().await?.len();
        let sent = Arc::new(AtomicU64::new(0));
        let form = form(file, size, file_name(path), manifest, Arc::clone(&sent), progress)?;
        let request =
            self.request_by(&self.uploads, Method::POST, self.endpoint(&["bundles"])).multipart(form);
        let answer = async { read_json(&self.base, self.send(request).await?).await };
        tokio::select! {
            answer = answer => answer,
            () = stalled(&sent, size, self.read_timeout) => Err(Error::TimedOut { address: origin(&self.base) }),
        }
    }
}

fn form(
    file: File,
    size: u64,
    name: String,
    manifest: Option<&serde_json::Value>,
    sent: Arc<AtomicU64>,
    progress: impl Fn(u64) + Send + Sync + 'static,
) -> Result<Form, Error> {
    let stream = ReaderStream::with_capacity(file, CHUNK_BYTES).map(move |chunk| {
        if let Ok(chunk) = &chunk {
            let len = chunk.len() as u64;
            progress(sent.fetch_add(len, Ordering::Relaxed) + len);
        }
        chunk
    });
    let part = Part::stream_with_length(Body::wrap_stream(stream), size).file_name(name);
    let part = part.mime_str("application/octet-stream").expect("a constant media type is valid");
    // The manifest goes first, so that the control plane can refuse it before it read the file.
    let form = match manifest {
        Some(manifest) => Form::new().text("manifest", manifest.to_string()),
        None => Form::new(),
    };
    Ok(form.part("file", part))
}

fn file_name(path: &Path) -> String {
    path.file_name().map_or_else(|| "bundle.tar.gz".to_owned(), |name| name.to_string_lossy().into_owned())
}

/// Ends when nothing was sent for `limit`, or no answer came long after everything was.
async fn stalled(sent: &AtomicU64, size: u64, limit: Duration) {
    let mut last = (sent.load(Ordering::Relaxed), Instant::now());
    loop {
        tokio::time::sleep(Duration::from_millis(500)).await;
        let now = sent.load(Ordering::Relaxed);
        let limit = if now >= size { limit.max(ANSWER_TIMEOUT) } else { limit };
        if now != last.0 {
            last = (now, Instant::now());
        } else if last.1.elapsed() >= limit {
            return;
        }
    }
}
