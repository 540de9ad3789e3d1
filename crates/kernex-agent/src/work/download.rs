//! Downloading: goes on where it stopped, after a lost link, a killed agent or a power cut.

use std::{
    io,
    sync::{Arc, Mutex, PoisonError, atomic::Ordering},
    time::Duration,
};

use bytes::Bytes;
use kernex_client::{Download, DownloadStart, Error};
use kernex_core::FailureCode;
use rand::RngExt as _;
use tokio::{
    sync::{Semaphore, mpsc},
    time::{Instant, sleep, sleep_until},
};

use super::{
    Done, Job, authority,
    follower::Follower,
    local_failure,
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
/// Pieces that have arrived and are not written yet: as much as lets link and disk work at the same time.
const PIECES_IN_FLIGHT: usize = 4;

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
    let writing = Arc::new(Semaphore::new(1));
    let fetcher = Fetcher { job, last_error: &last_error, writing: writing.clone() };
    let outcome = tokio::select! {
        outcome = fetcher.fetch_all() => outcome.map(|()| Done::Completed),
        () = job.stop.cancelled() => Err(Failure::new(FailureCode::Cancelled, "the download was stopped")),
        () = sleep_until(job.deadline) => {
            let secs = job.attempt.timeout_secs;
            let reason = last_error.lock().unwrap_or_else(PoisonError::into_inner).take();
            let reason: String = reason.map(|error| format!("; last trouble: {error}")).unwrap_or_default();
            Err(Failure::new(FailureCode::Download, format!("the bundle did not arrive within {secs} s{reason}")))
        }
    };
    // Whoever opens the file next must be alone with it.
    let _ = writing.acquire().await;
    if outcome.is_err() {
        job.context.download.follow(None);
    }
    outcome
}

struct Fetcher<'a> {
    job: &'a Job,
    last_error: &'a Mutex<Option<String>>,
    /// Held while the file is written to.
    writing: Arc<Semaphore>,
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
        let part = opened.map_err(|error| local_failure("the download cannot be stored", &error))?;
        let (deployment, total) = (attempt.deployment_id, attempt.size_bytes);
        let follower = Follower::start(deployment, data.part(deployment), total, part.growth());
        self.job.context.download.follow(Some(follower));
        if part.len() != attempt.size_bytes {
            self.wait_for_a_free_moment().await;
            let url = authority::ask_until_answered(self.job, |error| self.remember(error)).await?;
            self.fetch_from(url, &part).await?;
        }
        Ok(())
    }

    /// A fleet that gets a command at the same time does not download at the same time.
    async fn wait_for_a_free_moment(&self) {
        let longest = longest_start_jitter(self.job.context.snapshot.borrow().interval_secs());
        let share: f64 = rand::rng().random_range(0.0..=1.0);
        sleep(longest.mul_f64(share)).await;
    }

    async fn fetch_from(&self, mut url: String, part: &Part) -> Result<(), Failure> {
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
        part: &Part,
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

    async fn fetch(&self, url: &str, part: &Part) -> Result<(), Trouble> {
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
        let etag = part.etag();
        let client = &self.job.context.client;
        let mut download = client.download(url, part.len(), etag.as_deref()).await.map_err(classify)?;
        self.join(&download, part, size)?;
        self.receive(&mut download, part, size).await?;
        if part.len() < size { Err(Trouble::Link(cut_off(200, "the bytes ended too early"))) } else { Ok(()) }
    }

    /// Whether the answer goes on where the file ends, and is of the same content.
    fn join(&self, download: &Download, part: &Part, size: u64) -> Result<(), Trouble> {
        match download.start() {
            DownloadStart::Resumed(_)
                if download.etag().is_some() && download.etag() != part.etag().as_deref() =>
            {
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

    /// Takes what comes; another thread writes it, so that a slow disk does not hold up heartbeats.
    async fn receive(&self, download: &mut Download, part: &Part, size: u64) -> Result<(), Trouble> {
        let Ok(alone) = self.writing.clone().acquire_owned().await else { return Ok(()) };
        let (sender, mut pieces) = mpsc::channel::<Bytes>(PIECES_IN_FLIGHT);
        let (file, etag) = (part.clone(), download.etag().map(ToOwned::to_owned));
        let writer = tokio::task::spawn_blocking(move || {
            let _alone = alone;
            file.begin(etag.as_deref())?;
            while let Some(piece) = pieces.blocking_recv() {
                file.write(&piece)?;
            }
            if file.len() < size { file.sync() } else { Ok(()) }
        });
        let received = self.pump(download, &sender, part.len(), size).await;
        drop(sender);
        writer.await.map_err(|error| storage(io::Error::other(error)))?.map_err(storage)?;
        received
    }

    /// Hands on what comes until the end, or until nobody takes it any more.
    async fn pump(
        &self,
        download: &mut Download,
        writer: &mpsc::Sender<Bytes>,
        mut len: u64,
        size: u64,
    ) -> Result<(), Trouble> {
        let context = &self.job.context;
        let mut pace = Pace::new(context.download.terms, Instant::now());
        while let Some(piece) = self.next_piece(download, &mut pace).await? {
            let bytes = piece.len() as u64;
            len += bytes;
            if len > size {
                return Err(Trouble::Mismatch(format!("more than the promised {size} bytes came")));
            }
            if writer.send(piece).await.is_err() {
                return Ok(());
            }
            context.download.done_bytes.store(len, Ordering::Relaxed);
            let free_at = pace.count(bytes, self.limit(), Instant::now());
            if free_at > Instant::now() {
                sleep_until(free_at).await;
            }
        }
        Ok(())
    }

    /// The next bytes, unless the link crawls.
    async fn next_piece(&self, download: &mut Download, pace: &mut Pace) -> Result<Option<Bytes>, Trouble> {
        let piece = download.chunk();
        tokio::pin!(piece);
        loop {
            if pace.is_crawling(self.limit(), Instant::now()) {
                return Err(Trouble::Link(cut_off(200, "the link crawls")));
            }
            tokio::select! {
                piece = &mut piece => return piece.map_err(Trouble::Link),
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
