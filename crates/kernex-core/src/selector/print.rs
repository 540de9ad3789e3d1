//! The canonical form: what is printed is read back as the same selector.

use std::fmt::{self, Write as _};

use super::{Expr, Test, lexer};

pub(super) fn print(expr: &Expr, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    match expr {
        Expr::Everything => f.write_char('*'),
        Expr::And(parts) => list(parts, " and ", f),
        Expr::Or(parts) => list(parts, " or ", f),
        Expr::Not(inner) => negated(inner, f),
        Expr::Test(test) => print_test(test, "", f),
    }
}

fn list(parts: &[Expr], between: &str, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    for (place, part) in parts.iter().enumerate() {
        if place > 0 {
            f.write_str(between)?;
        }
        // `and` binds more tightly, so a conjunction in a disjunction needs no parentheses.
        let alone = matches!(part, Expr::Or(_)) || matches!(part, Expr::And(_)) && between == " and ";
        if alone { parenthesized(part, f)? } else { print(part, f)? }
    }
    Ok(())
}

fn negated(inner: &Expr, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    match inner {
        Expr::Test(test @ (Test::OneOf { .. } | Test::Exists(_))) => print_test(test, "!", f),
        Expr::And(_) | Expr::Or(_) => {
            f.write_str("not ")?;
            parenthesized(inner, f)
        }
        _ => {
            f.write_str("not ")?;
            print(inner, f)
        }
    }
}

fn parenthesized(expr: &Expr, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    f.write_char('(')?;
    print(expr, f)?;
    f.write_char(')')
}

fn print_test(test: &Test, not: &str, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    match test {
        Test::Text(text) => write!(f, "{}", Quoted(text)),
        Test::Exists(field) => write!(f, "{field}{not}=*"),
        Test::OneOf { field, values } if values.len() == 1 => {
            write!(f, "{field}{not}={}", Quoted(&values[0]))
        }
        Test::OneOf { field, values } => {
            write!(f, "{field} {}in (", if not.is_empty() { "" } else { "not " })?;
            for (place, value) in values.iter().enumerate() {
                write!(f, "{}{}", if place > 0 { ", " } else { "" }, Quoted(value))?;
            }
            f.write_char(')')
        }
        Test::Contains { field, text } => write!(f, "{field}~{}", Quoted(text)),
        Test::Version { field, order, bound } => {
            write!(f, "{field}{}{}", order.as_str(), Quoted(bound.as_str()))
        }
        Test::Time { field, order, bound } => write!(f, "{field}{}{bound}", order.as_str()),
    }
}

/// A value, in quotes where it would be read as something else without them.
struct Quoted<'a>(&'a str);

impl fmt::Display for Quoted<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let plain = !self.0.is_empty()
            && !self.0.contains('*')
            && !self.0.starts_with('\'')
            && !lexer::is_keyword(self.0)
            && self.0.chars().all(lexer::is_word_char);
        if plain {
            return f.write_str(self.0);
        }
        f.write_char('"')?;
        for c in self.0.chars() {
            if c == '"' || c == '\\' {
                f.write_char('\\')?;
            }
            f.write_char(c)?;
        }
        f.write_char('"')
    }
}
