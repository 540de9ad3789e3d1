//! Why a text is no selector, and where.

/// Why a text is no selector. The message names the column; [`SelectorError::with_caret`] points at it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("column {column}: {message}")]
pub struct SelectorError {
    /// What is wrong, in lower case.
    pub message: String,
    /// Where it begins: characters from 1.
    pub column: usize,
    /// How many characters it takes, at least 1.
    pub width: usize,
}

/// Characters of the text before and after the place that are shown.
const SHOWN: usize = 60;

impl SelectorError {
    pub(super) fn new(message: impl Into<String>, column: usize, width: usize) -> Self {
        Self { message: message.into(), column, width: width.max(1) }
    }

    /// The text with a line below that points at the place, for a terminal.
    pub fn with_caret(&self, text: &str) -> String {
        let before = self.column.saturating_sub(1);
        let skipped = before.saturating_sub(SHOWN);
        let line: String = text
            .chars()
            .skip(skipped)
            .take(before - skipped + self.width + SHOWN)
            .map(|c| if c.is_control() { ' ' } else { c })
            .collect();
        let carets = "^".repeat(self.width.min(SHOWN));
        format!("{line}\n{}{carets} {}", " ".repeat(before - skipped), self.message)
    }
}
