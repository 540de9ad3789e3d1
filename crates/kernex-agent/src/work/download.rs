//! Downloading: goes on where it stopped, after a lost link, a killed agent or a power cut.

use std::{
    io,
    ops::Deref,
    sync::{Mutex, PoisonError, atomic::Ordering},
    time::Duration,
};

use kernex_client::{Download, DownloadStart, Error};
use kernex_core::FailureCode;
use rand::RngExt as _;
use tokio::time::{Instant, sleep, sleep_until};

use super::{
    Done, Job, authority, local_failure,
    pace::{Pace, longest_start_jitter},
    part::Part,
    space,
};
use crate::{backoff::Backoff, quarantine, state::Failure};

/// Delays between tries.
const FIRST_RETRY: Duration = Duration::from_secs(1);
const LONGEST_RETRY: Duration = Duration::from_secs(30);
/// A refused address is asked for anew this often, in case that the refusal was wrong.
const MAX_REFUSALS: u32 = 5;
/// So often other content than promised may come: the first time it may be a proxy's page.
const MAX_MISMATCHES: u32 = 3;

/// Why a try ended early.
enum Trouble {
    /// Try again.
    Link(Error),
    /// The address is not accepted: a new one is needed.
    Refused(Error),
    /// It is not the content that was promised.
    Mismatch(String),
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

struct Fetcher<'a> {
    job: &'a Job,
    last_error: &'a Mutex<Option<String>>,
}

/// How often what went wrong.
#[derive(Default)]
struct Count {
    refusals: u32,
    mismatches: u32,
}

