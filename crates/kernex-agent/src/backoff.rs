//! Delays between tries: growing, capped, and with jitter added after the cap, so that a fleet does not come back at once.

use std::time::Duration;

use rand::RngExt as _;

/// Longest wait that a control plane's `Retry-After` can impose.
pub const MAX_RETRY_AFTER: Duration = Duration::from_secs(300);

/// Doubling delays.
#[derive(Clone, Debug)]
pub struct Backoff {
    first: Duration,
    cap: Duration,
    failures: u32,
}

impl Backoff {
    /// Starts at `first` and stops growing at `cap`.
    pub fn new(first: Duration, cap: Duration) -> Self {
        Self { first, cap, failures: 0 }
    }

    /// Forgets earlier failures.
    pub fn reset(&mut self) {
        self.failures = 0;
    }

    /// How long to wait after one more failure, without jitter.
    pub fn next_delay(&mut self) -> Duration {
        let factor = 1u32.checked_shl(self.failures.min(16)).unwrap_or(u32::MAX);
        self.failures = self.failures.saturating_add(1);
        self.first.saturating_mul(factor).min(self.cap)
    }

    /// How long to wait after one more failure; at least as long as the control plane asks.
    pub fn next_wait(&mut self, retry_after: Option<Duration>) -> Duration {
        let delay = self.next_delay();
        let asked = retry_after.map_or(Duration::ZERO, |wait| wait.min(MAX_RETRY_AFTER));
        later_by_up_to(delay.max(asked), 0.25)
    }
}

/// A duration longer by a random share of at most `share`.
pub fn later_by_up_to(duration: Duration, share: f64) -> Duration {
    duration.mul_f64(1.0 + rand::rng().random_range(0.0..=share))
}

/// A duration longer or shorter by a random share of at most `share`.
pub fn around(duration: Duration, share: f64) -> Duration {
    duration.mul_f64(1.0 + rand::rng().random_range(-share..=share))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn delays_double_up_to_the_cap_and_start_over_after_a_success() {
        let mut backoff = Backoff::new(Duration::from_secs(1), Duration::from_secs(60));
        let delays: Vec<u64> = (0..8).map(|_| backoff.next_delay().as_secs()).collect();
        assert_eq!(delays, [1, 2, 4, 8, 16, 32, 60, 60]);
        backoff.reset();
        assert_eq!(backoff.next_delay().as_secs(), 1);
    }

    #[test]
    fn jitter_comes_after_the_cap_and_retry_after_is_bounded() {
        let secs = Duration::from_secs;
        for _ in 0..100 {
            let mut backoff = Backoff::new(secs(60), secs(60));
            let wait = backoff.next_wait(None);
            assert!(wait >= secs(60) && wait <= secs(75), "{wait:?}");
            let asked = backoff.next_wait(Some(secs(100_000)));
            assert!(asked >= secs(300) && asked <= secs(375), "{asked:?}");
            let around = around(secs(60), 0.1);
            assert!(around >= secs(54) && around <= secs(66), "{around:?}");
        }
    }
}
