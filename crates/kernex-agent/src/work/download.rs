//! Downloading: goes on where it stopped, after a lost link, a killed agent or a power cut.

use std::{
    io,
    sync::{Mutex, PoisonError, atomic::Ordering},
    time::Duration,
};

use kernex_client::{Download, DownloadStart, Error};
use kernex_core::FailureCode;
use tokio::time::sleep_until;

use super::{Done, Job, local_failure, part::Part};
use crate::{backoff::Backoff, disk, state::Failure};

/// Delays between tries.
const FIRST_RETRY: Duration = Duration::from_secs(1);
const LONGEST_RETRY: Duration = Duration::from_secs(30);
/// How long to wait for a new address after the control plane refused the one at hand.
const NEW_URL_TIMEOUT: Duration = Duration::from_secs(30);
/// A refused address is tried this often, in case that the refusal was wrong.
const MAX_REFUSALS: u32 = 5;
/// Space that stays free: 5 % of the file system, but no more than this.
const MAX_RESERVE_BYTES: u64 = 512 * 1024 * 1024;
const RESERVE_DIVISOR: u64 = 20;

/// Why a try ended early.
enum Trouble {
    /// Try again.
    Link(Error),
    /// The address is not accepted: a new one is needed.
    Refused(Error),
    /// Trying again would not help.
    Fatal(Failure),
}

/// Fetches the bytes, unless the release is here already.
pub(super) async fn download(job: &Job) -> Result<Done, Failure> {
    if job.is_staged() {
        return Ok(Done::FoundStaged);
    }
    let last_error = Mutex::new(None);
    let fetcher = Fetcher { job, last_error: &last_error };
    tokio::select! {
        outcome = fetcher.fetch_all() => outcome.map(|()| Done::Completed),
        () = job.stop.cancelled() => Err(Failure::new(FailureCode::Cancelled, "the download was stopped")),
        () = sleep_until(job.deadline) => {
            let secs = job.attempt.timeout_secs;
            let reason = last_error.lock().unwrap_or_else(PoisonError::into_inner).take();
            let reason: String = reason.map(|error| format!("; last trouble: {error}")).unwrap_or_default();
            Err(Failure::new(FailureCode::Download, format!("the bundle did not arrive within {secs} s{reason}")))
        }
    }
}

/// Bytes that a file system must keep free.
pub(super) fn reserve(space: disk::Space) -> u64 {
    (space.total_bytes / RESERVE_DIVISOR).min(MAX_RESERVE_BYTES)
}

struct Fetcher<'a> {
    job: &'a Job,
    last_error: &'a Mutex<Option<String>>,
}

