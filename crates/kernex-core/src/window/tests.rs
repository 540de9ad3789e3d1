use super::*;

fn time(text: &str) -> Timestamp {
    text.parse().unwrap()
}

fn windows(texts: &[&str]) -> Windows {
    Windows::parse(texts.iter().copied()).unwrap()
}

#[test]
fn a_window_opens_and_closes_by_the_local_clock() {
    let weekend = windows(&["30 2 * * sat,sun for 2h in Europe/Berlin"]);
    // Saturday 2026-01-03, winter: UTC+1.
    for (at, open) in [
        ("2026-01-03T01:29:59.999Z", false),
        ("2026-01-03T01:30:00Z", true),
        ("2026-01-03T03:29:59.999Z", true),
        ("2026-01-03T03:30:00Z", false),
        ("2026-01-04T02:00:00Z", true),
        ("2026-01-05T02:00:00Z", false),
        ("2026-07-04T00:30:00Z", true), // summer: UTC+2
    ] {
        assert_eq!(weekend.is_open(time(at)), open, "{at}");
    }
    assert_eq!(weekend.next_opening(time("2026-01-03T03:30:00Z")), Some(time("2026-01-04T01:30:00Z")));
    assert_eq!(
        weekend.next_opening(time("2026-01-03T02:00:00Z")),
        Some(time("2026-01-03T02:00:00Z")),
        "open already"
    );
    assert_eq!(weekend.closes_at(time("2026-01-03T02:00:00Z")), Some(time("2026-01-03T03:30:00Z")));
    assert_eq!(weekend.closes_at(time("2026-01-03T04:00:00Z")), None);
}

#[test]
fn a_window_may_cross_midnight_and_days() {
    let long = windows(&["0 22 * * fri for 2d6h in America/New_York"]);
    assert!(long.is_open(time("2026-01-05T08:59:00Z")), "until Monday 4:00 there");
    assert!(!long.is_open(time("2026-01-05T09:00:00Z")));
    assert_eq!(long.next_opening(time("2026-01-05T09:00:00Z")), Some(time("2026-01-10T03:00:00Z")));
}

#[test]
fn a_start_that_the_clocks_skip_is_later_and_a_repeated_one_happens_once() {
    let at_night = windows(&["30 2 * * * for 30m in Europe/Berlin"]);
    // 2026-03-29: 2:00 becomes 3:00 (1:00 UTC). 2:30 is skipped, and happens at 3:30 local.
    assert_eq!(at_night.next_opening(time("2026-03-29T00:00:00Z")), Some(time("2026-03-29T01:30:00Z")));
    // 2026-10-25: 3:00 becomes 2:00 (1:00 UTC). 2:30 comes twice.
    assert_eq!(at_night.next_opening(time("2026-10-25T00:00:00Z")), Some(time("2026-10-25T00:30:00Z")));
    assert!(!at_night.is_open(time("2026-10-25T01:30:00Z")));
}

#[test]
fn several_windows_are_open_when_one_is() {
    let two = windows(&["0 1 * * * for 1h", "0 2 * * * for 1h", "*/10 5 * * * for 10m"]);
    assert_eq!(
        two.closes_at(time("2026-01-01T01:30:00Z")),
        Some(time("2026-01-01T03:00:00Z")),
        "one after the other"
    );
    assert_eq!(two.closes_at(time("2026-01-01T05:05:00Z")), Some(time("2026-01-01T06:00:00Z")));
    assert!(Windows::default().is_open(time("2026-01-01T00:00:00Z")));
    assert_eq!(windows(&["* * * * * for 5m"]).closes_at(time("2026-01-01T00:00:00Z")), None, "never closes");
}

#[test]
fn rare_days_are_found() {
    let leap = windows(&["0 0 29 2 * for 1h"]);
    assert_eq!(leap.next_opening(time("2096-03-01T00:00:00Z")), Some(time("2104-02-29T00:00:00Z")));
    let either = windows(&["0 0 31 2 mon for 1h"]);
    assert_eq!(
        either.next_opening(time("2026-01-01T00:00:00Z")),
        Some(time("2026-02-02T00:00:00Z")),
        "either day is enough"
    );
    let steps = windows(&["5/20 8-10/2 1,15 jan-mar/2 * for 1m"]);
    assert_eq!(steps.next_opening(time("2026-01-15T10:46:00Z")), Some(time("2026-03-01T08:05:00Z")));
    assert_eq!(
        windows(&["0 0 * * 7 for 1m"]).next_opening(time("2026-01-01T00:00:00Z")),
        Some(time("2026-01-04T00:00:00Z"))
    );
}

#[test]
fn what_is_no_window_is_refused_with_a_reason() {
    for (text, expected) in [
        ("", "not of the form"),
        ("0 2 * * *", "not of the form"),
        ("0 2 * * for 2h", "five fields"),
        ("60 2 * * * for 2h", "`60` (minute)"),
        ("0 24 * * * for 2h", "`24` (hour)"),
        ("0 2 0 * * for 2h", "`0` (day-of-month)"),
        ("0 2 * foo * for 2h", "`foo` (month)"),
        ("0 2 * * 8 for 2h", "`8` (day-of-week)"),
        ("0 2 * * 5-1 for 2h", "`5-1` (day-of-week)"),
        ("*/0 2 * * * for 2h", "`*/0` (minute)"),
        ("0 2 * * , for 2h", "`,` (day-of-week)"),
        ("0 2 30 2 * for 2h", "`0 2 30 2 *` never comes"),
        ("0 2 31 4,6,9,11 * for 2h", "never comes"),
        ("0 2 * * * for 0m", "1 minute to 7 days"),
        ("0 2 * * * for 8d", "1 minute to 7 days"),
        ("0 2 * * * for 30s", "1 minute to 7 days"),
        ("0 2 * * * for 2027-01-01", "1 minute to 7 days"),
        ("0 2 * * * for 2h in Mars/Olympus", "`Mars/Olympus` is no time zone"),
        ("0 2 * * * for 2h in ../../etc/passwd", "is no time zone"),
    ] {
        let error = text.parse::<Window>().unwrap_err().to_string();
        assert!(error.contains(expected), "{text}: {error}");
    }
    let nine = vec!["0 2 * * * for 2h"; 9];
    assert_eq!(Windows::parse(nine).unwrap_err().to_string(), "at most 8 windows are allowed, not 9");
}

#[test]
fn a_window_reads_back_from_its_text() {
    let text = r#"["0 2 * * sat,sun for 1h30m in Europe/Berlin","*/5 * * * * for 1m in UTC"]"#;
    let windows: Windows = serde_json::from_str(text).unwrap();
    assert_eq!(serde_json::to_string(&windows).unwrap(), text);
    assert_eq!(windows.to_string(), "0 2 * * sat,sun for 1h30m in Europe/Berlin; */5 * * * * for 1m in UTC");
}
