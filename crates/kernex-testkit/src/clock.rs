//! Clocks for devices under test.

use std::sync::Arc;

use kernex_core::{Clock, Timestamp};
use kernex_server::clock::SystemClock;

/// A clock that is wrong by a fixed span.
#[derive(Clone, Copy, Debug)]
pub struct OffsetClock {
    /// Milliseconds ahead of the machine's clock; negative when behind.
    pub offset_millis: i64,
}

impl OffsetClock {
    /// A clock that is years ahead, or behind when negative.
    pub fn years(years: i64) -> Self {
        Self { offset_millis: years * 365 * 86_400_000 }
    }
}

impl Clock for OffsetClock {
    fn now(&self) -> Timestamp {
        SystemClock.now().plus_millis(self.offset_millis)
    }
}

/// The machine's clock.
pub fn system_clock() -> Arc<dyn Clock> {
    Arc::new(SystemClock)
}
