//! The timestamp of signed requests, which is also the counter against replay.

use kernex_api::signing::MAX_SKEW_MILLIS;

/// What the next timestamp is made of; milliseconds.
#[derive(Debug, Default)]
pub(super) struct SignedTime {
    /// How much the control plane's clock is ahead.
    pub(super) offset: i64,
    /// The last timestamp that was sent.
    pub(super) last: i64,
}

impl SignedTime {
    /// The next timestamp: the corrected time, and greater than every one before.
    pub(super) fn next(&mut self, now: i64) -> i64 {
        self.last = now.saturating_add(self.offset).max(self.last.saturating_add(1));
        self.last
    }

    /// Takes over the control plane's time after it refused a timestamp for being too far off.
    ///
    /// A counter further ahead than a timestamp may be was never accepted (the clock was wrong): without going back, a
    /// clock that once stood years ahead would keep the device out for years.
    pub(super) fn correct(&mut self, now: i64, server_time: i64) {
        self.offset = server_time.saturating_sub(now);
        if self.last > server_time.saturating_add(MAX_SKEW_MILLIS) {
            self.last = 0;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const YEAR: i64 = 365 * 86_400_000;

    #[test]
    fn timestamps_grow_even_when_the_clock_stands_or_goes_back() {
        let mut time = SignedTime::default();
        assert_eq!([time.next(100), time.next(100), time.next(50), time.next(200)], [100, 101, 102, 200]);
    }

    #[test]
    fn a_clock_wrong_by_years_is_corrected_in_both_directions() {
        let server = 50 * YEAR;
        for wrong in [server - 10 * YEAR, server + 10 * YEAR] {
            let mut time = SignedTime::default();
            assert_eq!(time.next(wrong), wrong);
            time.correct(wrong, server);
            assert_eq!(time.next(wrong + 5), server + 5);
        }
    }

    #[test]
    fn a_counter_that_may_have_been_accepted_is_kept() {
        let mut time = SignedTime { offset: 0, last: 1_000_000 };
        time.correct(0, 900_000);
        assert_eq!(time.next(0), 1_000_001);
    }

    #[test]
    fn no_clock_overflows() {
        let mut time = SignedTime { offset: i64::MAX, last: i64::MAX };
        assert_eq!(time.next(i64::MAX), i64::MAX);
        time.correct(i64::MIN, i64::MAX);
        time.next(i64::MAX);
    }
}
