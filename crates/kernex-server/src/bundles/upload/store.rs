//! Taking a file in: write, hash and inspect in one pass, on a thread of its own.

use std::io::{self, Read, Write as _};

use bytes::Bytes;
use kernex_api::ErrorCode;
use kernex_blobs::{BlobWriter, StoredBlob};
use kernex_bundle::{ArchiveError, Inspection, Limits, inspect};
use kernex_core::BundleId;
use tokio::{sync::mpsc, task::JoinHandle};

use super::form::file_too_large;
use crate::{
    AppState,
    error::{ApiError, ApiResult},
};

/// Chunks on their way to the thread; a chunk is what the connection gives at once, at most some hundred KiB.
const QUEUE: usize = 8;

/// A file that is arriving.
pub(super) struct Intake {
    chunks: mpsc::Sender<Bytes>,
    work: JoinHandle<ApiResult<ReceivedFile>>,
}

/// A file that has arrived and is a bundle, but is not durable yet. Dropped, it leaves nothing behind.
pub(super) struct ReceivedFile {
    pub(super) inspection: Inspection,
    writer: BlobWriter,
}

/// A file whose bytes are durable.
pub(super) struct StoredFile {
    pub(super) inspection: Inspection,
    pub(super) blob: StoredBlob,
    id: BundleId,
}

impl Intake {
    pub(super) fn begin(state: &AppState) -> Self {
        let (chunks, incoming) = mpsc::channel(QUEUE);
        let state = state.clone();
        let work = tokio::task::spawn_blocking(move || take_in(&state, incoming));
        Self { chunks, work }
    }

    /// Hands a chunk on; whether it is wanted.
    pub(super) async fn push(&self, chunk: Bytes) -> bool {
        self.chunks.send(chunk).await.is_ok()
    }

    /// Says that the file is complete, and waits for the verdict. An intake that is dropped instead (the client went away)
    /// ends as a truncated archive, and leaves nothing behind.
    pub(super) async fn finish(self) -> ApiResult<ReceivedFile> {
        drop(self.chunks);
        self.work.await.map_err(ApiError::internal)?
    }
}

fn take_in(state: &AppState, incoming: mpsc::Receiver<Bytes>) -> ApiResult<ReceivedFile> {
    let settings = state.settings();
    let limits = Limits { max_unpacked_bytes: settings.max_unpacked_bytes, ..Limits::default() };
    let writer = state.blobs().create()?;
    let mut tee =
        Tee { incoming, rest: Bytes::new(), writer, limit: settings.max_bundle_bytes, failed: None };
    let inspected = inspect(&mut tee, &limits);
    match (inspected, tee.failed) {
        (_, Some(failure)) => Err(failure),
        (Err(error), None) => Err(refusal(&error)),
        (Ok(inspection), None) => Ok(ReceivedFile { inspection, writer: tee.writer }),
    }
}

fn refusal(error: &ArchiveError) -> ApiError {
    let code = match error {
        ArchiveError::Manifest(_) | ArchiveError::MissingFile(_) => ErrorCode::InvalidManifest,
        _ => ErrorCode::InvalidArchive,
    };
    ApiError::bad_request(code, error.to_string())
}

impl ReceivedFile {
    /// Makes the bytes durable under the bundle's id.
    pub(super) async fn commit(self, id: BundleId) -> ApiResult<StoredFile> {
        let Self { inspection, writer } = self;
        let blob =
            tokio::task::spawn_blocking(move || writer.commit(id.0)).await.map_err(ApiError::internal)??;
        Ok(StoredFile { inspection, blob, id })
    }
}

impl StoredFile {
    /// Takes the bytes back.
    pub(super) async fn remove(&self, state: &AppState) {
        if let Err(error) = state.blobs().delete(self.id.0).await {
            tracing::warn!(error = %error, bundle.id = %self.id, "bytes of a refused bundle could not be removed");
        }
    }
}

/// Gives what arrives to its reader, and writes it to the storage on the way.
struct Tee {
    incoming: mpsc::Receiver<Bytes>,
    rest: Bytes,
    writer: BlobWriter,
    limit: u64,
    failed: Option<ApiError>,
}

impl Read for Tee {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        while self.rest.is_empty() {
            let Some(chunk) = self.incoming.blocking_recv() else { return Ok(0) };
            if self.writer.size_bytes() + chunk.len() as u64 > self.limit {
                return Err(self.fail(file_too_large(self.limit)));
            }
            if let Err(error) = self.writer.write_all(&chunk) {
                return Err(self.fail(kernex_blobs::Error::from(error).into()));
            }
            self.rest = chunk;
        }
        let length = buffer.len().min(self.rest.len());
        buffer[..length].copy_from_slice(&self.rest.split_to(length));
        Ok(length)
    }
}

impl Tee {
    fn fail(&mut self, error: ApiError) -> io::Error {
        self.failed = Some(error);
        io::Error::other("the upload cannot go on")
    }
}