impl Fetcher<'_> {
    async fn fetch_all(&self) -> Result<(), Failure> {
        let attempt = &self.job.attempt;
        let data = &self.job.context.data;
        if let Some(known) = quarantine::find(data, attempt.deployment_id, &attempt.release.digest) {
            return Err(known);
        }
        let opened = Part::open(data, attempt.deployment_id, &attempt.release.digest);
        let mut part = opened.map_err(|error| local_failure("the download cannot be stored", &error))?;
        if part.len() != attempt.size_bytes {
            self.wait_for_a_free_moment().await;
            let url = authority::ask_until_answered(self.job, |error| self.remember(error)).await?;
            self.fetch_from(url, &mut part).await?;
        }
        part.sync().map_err(|error| local_failure("the download cannot be stored", &error))
    }

    /// A fleet that gets a command at the same time does not download at the same time.
    async fn wait_for_a_free_moment(&self) {
        let longest = longest_start_jitter(self.job.context.snapshot.borrow().interval_secs());
        let share: f64 = rand::rng().random_range(0.0..=1.0);
        sleep(longest.mul_f64(share)).await;
    }

    async fn fetch_from(&self, mut url: String, part: &mut Part) -> Result<(), Failure> {
        let mut backoff = Backoff::new(FIRST_RETRY, LONGEST_RETRY);
        let mut count = Count::default();
        loop {
            let before = part.len();
            let trouble = match self.fetch(&url, part).await {
                Ok(()) => return Ok(()),
                Err(trouble) => trouble,
            };
            if part.len() > before {
                backoff.reset();
            }
            if let Some(new_url) = self.deal_with(trouble, part, &mut backoff, &mut count).await? {
                url = new_url;
            }
        }
    }

    /// Waits as long as the trouble demands; gives a new address when one was needed.
    async fn deal_with(
        &self,
        trouble: Trouble,
        part: &mut Part,
        backoff: &mut Backoff,
        count: &mut Count,
    ) -> Result<Option<String>, Failure> {
        match trouble {
            Trouble::Fatal(failure) => Err(failure),
            Trouble::Link(error) => {
                let wait = backoff.next_wait(error.retry_after());
                tracing::warn!(%error, bytes = part.len(), wait_secs = wait.as_secs_f64(), "the download was interrupted");
                self.remember(&error);
                sleep(wait).await;
                Ok(None)
            }
            Trouble::Refused(error) => {
                count.refusals += 1;
                if count.refusals > MAX_REFUSALS {
                    let message = format!("the bundle cannot be fetched: {error}");
                    return Err(Failure::new(FailureCode::Download, message));
                }
                tracing::warn!(%error, "the download address is not accepted, asking for a new one");
                self.remember(&error);
                if count.refusals > 1 {
                    sleep(backoff.next_wait(None)).await;
                }
                authority::ask_until_answered(self.job, |error| self.remember(error)).await.map(Some)
            }
            Trouble::Mismatch(message) => {
                count.mismatches += 1;
                if count.mismatches >= MAX_MISMATCHES {
                    return Err(Failure::new(FailureCode::Checksum, message));
                }
                let wait = backoff.next_wait(None);
                tracing::warn!(
                    reason = message,
                    wait_secs = wait.as_secs_f64(),
                    "something else than the bundle came"
                );
                part.restart().map_err(|error| local_failure("the download cannot be stored", &error))?;
                sleep(wait).await;
                Ok(None)
            }
        }
    }

    fn remember(&self, error: &Error) {
        *self.last_error.lock().unwrap_or_else(PoisonError::into_inner) = Some(error.to_string());
    }

    async fn fetch(&self, url: &str, part: &mut Part) -> Result<(), Trouble> {
        let size = self.job.attempt.size_bytes;
        let status = &self.job.context.download;
        status.total_bytes.store(size, Ordering::Relaxed);
        status.done_bytes.store(part.len(), Ordering::Relaxed);
        if part.len() > size {
            part.restart().map_err(storage)?;
        }
        if part.len() == size {
            return Ok(());
        }
        space::check(self.job, size - part.len()).map_err(Trouble::Fatal)?;
        let mut download =
            self.job.context.client.download(url, part.len(), part.etag()).await.map_err(classify)?;
        self.join(&download, part, size)?;
        part.set_etag(download.etag());
        let received = self.receive(&mut download, part, size).await;
        part.sync().map_err(storage)?;
        received?;
        if part.len() < size { Err(Trouble::Link(cut_off(200, "the bytes ended too early"))) } else { Ok(()) }
    }

    /// Whether the answer goes on where the file ends, and is of the same content.
    fn join(&self, download: &Download, part: &mut Part, size: u64) -> Result<(), Trouble> {
        match download.start() {
            DownloadStart::Resumed(_) if download.etag().is_some() && download.etag() != part.etag() => {
                part.restart().map_err(storage)?;
                return Err(Trouble::Link(cut_off(206, "the content has changed in between")));
            }
            DownloadStart::Resumed(_) => {}
            DownloadStart::Whole => part.restart().map_err(storage)?,
            DownloadStart::NothingMore => {
                part.restart().map_err(storage)?;
                return Err(Trouble::Link(cut_off(416, "the range was refused")));
            }
        }
        match download.total_bytes().filter(|total| *total != size) {
            Some(total) => {
                Err(Trouble::Mismatch(format!("{total} bytes are offered instead of the promised {size}")))
            }
            None => Ok(()),
        }
    }

    async fn receive(&self, download: &mut Download, part: &mut Part, size: u64) -> Result<(), Trouble> {
        let context = &self.job.context;
        let mut pace = Pace::new(context.download.terms, Instant::now());
        while let Some(chunk) = self.next_chunk(download, &mut pace).await? {
            if part.len() + chunk.len() as u64 > size {
                return Err(Trouble::Mismatch(format!("more than the promised {size} bytes came")));
            }
            part.write(&chunk).map_err(storage)?;
            context.download.done_bytes.store(part.len(), Ordering::Relaxed);
            let free_at = pace.count(chunk.len() as u64, self.limit(), Instant::now());
            if free_at > Instant::now() {
                sleep_until(free_at).await;
            }
        }
        Ok(())
    }

    /// The next bytes, unless the link crawls.
    async fn next_chunk<'a>(
        &self,
        download: &'a mut Download,
        pace: &mut Pace,
    ) -> Result<Option<impl Deref<Target = [u8]> + use<'a>>, Trouble> {
        let chunk = download.chunk();
        tokio::pin!(chunk);
        loop {
            if pace.is_crawling(self.limit(), Instant::now()) {
                return Err(Trouble::Link(cut_off(200, "the link crawls")));
            }
            tokio::select! {
                chunk = &mut chunk => return chunk.map_err(Trouble::Link),
                () = sleep_until(pace.window_ends()) => {}
            }
        }
    }

    /// What the configuration allows at this moment.
    fn limit(&self) -> Option<u32> {
        self.job.context.snapshot.borrow().config.max_download_kib_per_sec
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
