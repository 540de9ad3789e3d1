//! One test of a selector.

use std::{cmp::Ordering, fmt};

use super::Field;
use crate::{Timestamp, version::sort_key};

/// One test.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Test {
    /// Free text in name, type or a tag's value, or the beginning of the id or of the key's fingerprint.
    Text(String),
    /// The field has a value.
    Exists(Field),
    /// The field has one of these values; versions are equal when they are the same version.
    OneOf {
        /// The field.
        field: Field,
        /// One or more values.
        values: Vec<String>,
    },
    /// The field holds this text, whatever the case of its letters a-z.
    Contains {
        /// The field.
        field: Field,
        /// The text.
        text: String,
    },
    /// The field holds a version that lies so.
    Version {
        /// The field.
        field: Field,
        /// On which side.
        order: Order,
        /// Of what.
        bound: VersionBound,
    },
    /// The field is a time that lies so.
    Time {
        /// The field.
        field: Field,
        /// On which side.
        order: Order,
        /// Of what.
        bound: Bound,
    },
}

/// On which side of a bound.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Order {
    /// `<`
    Less,
    /// `<=`
    AtMost,
    /// `>`
    Greater,
    /// `>=`
    AtLeast,
}

impl Order {
    /// As it is written, in SQL too.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Less => "<",
            Self::AtMost => "<=",
            Self::Greater => ">",
            Self::AtLeast => ">=",
        }
    }

    /// The other way round, for an age in place of a point in time.
    #[must_use]
    pub const fn reversed(self) -> Self {
        match self {
            Self::Less => Self::Greater,
            Self::AtMost => Self::AtLeast,
            Self::Greater => Self::Less,
            Self::AtLeast => Self::AtMost,
        }
    }

    /// Whether something that compares so with the bound is on this side.
    pub const fn holds(self, ordering: Ordering) -> bool {
        match self {
            Self::Less => ordering.is_lt(),
            Self::AtMost => ordering.is_le(),
            Self::Greater => ordering.is_gt(),
            Self::AtLeast => ordering.is_ge(),
        }
    }
}

/// A version that has a place in the order of versions.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VersionBound {
    text: String,
    key: String,
}

impl VersionBound {
    /// The version; `None` when it cannot be ordered.
    pub fn new(text: &str) -> Option<Self> {
        sort_key(text).map(|key| Self { text: text.to_owned(), key })
    }

    /// As it was written.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// Its place: keys sort byte by byte as versions do.
    pub fn key(&self) -> &str {
        &self.key
    }
}

/// What a time is compared with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Bound {
    /// How long ago, in milliseconds: `last_seen<2h` means seen within the last two hours.
    Age(i64),
    /// A point in time.
    At(Timestamp),
}

const UNITS: [(char, i64); 5] =
    [('w', 7 * 24 * 3_600_000), ('d', 24 * 3_600_000), ('h', 3_600_000), ('m', 60_000), ('s', 1_000)];
/// Ages beyond a hundred years are a mistake.
const MAX_AGE_MILLIS: i64 = 100 * 366 * 24 * 3_600_000;

impl Bound {
    /// `90s`, `1h30m`, `2w`; a day `2026-01-31` (its beginning in UTC) or a time as in RFC 3339.
    pub fn parse(text: &str) -> Option<Self> {
        age(text).map(Self::Age).or_else(|| {
            let midnight = format!("{text}T00:00:00Z");
            text.parse().or_else(|_| midnight.parse()).ok().map(Self::At)
        })
    }

    /// The point in time that `field order bound` compares with, and on which side of it the field must lie.
    pub fn resolve(self, order: Order, now: Timestamp) -> (Order, Timestamp) {
        match self {
            Self::Age(millis) => (order.reversed(), now.plus_millis(-millis)),
            Self::At(time) => (order, time),
        }
    }
}

fn age(text: &str) -> Option<i64> {
    let (mut total, mut digits) = (0i64, String::new());
    for c in text.chars() {
        if c.is_ascii_digit() {
            digits.push(c);
            continue;
        }
        let (_, millis) = UNITS.iter().find(|(unit, _)| *unit == c)?;
        total = total.checked_add(digits.parse::<i64>().ok()?.checked_mul(*millis)?)?;
        digits.clear();
    }
    (digits.is_empty() && !text.is_empty() && total <= MAX_AGE_MILLIS).then_some(total)
}

impl fmt::Display for Bound {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut rest = match self {
            Self::At(time) => return write!(f, "{time}"),
            Self::Age(0) => return f.write_str("0s"),
            Self::Age(millis) => *millis,
        };
        for (unit, millis) in UNITS {
            if rest >= millis {
                write!(f, "{}{unit}", rest / millis)?;
                rest %= millis;
            }
        }
        Ok(())
    }
}
