//! Words and signs of a selector's text.

use super::{MAX_SELECTOR_BYTES, SelectorError};

/// A sign between a field and a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Sign {
    Equal,
    NotEqual,
    Contains,
    Order(super::Order),
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// As written, without quotes.
    Word(String),
    /// What stood between quotes.
    Quoted(String),
    Sign(Sign),
    Open,
    Close,
    Comma,
    End,
}

#[derive(Clone, Debug)]
pub(super) struct Token {
    pub(super) kind: Kind,
    /// Characters from 1.
    pub(super) column: usize,
    pub(super) width: usize,
}

impl Token {
    pub(super) fn error(&self, message: impl Into<String>) -> SelectorError {
        SelectorError::new(message, self.column, self.width)
    }

    /// Whether it is this word of the language.
    pub(super) fn is(&self, keyword: &str) -> bool {
        matches!(&self.kind, Kind::Word(word) if word.eq_ignore_ascii_case(keyword))
    }
}

/// Whether a word means something in the language, so that it must be quoted to be itself.
pub(super) fn is_keyword(word: &str) -> bool {
    ["and", "or", "not", "in"].iter().any(|keyword| word.eq_ignore_ascii_case(keyword))
}

/// Whether a character can stand in a word without quotes.
pub(super) fn is_word_char(c: char) -> bool {
    !c.is_whitespace() && !c.is_control() && !"()=!<>~,\"".contains(c)
}

pub(super) fn tokens(text: &str) -> Result<Vec<Token>, SelectorError> {
    if text.len() > MAX_SELECTOR_BYTES {
        let message =
            format!("a selector has at most {MAX_SELECTOR_BYTES} bytes, this one has {}", text.len());
        return Err(SelectorError::new(message, 1, 1));
    }
    let chars: Vec<char> = text.chars().collect();
    let mut tokens = Vec::new();
    let mut at = 0;
    while at < chars.len() {
        if chars[at].is_whitespace() {
            at += 1;
            continue;
        }
        let (kind, width) = token(&chars, at)?;
        tokens.push(Token { kind, column: at + 1, width });
        at += width;
    }
    tokens.push(Token { kind: Kind::End, column: chars.len() + 1, width: 1 });
    Ok(tokens)
}

fn token(chars: &[char], at: usize) -> Result<(Kind, usize), SelectorError> {
    use super::Order::{AtLeast, AtMost, Greater, Less};
    let followed_by_equal = chars.get(at + 1) == Some(&'=');
    Ok(match chars[at] {
        '(' => (Kind::Open, 1),
        ')' => (Kind::Close, 1),
        ',' => (Kind::Comma, 1),
        '=' if followed_by_equal => (Kind::Sign(Sign::Equal), 2),
        '=' => (Kind::Sign(Sign::Equal), 1),
        '~' => (Kind::Sign(Sign::Contains), 1),
        '!' if followed_by_equal => (Kind::Sign(Sign::NotEqual), 2),
        '!' => {
            return Err(SelectorError::new(
                "`!` stands only in `!=`; the opposite of a test is `not`",
                at + 1,
                1,
            ));
        }
        '<' if followed_by_equal => (Kind::Sign(Sign::Order(AtMost)), 2),
        '<' => (Kind::Sign(Sign::Order(Less)), 1),
        '>' if followed_by_equal => (Kind::Sign(Sign::Order(AtLeast)), 2),
        '>' => (Kind::Sign(Sign::Order(Greater)), 1),
        quote @ ('"' | '\'') => quoted(chars, at, quote)?,
        c if c.is_control() => {
            return Err(SelectorError::new("a control character is not allowed", at + 1, 1));
        }
        _ => {
            let word: String = chars[at..].iter().take_while(|c| is_word_char(**c)).collect();
            let width = word.chars().count();
            (Kind::Word(word), width)
        }
    })
}

/// A text between quotes of the same kind, in which a backslash makes the next quote or backslash an ordinary character.
fn quoted(chars: &[char], start: usize, quote: char) -> Result<(Kind, usize), SelectorError> {
    let mut text = String::new();
    let mut at = start + 1;
    while let Some(&c) = chars.get(at) {
        match c {
            c if c == quote => return Ok((Kind::Quoted(text), at + 1 - start)),
            '\\' => match chars.get(at + 1) {
                Some(&escaped @ ('"' | '\'' | '\\')) => {
                    text.push(escaped);
                    at += 1;
                }
                _ => {
                    let message = r#"`\` in quotes stands before a quote or another `\`; write `\\` for one"#;
                    return Err(SelectorError::new(message, at + 1, 1));
                }
            },
            c if c.is_control() => {
                return Err(SelectorError::new("a control character is not allowed", at + 1, 1));
            }
            c => text.push(c),
        }
        at += 1;
    }
    Err(SelectorError::new("this quote is never closed", start + 1, 1))
}
