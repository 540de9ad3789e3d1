//! Where progress is shown: bars on a terminal, a line per change anywhere else.

use super::{Names, Snapshot, bars::Bars, lines::Lines};
use crate::output;

/// The two ways of showing progress.
pub(super) enum Screen {
    /// Drawn over and over.
    Bars(Bars),
    /// Written once.
    Lines(Lines),
}

impl Screen {
    pub(super) fn new(is_terminal: bool, is_small: bool) -> Self {
        if is_terminal { Self::Bars(Bars::new(is_small)) } else { Self::Lines(Lines::default()) }
    }

    pub(super) fn update(&mut self, snapshot: &Snapshot, names: &Names) {
        match self {
            Self::Bars(bars) => bars.update(snapshot, names),
            Self::Lines(lines) => lines.update(snapshot, names).iter().for_each(|line| output::say(line)),
        }
    }

    /// Says something without disturbing what is drawn.
    pub(super) fn note(&self, text: &str) {
        match self {
            Self::Bars(bars) => bars.note(text),
            Self::Lines(_) => output::say(text),
        }
    }
}

/// The device's name, or its id.
pub(super) fn label(names: &Names, id: kernex_core::DeviceId) -> String {
    names.get(&id).map_or_else(|| id.to_string(), |name| output::text::printable(name))
}
