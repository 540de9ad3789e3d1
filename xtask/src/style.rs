//! A little emphasis on terminals; none with `NO_COLOR` or into a file.

use std::{
    env,
    io::{IsTerminal as _, stdout},
    time::Duration,
};

/// A heading above what a step prints.
pub(crate) fn heading(text: &str) {
    println!("\n{}", bold(&format!("==> {text}")));
}

/// The same text, emphasised where that is wanted.
pub(crate) fn bold(text: &str) -> String {
    let plain = env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty()) || !stdout().is_terminal();
    if plain { text.to_owned() } else { format!("\u{1b}[1m{text}\u{1b}[0m") }
}

/// `4.2 s`, or `3 min 07 s`.
pub(crate) fn duration(duration: Duration) -> String {
    let secs = duration.as_secs();
    if secs < 60 {
        format!("{:.1} s", duration.as_secs_f64())
    } else {
        format!("{} min {:02} s", secs / 60, secs % 60)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_read_well_below_and_above_a_minute() {
        assert_eq!(duration(Duration::from_millis(4_250)), "4.2 s");
        assert_eq!(duration(Duration::from_secs(187)), "3 min 07 s");
    }
}
