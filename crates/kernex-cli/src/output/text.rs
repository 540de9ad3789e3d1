//! Times, sizes and foreign text for people.

use std::collections::BTreeMap;

use kernex_core::Timestamp;

/// What stands where there is nothing.
pub(crate) const NONE: &str = "-";

/// A text from elsewhere, without the control characters that would drive the terminal.
pub(crate) fn printable(text: &str) -> String {
    let is_harmless =
        |c: char| !c.is_control() && !matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    let mut safe = String::with_capacity(text.len());
    for c in text.chars() {
        if is_harmless(c) || c == '\n' {
            safe.push(c);
        } else if c == '\t' {
            safe.push(' ');
        } else {
            safe.extend(c.escape_default());
        }
    }
    safe
}

/// How long ago: `3 min ago`.
pub(crate) fn ago(then: Timestamp, now: Timestamp) -> String {
    let secs = now.millis_since(then) / 1_000;
    match secs {
        -4..=4 => "just now".to_owned(),
        5.. => format!("{} ago", rough(secs)),
        _ => format!("in {}", rough(secs.saturating_neg())),
    }
}

/// The same for what may never have been.
pub(crate) fn ago_or_never(then: Option<Timestamp>, now: Timestamp) -> String {
    then.map_or_else(|| "never".to_owned(), |then| ago(then, now))
}

fn rough(secs: i64) -> String {
    match secs {
        ..60 => format!("{secs} s"),
        60..3_600 => format!("{} min", secs / 60),
        3_600..172_800 => format!("{} h", secs / 3_600),
        _ => format!("{} days", secs / 86_400),
    }
}

/// How long something took: `4.2 s`, `3 min 20 s`.
pub(crate) fn duration(secs: f64) -> String {
    if !secs.is_finite() || secs < 0.0 {
        return NONE.to_owned();
    }
    if secs < 59.95 {
        return format!("{secs:.1} s");
    }
    let secs = secs.round() as u64;
    match secs {
        ..3_600 => format!("{} min {} s", secs / 60, secs % 60),
        3_600..172_800 => format!("{} h {} min", secs / 3_600, secs % 3_600 / 60),
        _ => format!("{} days", secs / 86_400),
    }
}

/// A size: `1.5 GiB`.
pub(crate) fn size(bytes: u64) -> String {
    const UNITS: [&str; 5] = ["KiB", "MiB", "GiB", "TiB", "PiB"];
    if bytes < 1_024 {
        return format!("{bytes} B");
    }
    let mut amount = bytes as f64 / 1_024.0;
    let mut unit = 0;
    while amount >= 1_023.95 && unit + 1 < UNITS.len() {
        amount /= 1_024.0;
        unit += 1;
    }
    format!("{amount:.1} {}", UNITS[unit])
}

/// Labels in one line: `site=berlin, rack=4`.
pub(crate) fn labels(tags: &BTreeMap<String, String>) -> String {
    if tags.is_empty() {
        return NONE.to_owned();
    }
    let label = |(key, value): (&String, &String)| match value.as_str() {
        "" => key.clone(),
        value => format!("{key}={value}"),
    };
    tags.iter().map(label).collect::<Vec<_>>().join(", ")
}

/// A number with its noun: `1 device`, `3 devices`.
pub(crate) fn count(number: u64, noun: &str) -> String {
    if number == 1 { format!("1 {noun}") } else { format!("{number} {noun}s") }
}

/// The text of something that may be missing.
pub(crate) fn or_none(value: Option<impl ToString>) -> String {
    value.map_or_else(|| NONE.to_owned(), |value| value.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_told_in_the_largest_unit_that_says_something() {
        let now = Timestamp::from_millis(1_800_000_000_000);
        let check = |secs: i64, expected| assert_eq!(ago(now.plus_secs(-secs), now), expected);
        check(0, "just now");
        check(4, "just now");
        check(59, "59 s ago");
        check(180, "3 min ago");
        check(7_200, "2 h ago");
        check(86_400, "24 h ago");
        check(172_800, "2 days ago");
        check(-600, "in 10 min");
        check(-3, "just now");
        assert_eq!(ago_or_never(None, now), "never");
        assert_eq!(
            ago(Timestamp::from_millis(i64::MAX), Timestamp::from_millis(i64::MIN)).get(..2),
            Some("in")
        );
    }

    #[test]
    fn durations_and_sizes_are_rounded_for_people() {
        assert_eq!(duration(4.24), "4.2 s");
        assert_eq!(duration(59.97), "1 min 0 s");
        assert_eq!(duration(200.0), "3 min 20 s");
        assert_eq!(duration(7_260.0), "2 h 1 min");
        assert_eq!(duration(f64::NAN), NONE);
        assert_eq!(size(0), "0 B");
        assert_eq!(size(1_023), "1023 B");
        assert_eq!(size(1_536), "1.5 KiB");
        assert_eq!(size(1_048_575), "1.0 MiB");
        assert_eq!(size(u64::MAX), "16384.0 PiB");
    }

    #[test]
    fn foreign_text_cannot_drive_the_terminal() {
        assert_eq!(printable("a\u{1b}[2Jb\tc\rd"), "a\\u{1b}[2Jb c\\rd");
        assert_eq!(printable("é\nü"), "é\nü");
        assert_eq!(printable("a\u{202e}b"), "a\\u{202e}b");
    }

    #[test]
    fn labels_stand_in_one_line() {
        let tags = BTreeMap::from([("a".to_owned(), "1".to_owned()), ("b".to_owned(), String::new())]);
        assert_eq!(labels(&tags), "a=1, b");
        assert_eq!(labels(&BTreeMap::new()), NONE);
    }
}
