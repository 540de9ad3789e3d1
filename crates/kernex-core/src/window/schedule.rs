//! When a window opens: five fields as in cron.

use std::{fmt, str::FromStr};

/// `minute hour day-of-month month day-of-week`. A field is `*`, a value, a range `1-5`, a list `1,3`, each with a step `/2`;
/// months and days may be called by the first three letters of their English names. Sunday is 0 or 7. When both kinds of day
/// are restricted, one of them is enough.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Schedule {
    text: String,
    minutes: u64,
    hours: u64,
    days: u64,
    months: u64,
    weekdays: u64,
    any_day: bool,
    any_weekday: bool,
}

/// Why a text is no schedule.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ScheduleError {
    /// Not five fields.
    #[error("a schedule has five fields (minute hour day-of-month month day-of-week), this one has {0}")]
    Fields(usize),
    /// A field that cannot be read.
    #[error(
        "the field `{field}` ({name}) is not `*`, a value from {min} to {max}, a range, a list or a step"
    )]
    Field {
        /// What was written, cut to 40 characters.
        field: String,
        /// Which field.
        name: &'static str,
        /// The least value.
        min: u8,
        /// The greatest.
        max: u8,
    },
    /// A day that no month has.
    #[error("`{0}` never comes: none of its months has such a day")]
    Never(String),
}

const MONTHS: [&str; 12] =
    ["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"];
const WEEKDAYS: [&str; 7] = ["sun", "mon", "tue", "wed", "thu", "fri", "sat"];
/// Days of each month in a leap year.
const MONTH_DAYS: [u8; 12] = [31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31];

impl Schedule {
    /// Whether it comes on a day; the weekday counts from Sunday, 0.
    pub(super) fn is_on(&self, month: u8, day: u8, weekday: u8) -> bool {
        let by_day = has(self.days, day);
        let by_weekday = has(self.weekdays, weekday);
        has(self.months, month)
            && match (self.any_day, self.any_weekday) {
                (false, false) => by_day || by_weekday,
                _ => by_day && by_weekday,
            }
    }

    /// Hours and minutes of a day on which it comes, in order.
    pub(super) fn times(&self) -> impl DoubleEndedIterator<Item = (i8, i8)> {
        let minutes =
            move |hour| (0..60).filter(|minute| has(self.minutes, *minute)).map(move |minute| (hour, minute));
        (0..24)
            .filter(|hour| has(self.hours, *hour))
            .flat_map(minutes)
            .filter_map(|(hour, minute)| Some((i8::try_from(hour).ok()?, i8::try_from(minute).ok()?)))
    }

    fn comes_at_all(&self) -> bool {
        (1..=12u8).any(|month| {
            let longest = MONTH_DAYS[usize::from(month) - 1];
            has(self.months, month) && (!self.any_weekday || (1..=longest).any(|day| has(self.days, day)))
        })
    }
}

impl FromStr for Schedule {
    type Err = ScheduleError;
    fn from_str(text: &str) -> Result<Self, ScheduleError> {
        let fields: Vec<&str> = text.split_whitespace().collect();
        let [minute, hour, day, month, weekday] = fields[..] else {
            return Err(ScheduleError::Fields(fields.len()));
        };
        let weekdays = field(weekday, "day-of-week", 0, 7, &WEEKDAYS, 0)?;
        let schedule = Self {
            text: fields.join(" "),
            minutes: field(minute, "minute", 0, 59, &[], 0)?,
            hours: field(hour, "hour", 0, 23, &[], 0)?,
            days: field(day, "day-of-month", 1, 31, &[], 0)?,
            months: field(month, "month", 1, 12, &MONTHS, 1)?,
            weekdays: weekdays | (weekdays >> 7 & 1),
            any_day: day == "*",
            any_weekday: weekday == "*",
        };
        if schedule.comes_at_all() { Ok(schedule) } else { Err(ScheduleError::Never(schedule.text)) }
    }
}

impl fmt::Display for Schedule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

fn has(set: u64, value: u8) -> bool {
    set >> value & 1 == 1
}

/// A field as a set of values, one bit each.
fn field(
    text: &str,
    name: &'static str,
    min: u8,
    max: u8,
    words: &[&str],
    first_word: u8,
) -> Result<u64, ScheduleError> {
    let wrong = || ScheduleError::Field { field: text.chars().take(40).collect(), name, min, max };
    let value = |text: &str| {
        let word = words
            .iter()
            .position(|word| word.eq_ignore_ascii_case(text))
            .and_then(|at| u8::try_from(at).ok());
        let number = || {
            if text.len() <= 2 && text.bytes().all(|b| b.is_ascii_digit()) { text.parse().ok() } else { None }
        };
        word.map(|at| at + first_word)
            .or_else(number)
            .filter(|value| (min..=max).contains(value))
            .ok_or_else(wrong)
    };
    let mut set = 0;
    for part in text.split(',') {
        let (range, step) = match part.split_once('/') {
            Some((range, step)) => {
                (range, Some(step.parse::<u8>().ok().filter(|step| *step > 0).ok_or_else(wrong)?))
            }
            None => (part, None),
        };
        let (from, to) = match (range, range.split_once('-')) {
            ("*", _) => (min, max),
            (_, Some((from, to))) => (value(from)?, value(to)?),
            (single, None) => (value(single)?, if step.is_some() { max } else { value(single)? }),
        };
        if from > to {
            return Err(wrong());
        }
        for value in (from..=to).step_by(usize::from(step.unwrap_or(1))) {
            set |= 1 << value;
        }
    }
    Ok(set)
}
