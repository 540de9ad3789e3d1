//! A token bucket: how many lines one source may add.

use std::time::Instant;

/// Lines per second that a source may add for long: more tells nobody anything, and costs a slow link.
const LINES_PER_SEC: f64 = 50.0;
/// Lines that it may add at once: the start of a program, a trace of an error.
const BURST: f64 = 500.0;

/// How many lines a source has left.
#[derive(Debug)]
pub(super) struct Bucket {
    tokens: f64,
    filled_at: Option<Instant>,
}

impl Default for Bucket {
    fn default() -> Self {
        Self { tokens: BURST, filled_at: None }
    }
}

impl Bucket {
    /// Takes a token, if there is one.
    pub(super) fn take(&mut self, now: Instant) -> bool {
        let since = self.filled_at.replace(now).map_or(0.0, |then| now.duration_since(then).as_secs_f64());
        self.tokens = (self.tokens + since * LINES_PER_SEC).min(BURST);
        let has_one = self.tokens >= 1.0;
        if has_one {
            self.tokens -= 1.0;
        }
        has_one
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn a_burst_passes_and_then_fifty_lines_a_second() {
        let (mut bucket, start) = (Bucket::default(), Instant::now());
        let taken = |bucket: &mut Bucket, at: Duration, tries: u32| {
            (0..tries).filter(|_| bucket.take(start + at)).count()
        };
        assert_eq!(taken(&mut bucket, Duration::ZERO, 1_000), 500);
        assert_eq!(taken(&mut bucket, Duration::from_secs(1), 1_000), 50);
        assert_eq!(
            taken(&mut bucket, Duration::from_secs(3_600), 1_000),
            500,
            "it does not fill without end"
        );
    }
}