impl Fetcher<'_> {
    async fn fetch_all(&self) -> Result<(), Failure> {
        let attempt = &self.job.attempt;
        let opened = Part::open(&self.job.context.data, attempt.deployment_id, &attempt.release.digest);
        let mut part = opened.map_err(|error| local_failure("the download cannot be stored", &error))?;
        let mut backoff = Backoff::new(FIRST_RETRY, LONGEST_RETRY);
        let mut refusals = 0;
        loop {
            let before = part.len();
            let trouble = match self.fetch(&mut part).await {
                Ok(()) => return Ok(()),
                Err(trouble) => trouble,
            };
            if part.len() > before {
                backoff.reset();
            }
            match trouble {
                Trouble::Fatal(failure) => return Err(failure),
                Trouble::Link(error) => {
                    let wait = backoff.next_wait(error.retry_after());
                    tracing::warn!(%error, bytes = part.len(), wait_secs = wait.as_secs_f64(), "the download was interrupted");
                    self.remember(&error);
                    tokio::time::sleep(wait).await;
                }
                Trouble::Refused(error) if refusals >= MAX_REFUSALS => {
                    return Err(Failure::new(
                        FailureCode::Download,
                        format!("the bundle cannot be fetched: {error}"),
                    ));
                }
                Trouble::Refused(error) => {
                    refusals += 1;
                    self.remember(&error);
                    self.wait_for_new_url(&error).await;
                }
            }
        }
    }

    fn remember(&self, error: &Error) {
        *self.last_error.lock().unwrap_or_else(PoisonError::into_inner) = Some(error.to_string());
    }

    /// Leaves the target out of heartbeats, so that the control plane sends the command, with a new address, again.
    async fn wait_for_new_url(&self, error: &Error) {
        tracing::warn!(%error, "the download address is not accepted, asking for a new one");
        let status = &self.job.context.download;
        let mut url = status.url.subscribe();
        url.mark_unchanged();
        status.needs_url.store(true, Ordering::Relaxed);
        self.job.context.wake.notify_one();
        // Either way there is another try.
        let _ = tokio::time::timeout(NEW_URL_TIMEOUT, url.changed()).await;
        status.needs_url.store(false, Ordering::Relaxed);
    }

    async fn fetch(&self, part: &mut Part) -> Result<(), Trouble> {
        let size = self.job.attempt.size_bytes;
        let status = &self.job.context.download;
        status.total_bytes.store(size, Ordering::Relaxed);
        status.done_bytes.store(part.len(), Ordering::Relaxed);
        if part.len() > size {
            part.restart().map_err(storage)?;
        }
        if part.len() == size {
            return part.sync().map_err(storage);
        }
        self.check_space(size - part.len())?;
        let url = status.url.borrow().clone();
        let mut download =
            self.job.context.client.download(&url, part.len(), part.etag()).await.map_err(classify)?;
        match download.start() {
            DownloadStart::Resumed(_) => {}
            DownloadStart::Whole => part.restart().map_err(storage)?,
            DownloadStart::NothingMore => {
                part.restart().map_err(storage)?;
                return Err(Trouble::Link(cut_off(416, "the range was refused")));
            }
        }
        if let Some(total) = download.total_bytes().filter(|total| *total != size) {
            let message = format!("the control plane offers {total} bytes instead of {size}");
            return Err(Trouble::Fatal(Failure::new(FailureCode::Checksum, message)));
        }
        part.set_etag(download.etag());
        let received = self.receive(&mut download, part, size).await;
        part.sync().map_err(storage)?;
        received?;
        if part.len() < size { Err(Trouble::Link(cut_off(200, "the bytes ended too early"))) } else { Ok(()) }
    }

    async fn receive(&self, download: &mut Download, part: &mut Part, size: u64) -> Result<(), Trouble> {
        while let Some(chunk) = download.chunk().await.map_err(Trouble::Link)? {
            if part.len() + chunk.len() as u64 > size {
                let message = format!("more than the promised {size} bytes came");
                return Err(Trouble::Fatal(Failure::new(FailureCode::Checksum, message)));
            }
            part.write(&chunk).map_err(storage)?;
            self.job.context.download.done_bytes.store(part.len(), Ordering::Relaxed);
        }
        Ok(())
    }

    fn check_space(&self, missing: u64) -> Result<(), Trouble> {
        let space = disk::space(&self.job.context.data.staging()).map_err(storage)?;
        let needed = missing.saturating_add(reserve(space));
        if space.free_bytes >= needed {
            return Ok(());
        }
        let message = format!(
            "the disk has {} bytes free, {missing} are still to come and {} must stay free",
            space.free_bytes,
            reserve(space)
        );
        Err(Trouble::Fatal(Failure::new(FailureCode::DiskFull, message)))
    }
}

fn storage(error: io::Error) -> Trouble {
    Trouble::Fatal(local_failure("the download cannot be stored", &error))
}

fn classify(error: Error) -> Trouble {
    match error.status() {
        Some(400 | 401 | 403 | 404 | 410) => Trouble::Refused(error),
        _ if matches!(error, Error::Address(_)) => Trouble::Refused(error),
        _ => Trouble::Link(error),
    }
}

fn cut_off(status: u16, reason: &str) -> Error {
    Error::Unexpected { address: "the download address".to_owned(), status, reason: reason.to_owned() }
}
