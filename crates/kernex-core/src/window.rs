//! Maintenance windows: when devices may be changed. `0 2 * * sat,sun for 2h in Europe/Berlin`.
//!
//! The rules of time zones are compiled in (jiff's bundled database), so that nothing is read from the machine and every replica
//! agrees; a new release brings new rules. A start that the clocks skip happens as much later as they jump; one that they
//! repeat happens the first time.

mod schedule;

use std::{fmt, str::FromStr};

use jiff::{civil::Date, tz::TimeZone};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use utoipa::ToSchema;

use crate::Timestamp;

pub use schedule::{Schedule, ScheduleError};

/// The longest that a window may stay open.
pub const MAX_WINDOW_MINS: u32 = 7 * 24 * 60;
/// Most windows of a deployment, a group or a device.
pub const MAX_WINDOWS: usize = 8;
/// Looked ahead for an opening: the 29th of February is eight years away in 2096.
const MAX_DAYS_AHEAD: usize = 8 * 366 + 1;
const MINUTE_MILLIS: i64 = 60_000;

/// One window.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Window {
    schedule: Schedule,
    duration_mins: u32,
    zone_name: String,
    zone: TimeZone,
}

/// Why a text is no window.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum WindowError {
    /// Not of the form.
    #[error(
        "`{0}` is not of the form `SCHEDULE for DURATION in ZONE`, such as `0 2 * * sat,sun for 2h in Europe/Berlin`"
    )]
    Form(String),
    /// The schedule.
    #[error(transparent)]
    Schedule(#[from] ScheduleError),
    /// The duration.
    #[error("a window is open for 1 minute to 7 days; `{0}` is not such a time (30m, 2h, 1h30m)")]
    Duration(String),
    /// The time zone.
    #[error("`{0}` is no time zone of the IANA database, such as Europe/Berlin or UTC")]
    Zone(String),
    /// Too many.
    #[error("at most {MAX_WINDOWS} windows are allowed, not {0}")]
    TooMany(usize),
}

impl Window {
    /// When the opening that contains a point in time began; `None` when the window is closed then.
    fn opened_at(&self, at: Timestamp) -> Option<Timestamp> {
        let latest = self.latest_start(at)?;
        (at.millis_since(latest) < self.millis()).then_some(latest)
    }

    fn millis(&self) -> i64 {
        i64::from(self.duration_mins) * MINUTE_MILLIS
    }

    /// The last start at or before a point in time, as far back as one that would still be open.
    fn latest_start(&self, at: Timestamp) -> Option<Timestamp> {
        let mut day = self.local_day(at)?;
        for _ in 0..=MAX_WINDOW_MINS / (24 * 60) + 1 {
            if self.is_on(day) {
                let starts = self.schedule.times().rev().filter_map(|time| self.instant(day, time));
                if let Some(start) = starts.filter(|start| *start <= at).max() {
                    return Some(start);
                }
            }
            day = day.yesterday().ok()?;
        }
        None
    }

    /// The first start after a point in time.
    fn next_start(&self, after: Timestamp) -> Option<Timestamp> {
        let mut day = self.local_day(after)?;
        for _ in 0..MAX_DAYS_AHEAD {
            if self.is_on(day) {
                let starts = self.schedule.times().filter_map(|time| self.instant(day, time));
                if let Some(start) = starts.filter(|start| *start > after).min() {
                    return Some(start);
                }
            }
            day = day.tomorrow().ok()?;
        }
        None
    }

    fn local_day(&self, at: Timestamp) -> Option<Date> {
        let instant = jiff::Timestamp::from_millisecond(at.as_millis()).ok()?;
        Some(self.zone.to_datetime(instant).date())
    }

    fn is_on(&self, day: Date) -> bool {
        let weekday = day.weekday().to_sunday_zero_offset();
        let (Ok(month), Ok(date), Ok(weekday)) =
            (u8::try_from(day.month()), u8::try_from(day.day()), u8::try_from(weekday))
        else {
            return false;
        };
        self.schedule.is_on(month, date, weekday)
    }

    fn instant(&self, day: Date, (hour, minute): (i8, i8)) -> Option<Timestamp> {
        let instant = self.zone.to_timestamp(day.at(hour, minute, 0, 0)).ok()?;
        Some(Timestamp::from_millis(instant.as_millisecond()))
    }
}

