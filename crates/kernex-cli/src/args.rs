//! Arguments that several commands share, and how they are read.

use std::time::Duration;

use clap::Args;

/// How long to wait for a deployment.
#[derive(Args, Clone, Debug)]
pub(crate) struct WaitArgs {
    /// Wait until the deployment has ended and show its progress; exit code 0 only when it succeeded
    #[arg(long)]
    pub(crate) wait: bool,
    #[command(flatten)]
    pub(crate) timeout: TimeoutArg,
}

/// When to stop waiting.
#[derive(Args, Clone, Debug)]
pub(crate) struct TimeoutArg {
    /// Stop waiting after this long, for example 90s, 10m or 2h; 0 waits for ever. The deployment itself goes on
    #[arg(long, value_name = "DURATION", default_value = "30m", value_parser = parse_duration)]
    timeout: Duration,
}

impl TimeoutArg {
    pub(crate) fn limit(&self) -> Option<Duration> {
        (!self.timeout.is_zero()).then_some(self.timeout)
    }
}

/// How much of a list to show.
#[derive(Args, Clone, Debug)]
pub(crate) struct LimitArg {
    /// Show at most this many, newest first
    #[arg(long, value_name = "N", default_value_t = 50, value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) limit: u32,
}

/// Reads `90`, `90s`, `10m`, `2h` or `7d`; a number alone is seconds.
pub(crate) fn parse_duration(text: &str) -> Result<Duration, String> {
    let wrong = || format!("`{text}` is not a duration like 90s, 10m, 2h or 7d");
    let digits = text.trim_end_matches(|c: char| c.is_ascii_alphabetic());
    let unit = match &text[digits.len()..] {
        "" | "s" => 1,
        "m" | "min" => 60,
        "h" => 3_600,
        "d" => 86_400,
        _ => return Err(wrong()),
    };
    let number: u64 = digits.parse().map_err(|_| wrong())?;
    number.checked_mul(unit).map(Duration::from_secs).ok_or_else(wrong)
}

/// Reads `key=value`.
pub(crate) fn parse_pair(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((key, value)) if !key.is_empty() => Ok((key.to_owned(), value.to_owned())),
        _ => Err(format!("`{text}` is not of the form key=value")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_read_with_and_without_a_unit() {
        let check = |text, secs| assert_eq!(parse_duration(text), Ok(Duration::from_secs(secs)), "{text}");
        check("0", 0);
        check("90", 90);
        check("90s", 90);
        check("10m", 600);
        check("2h", 7_200);
        check("7d", 604_800);
        for text in ["", "m", "-1s", "1.5h", "5 m", "3y", "99999999999999999999d", "9999999999999999d"] {
            assert!(parse_duration(text).is_err(), "{text}");
        }
    }

    #[test]
    fn a_pair_needs_a_key_and_keeps_further_equal_signs() {
        assert_eq!(parse_pair("a=b=c"), Ok(("a".to_owned(), "b=c".to_owned())));
        assert_eq!(parse_pair("a="), Ok(("a".to_owned(), String::new())));
        assert!(parse_pair("=b").is_err());
        assert!(parse_pair("a").is_err());
    }
}
