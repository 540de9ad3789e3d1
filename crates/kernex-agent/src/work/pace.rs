//! How fast bytes come: a link that crawls is given up, and one that must be shared is not filled.

use std::time::Duration;

use tokio::time::Instant;

/// Below this a connection is as good as dead: at 1 KiB/s a bundle of 1 MiB takes a quarter of an hour, and a new
/// connection is nearly always faster.
const MIN_BYTES_PER_SEC: u64 = 1_024;
/// Long enough for a mobile link to change its cell.
const WINDOW: Duration = Duration::from_secs(60);
/// No fleet waits longer than this for its first byte.
const MAX_START_JITTER: Duration = Duration::from_secs(10);
/// A device that asks this often is watched by somebody who waits.
const NO_JITTER_UP_TO_SECS: u32 = 2;

/// How patient downloads are.
#[derive(Clone, Copy, Debug)]
pub struct DownloadTerms {
    /// Fewer bytes per second than this, over the window, end a connection.
    pub min_bytes_per_sec: u64,
    /// The window.
    pub window: Duration,
}

impl Default for DownloadTerms {
    fn default() -> Self {
        Self { min_bytes_per_sec: MIN_BYTES_PER_SEC, window: WINDOW }
    }
}

/// The most that a download may wait before it begins, so that a fleet does not begin at once.
pub(super) fn longest_start_jitter(interval_secs: u32) -> Duration {
    match interval_secs {
        ..=NO_JITTER_UP_TO_SECS => Duration::ZERO,
        secs => (Duration::from_secs(u64::from(secs)) / 4).min(MAX_START_JITTER),
    }
}

/// Watches one connection.
#[derive(Debug)]
pub(super) struct Pace {
    terms: DownloadTerms,
    window_began: Instant,
    window_bytes: u64,
    /// When the next byte may be read under the limit.
    free_at: Instant,
}

impl Pace {
    pub(super) fn new(terms: DownloadTerms, now: Instant) -> Self {
        Self { terms, window_began: now, window_bytes: 0, free_at: now }
    }

    /// When the present window ends: without enough bytes until then the link crawls.
    pub(super) fn window_ends(&self) -> Instant {
        self.window_began + self.terms.window
    }

    /// Counts bytes; gives until when nothing more is to be read.
    pub(super) fn count(&mut self, bytes: u64, limit_kib_per_sec: Option<u32>, now: Instant) -> Instant {
        self.window_bytes += bytes;
        if let Some(limit) = limit_kib_per_sec {
            let cost = Duration::from_secs_f64(bytes as f64 / (f64::from(limit.max(1)) * 1_024.0));
            self.free_at = self.free_at.max(now) + cost;
        }
        self.free_at
    }

    /// At the end of a window: whether too little came. Begins the next one.
    pub(super) fn is_crawling(&mut self, limit_kib_per_sec: Option<u32>, now: Instant) -> bool {
        if now < self.window_ends() {
            return false;
        }
        // A limit that is set on purpose is no crawling.
        let limit = limit_kib_per_sec.map_or(u64::MAX, |kib| u64::from(kib) * 512);
        let least = self.terms.min_bytes_per_sec.min(limit) as f64 * self.terms.window.as_secs_f64();
        let is_crawling = (self.window_bytes as f64) < least;
        (self.window_began, self.window_bytes) = (now, 0);
        is_crawling
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    #[test]
    fn a_link_crawls_below_a_kibibyte_a_second_over_a_minute() {
        for (bytes_per_sec, crawls) in [(1_000, true), (1_100, false)] {
            let start = Instant::now();
            let mut pace = Pace::new(DownloadTerms::default(), start);
            for second in 1..60 {
                pace.count(bytes_per_sec, None, start + second * SECOND);
                assert!(!pace.is_crawling(None, start + second * SECOND), "the window is not over");
            }
            pace.count(bytes_per_sec, None, start + 60 * SECOND);
            assert_eq!(pace.is_crawling(None, start + 60 * SECOND), crawls, "{bytes_per_sec} B/s");
        }
    }

    #[test]
    fn a_fast_minute_does_not_excuse_a_slow_one() {
        let start = Instant::now();
        let mut pace = Pace::new(DownloadTerms::default(), start);
        pace.count(100_000_000, None, start);
        assert!(!pace.is_crawling(None, start + 60 * SECOND));
        assert!(pace.is_crawling(None, start + 120 * SECOND));
    }

    #[test]
    fn a_limit_spreads_bytes_over_time_and_is_no_crawling() {
        let start = Instant::now();
        let mut pace = Pace::new(DownloadTerms::default(), start);
        assert_eq!(pace.count(512, Some(1), start), start + SECOND / 2);
        assert_eq!(pace.count(1_024, Some(1), start), start + SECOND * 3 / 2, "debts add up");
        assert_eq!(pace.count(1_024, Some(1), start + 10 * SECOND), start + 11 * SECOND, "time does not");
        pace.count(60 * 600, Some(1), start + 50 * SECOND);
        assert!(!pace.is_crawling(Some(1), start + 60 * SECOND));
        assert_eq!(Pace::new(DownloadTerms::default(), start).count(1 << 30, None, start), start);
    }

    #[test]
    fn jitter_is_a_quarter_of_the_interval_up_to_ten_seconds_and_none_for_who_is_watched() {
        let secs = |interval| longest_start_jitter(interval).as_secs_f64();
        assert_eq!([secs(1), secs(2), secs(4), secs(60), secs(86_400)], [0.0, 0.0, 1.0, 10.0, 10.0]);
    }
}
