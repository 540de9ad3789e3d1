//! Downloading a bundle to disk: resumed after a break, in this run or an earlier one, and checked.

use std::{
    io::ErrorKind,
    path::{Path, PathBuf},
};

use aws_lc_rs::digest::{Context, SHA256};
use kernex_core::BundleId;
use reqwest::{
    Method, Response, StatusCode,
    header::{CONTENT_RANGE, IF_RANGE, RANGE},
};
use tokio::{
    fs::{File, OpenOptions},
    io::{AsyncReadExt as _, AsyncWriteExt as _},
};

use super::OperatorClient;
use crate::{
    Error,
    http::{check_status, network_error},
};

/// Connections that may break without a byte gained between them.
const MAX_FRUITLESS_ATTEMPTS: u32 = 4;

impl OperatorClient {
    /// `GET /bundles/{id}`: writes the bytes to `path` if their SHA-256 is `sha256` (lower-case hex).
    ///
    /// The bytes arrive in a file beside `path`, which is kept when the connection is lost, so that the next call goes on
    /// from there. `progress` is called with the number of bytes that are on disk.
    pub async fn download_bundle(
        &self,
        id: BundleId,
        sha256: &str,
        path: &Path,
        progress: impl Fn(u64) + Send + Sync,
    ) -> Result<u64, Error> {
        let partial = partial_path(path, sha256);
        let mut download = Download::open(&partial).await?;
        let mut fruitless = 0;
        loop {
            let before = download.written;
            match self.fetch(id, sha256, &mut download, &progress).await {
                Ok(()) => break,
                Err(error) if !may_resume(&error) => return Err(error),
                Err(_) if download.written > before => fruitless = 0,
                Err(error) if fruitless + 1 >= MAX_FRUITLESS_ATTEMPTS => return Err(error),
                Err(_) => fruitless += 1,
            }
            tokio::time::sleep(std::time::Duration::from_millis(250 << fruitless)).await;
        }
        download.finish(sha256, &partial, path).await
    }

    async fn fetch(
        &self,
        id: BundleId,
        sha256: &str,
        download: &mut Download,
        progress: &(impl Fn(u64) + Send + Sync),
    ) -> Result<(), Error> {
        let mut request = self.request(Method::GET, self.endpoint(&["bundles", &id.to_string()]));
        if download.written > 0 {
            request = request
                .header(RANGE, format!("bytes={}-", download.written))
                .header(IF_RANGE, format!("\"{sha256}\""));
        }
        let response = self.send(request).await?;
        // Nothing is left to send: the earlier run was stopped between the last byte and the check.
        if response.status() == StatusCode::RANGE_NOT_SATISFIABLE && download.written > 0 {
            return Ok(());
        }
        let mut response = check_status(&self.base, response).await?;
        if first_byte(&response) != download.written {
            download.restart().await?;
        }
        progress(download.written);
        while let Some(chunk) = response.chunk().await.map_err(|error| network_error(&self.base, error))? {
            download.write(&chunk).await?;
            progress(download.written);
        }
        Ok(())
    }
}

fn may_resume(error: &Error) -> bool {
    matches!(error, Error::Unreachable { .. } | Error::TimedOut { .. })
        || matches!(error.status(), Some(502..=504))
}

/// Which byte of the bundle an answer begins with.
fn first_byte(response: &Response) -> u64 {
    let range = response.headers().get(CONTENT_RANGE).and_then(|value| value.to_str().ok());
    let first = range.and_then(|text| text.strip_prefix("bytes ")?.split('-').next()?.parse().ok());
    if response.status() == StatusCode::PARTIAL_CONTENT { first.unwrap_or(0) } else { 0 }
}

fn partial_path(path: &Path, sha256: &str) -> PathBuf {
    let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    path.with_file_name(format!(".{name}.{}.part", sha256.get(..12).unwrap_or(sha256)))
}

/// A file that grows, and the digest of what is in it.
struct Download {
    file: File,
    written: u64,
    digest: Context,
}

impl Download {
    async fn open(partial: &Path) -> Result<Self, Error> {
        let mut file =
            OpenOptions::new().read(true).write(true).create(true).truncate(false).open(partial).await?;
        let mut digest = Context::new(&SHA256);
        let mut written = 0;
        let mut buffer = vec![0; 256 * 1024];
        loop {
            let count = file.read(&mut buffer).await?;
            if count == 0 {
                return Ok(Self { file, written, digest });
            }
            digest.update(&buffer[..count]);
            written += count as u64;
        }
    }

    async fn write(&mut self, chunk: &[u8]) -> Result<(), Error> {
        self.file.write_all(chunk).await?;
        self.digest.update(chunk);
        self.written += chunk.len() as u64;
        Ok(())
    }

    async fn restart(&mut self) -> Result<(), Error> {
        use tokio::io::AsyncSeekExt as _;
        self.file.flush().await?;
        self.file.set_len(0).await?;
        self.file.rewind().await?;
        self.digest = Context::new(&SHA256);
        self.written = 0;
        Ok(())
    }

    async fn finish(mut self, sha256: &str, partial: &Path, path: &Path) -> Result<u64, Error> {
        self.file.flush().await?;
        self.file.sync_all().await?;
        let actual = hex::encode(self.digest.finish());
        if actual != sha256 {
            remove_if_there(partial).await?;
            return Err(Error::Checksum { expected: sha256.to_owned(), actual });
        }
        tokio::fs::rename(partial, path).await?;
        Ok(self.written)
    }
}

async fn remove_if_there(path: &Path) -> Result<(), Error> {
    match tokio::fs::remove_file(path).await {
        Err(error) if error.kind() != ErrorKind::NotFound => Err(error.into()),
        _ => Ok(()),
    }
}
