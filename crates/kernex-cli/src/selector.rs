//! Selectors as arguments: what is wrong is shown where it is, before anything is sent.

use kernex_core::Selector;

/// Reads a selector and gives it back as it was written.
pub(crate) fn parse(text: &str) -> Result<String, String> {
    match text.parse::<Selector>() {
        Ok(_) => Ok(text.to_owned()),
        Err(error) => {
            let shown = error.with_caret(text);
            Err(shown.lines().fold(String::new(), |all, line| format!("{all}\n    {line}")))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_place_of_a_mistake_is_pointed_at() {
        assert_eq!(parse("site=berlin  x").as_deref(), Ok("site=berlin  x"));
        let shown = parse("site=").unwrap_err();
        assert_eq!(shown, "\n    site=\n         ^ a value is expected here");
    }
}
