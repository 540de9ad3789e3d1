//! Licence expressions: `MIT OR (Apache-2.0 AND ISC)`.

/// Whether the expression can be satisfied with licences that `allows` accepts; what cannot be read is not.
pub(super) fn is_allowed(expression: &str, allows: &dyn Fn(&str) -> bool) -> bool {
    let spaced = expression.replace('(', " ( ").replace(')', " ) ").replace('/', " OR ");
    let mut words = spaced.split_whitespace().peekable();
    let outcome = any(&mut words, allows);
    outcome == Some(true) && words.next().is_none()
}

type Words<'a> = std::iter::Peekable<std::str::SplitWhitespace<'a>>;

fn any(words: &mut Words<'_>, allows: &dyn Fn(&str) -> bool) -> Option<bool> {
    let mut outcome = all(words, allows)?;
    while words.next_if_eq(&"OR").is_some() {
        outcome |= all(words, allows)?;
    }
    Some(outcome)
}

fn all(words: &mut Words<'_>, allows: &dyn Fn(&str) -> bool) -> Option<bool> {
    let mut outcome = one(words, allows)?;
    while words.next_if_eq(&"AND").is_some() {
        outcome &= one(words, allows)?;
    }
    Some(outcome)
}

fn one(words: &mut Words<'_>, allows: &dyn Fn(&str) -> bool) -> Option<bool> {
    match words.next()? {
        "(" => {
            let outcome = any(words, allows)?;
            words.next_if_eq(&")").map(|_| outcome)
        }
        ")" | "OR" | "AND" | "WITH" => None,
        licence => Some(match words.next_if_eq(&"WITH") {
            Some(_) => allows(&format!("{licence} WITH {}", words.next()?)),
            None => allows(licence),
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn expressions_are_read_with_the_usual_precedence() {
        let allows = |licence: &str| ["MIT", "ISC", "Apache-2.0 WITH LLVM-exception"].contains(&licence);
        for (expression, expected) in [
            ("MIT", true),
            ("GPL-3.0-only", false),
            ("MIT OR GPL-3.0-only", true),
            ("MIT/GPL-3.0-only", true),
            ("MIT AND GPL-3.0-only", false),
            ("GPL-3.0-only AND BSD OR MIT", true),
            ("GPL-3.0-only AND (BSD OR MIT)", false),
            ("ISC AND (GPL-3.0-only OR MIT)", true),
            ("Apache-2.0 WITH LLVM-exception", true),
            ("Apache-2.0", false),
            ("(MIT", false),
            ("MIT MIT", false),
            ("", false),
        ] {
            assert_eq!(is_allowed(expression, &allows), expected, "{expression}");
        }
    }
}
