//! A configuration is on trial until a heartbeat that went by it has been answered.

use kernex_core::{DeviceConfig, Timestamp};
use serde::{Deserialize, Serialize};

/// Without contact for this many of the intervals before, a configuration is taken back …
const GRACE_INTERVALS: u64 = 3;
/// … but not before a short outage of the control plane may have passed …
const MIN_GRACE_SECS: u64 = 300;
/// … and no later than somebody would begin to look for the device.
const MAX_GRACE_SECS: u64 = 3_600;
/// So often a version is tried again at once.
const FREE_TRIES: u32 = 3;
/// Then it has to wait: this long, doubled each time, up to a day.
const FIRST_HOLD_SECS: i64 = 600;
const LONGEST_HOLD_SECS: i64 = 86_400;

/// What to return to when the configuration in use cuts the device off.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ConfigTrial {
    /// The configuration before; absent when the control plane had not sent one.
    pub before: Option<DeviceConfig>,
    /// Its version.
    pub before_version: u64,
    /// Its interval between heartbeats, seconds.
    pub before_interval_secs: u32,
    /// How long there has been no contact, milliseconds; a device that is off counts none.
    pub spent_millis: u64,
}

impl ConfigTrial {
    /// How long there may be no contact.
    pub fn grace_secs(&self) -> u64 {
        (GRACE_INTERVALS * u64::from(self.before_interval_secs)).clamp(MIN_GRACE_SECS, MAX_GRACE_SECS)
    }

    /// Whether the time is up.
    pub fn is_over(&self) -> bool {
        self.spent_millis >= self.grace_secs() * 1_000
    }
}

/// A version that cut the device off: how often, and until when it is not tried again.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ConfigHold {
    /// The version.
    pub version: u64,
    /// How often it was taken back.
    pub tries: u32,
    /// Until when it is refused.
    pub until: Timestamp,
}

impl ConfigHold {
    /// What follows from one more return from a version.
    pub fn after(before: Option<&Self>, version: u64, now: Timestamp) -> Self {
        let tries =
            before.filter(|hold| hold.version == version).map_or(0, |hold| hold.tries).saturating_add(1);
        let doublings = tries.saturating_sub(FREE_TRIES).min(16);
        let secs = match tries < FREE_TRIES {
            true => 0,
            false => (FIRST_HOLD_SECS << doublings).min(LONGEST_HOLD_SECS),
        };
        Self { version, tries, until: now.plus_secs(secs) }
    }

    /// Whether a version has to wait. A clock that was set back does not make it wait longer than intended.
    pub fn refuses(&self, version: u64, now: Timestamp) -> bool {
        let left = self.until.millis_since(now);
        self.version == version && (1..=LONGEST_HOLD_SECS * 1_000).contains(&left)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_version_is_tried_three_times_and_then_waits_twice_as_long_each_time() {
        let now = Timestamp::from_millis(1_000);
        let mut hold = None;
        let mut waits = Vec::new();
        for _ in 0..12 {
            let next = ConfigHold::after(hold.as_ref(), 7, now);
            waits.push(next.until.millis_since(now) / 1_000);
            hold = Some(next);
        }
        assert_eq!(waits[..6], [0, 0, 600, 1_200, 2_400, 4_800]);
        assert_eq!(waits[11], 86_400);
        let hold = hold.unwrap();
        assert!(hold.refuses(7, now) && !hold.refuses(8, now) && !hold.refuses(7, hold.until));
        assert!(
            !hold.refuses(7, Timestamp::from_millis(-1_000_000_000_000)),
            "the clock was set back by years"
        );
        assert_eq!(ConfigHold::after(Some(&hold), 8, now).tries, 1, "another version begins anew");
    }

    #[test]
    fn the_grace_follows_the_interval_before_within_bounds() {
        let grace = |secs| {
            let trial =
                ConfigTrial { before: None, before_version: 1, before_interval_secs: secs, spent_millis: 0 };
            trial.grace_secs()
        };
        assert_eq!([grace(1), grace(60), grace(200), grace(86_400)], [300, 300, 600, 3_600]);
    }
}