impl FromStr for Window {
    type Err = WindowError;
    fn from_str(text: &str) -> Result<Self, WindowError> {
        let form = || WindowError::Form(text.chars().take(80).collect());
        let (schedule, rest) = text.split_once(" for ").ok_or_else(form)?;
        let (duration, zone) = rest.split_once(" in ").unwrap_or((rest, "UTC"));
        let (duration, zone) = (duration.trim(), zone.trim());
        Ok(Self {
            schedule: schedule.parse()?,
            duration_mins: minutes(duration)
                .ok_or_else(|| WindowError::Duration(duration.chars().take(40).collect()))?,
            zone_name: zone.to_owned(),
            zone: zone_named(zone).ok_or_else(|| WindowError::Zone(zone.chars().take(40).collect()))?,
        })
    }
}

/// A zone by its name in the compiled-in database; never the machine's own.
fn zone_named(name: &str) -> Option<TimeZone> {
    if name.eq_ignore_ascii_case("utc") {
        return Some(TimeZone::UTC);
    }
    jiff::tz::db().get(name).ok()
}

fn minutes(text: &str) -> Option<u32> {
    match crate::selector::Bound::parse(text) {
        Some(crate::selector::Bound::Age(millis)) if millis % MINUTE_MILLIS == 0 => {
            u32::try_from(millis / MINUTE_MILLIS)
                .ok()
                .filter(|minutes| (1..=MAX_WINDOW_MINS).contains(minutes))
        }
        _ => None,
    }
}

impl fmt::Display for Window {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let duration = crate::selector::Bound::Age(self.millis());
        write!(f, "{} for {duration} in {}", self.schedule, self.zone_name)
    }
}

impl Serialize for Window {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Window {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

/// Windows of which one that is open is enough; without any, always open.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(try_from = "Vec<Window>", into = "Vec<Window>")]
#[schema(value_type = Vec<String>, example = json!(["0 2 * * sat,sun for 2h in Europe/Berlin"]))]
pub struct Windows(Vec<Window>);

impl TryFrom<Vec<Window>> for Windows {
    type Error = WindowError;
    fn try_from(windows: Vec<Window>) -> Result<Self, WindowError> {
        if windows.len() > MAX_WINDOWS { Err(WindowError::TooMany(windows.len())) } else { Ok(Self(windows)) }
    }
}

impl From<Windows> for Vec<Window> {
    fn from(windows: Windows) -> Self {
        windows.0
    }
}

impl Windows {
    /// Reads each text as a window.
    pub fn parse<'a>(texts: impl IntoIterator<Item = &'a str>) -> Result<Self, WindowError> {
        texts.into_iter().map(str::parse).collect::<Result<Vec<Window>, _>>()?.try_into()
    }

    /// Whether there is no restriction.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether devices may be changed at a point in time.
    pub fn is_open(&self, at: Timestamp) -> bool {
        self.0.is_empty() || self.0.iter().any(|window| window.opened_at(at).is_some())
    }

    /// The earliest point in time from `after` on at which they are open: `after` itself when they are open then. `None` only
    /// at the end of the calendar, because a window that never opens is refused when it is read.
    pub fn next_opening(&self, after: Timestamp) -> Option<Timestamp> {
        if self.is_open(after) {
            return Some(after);
        }
        self.0.iter().filter_map(|window| window.next_start(after)).min()
    }

    /// When they close that are open at a point in time; `None` when they are closed, have no end, or stay open for more than
    /// two weeks.
    pub fn closes_at(&self, at: Timestamp) -> Option<Timestamp> {
        if self.0.is_empty() {
            return None;
        }
        let horizon = at.plus_millis(2 * i64::from(MAX_WINDOW_MINS) * MINUTE_MILLIS);
        let mut end = None;
        let mut looked_at = at;
        while looked_at <= horizon {
            let ends = self
                .0
                .iter()
                .filter_map(|window| Some(window.opened_at(looked_at)?.plus_millis(window.millis())));
            match ends.max() {
                Some(later) => (end, looked_at) = (Some(later), later),
                None => return end,
            }
        }
        None
    }
}

impl fmt::Display for Windows {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (place, window) in self.0.iter().enumerate() {
            write!(f, "{}{window}", if place > 0 { "; " } else { "" })?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
