//! From text to tree, by recursive descent: `or` over `and` over `not`, parentheses and tests. Words that stand side by side
//! are joined by `and`.

use super::{
    Bound, Expr, Field, MAX_DEPTH, MAX_TESTS, Order, SelectorError, Test, VersionBound,
    lexer::{self, Kind, Sign, Token},
};
use crate::{BundleName, BundleVersion, DeviceId, DeviceStatus};

/// As long as a tag's value may be.
const MAX_VALUE_BYTES: usize = 256;

pub(super) fn parse(text: &str) -> Result<Expr, SelectorError> {
    let mut parser = Parser { tokens: lexer::tokens(text)?, at: 0, depth: 0, tests: 0 };
    if parser.peek().kind == Kind::End {
        return Err(parser.peek().error("a selector must say something; `*` means every device"));
    }
    let expr = parser.disjunction()?;
    match &parser.peek().kind {
        Kind::End => Ok(expr),
        Kind::Close => Err(parser.peek().error("this `)` closes nothing")),
        _ => Err(parser.peek().error("`and`, `or` or the end is expected here")),
    }
}

struct Parser {
    /// Never empty: the last one is the end.
    tokens: Vec<Token>,
    at: usize,
    depth: usize,
    tests: usize,
}

impl Parser {
    fn peek(&self) -> &Token {
        &self.tokens[self.at.min(self.tokens.len() - 1)]
    }

    fn peek_second(&self) -> &Token {
        &self.tokens[(self.at + 1).min(self.tokens.len() - 1)]
    }

    fn next(&mut self) -> Token {
        let token = self.peek().clone();
        self.at += 1;
        token
    }

    fn take(&mut self, keyword: &str) -> bool {
        let found = self.peek().is(keyword);
        self.at += usize::from(found);
        found
    }

    fn disjunction(&mut self) -> Result<Expr, SelectorError> {
        let mut parts = vec![self.conjunction()?];
        while self.take("or") {
            parts.push(self.conjunction()?);
        }
        Ok(if parts.len() == 1 { parts.remove(0) } else { Expr::any(parts) })
    }

    fn conjunction(&mut self) -> Result<Expr, SelectorError> {
        let mut parts = vec![self.unary()?];
        while self.take("and") || self.begins_a_test() {
            parts.push(self.unary()?);
        }
        Ok(if parts.len() == 1 { parts.remove(0) } else { Expr::all(parts) })
    }

    /// Whether what follows is a test although no `and` stands before it.
    fn begins_a_test(&self) -> bool {
        match &self.peek().kind {
            Kind::Word(_) => !self.peek().is("or") && !self.peek().is("in"),
            Kind::Quoted(_) | Kind::Open => true,
            _ => false,
        }
    }

    fn unary(&mut self) -> Result<Expr, SelectorError> {
        let begin = self.peek().clone();
        let negated = self.peek().is("not");
        if !negated && begin.kind != Kind::Open {
            return self.test();
        }
        self.depth += 1;
        if self.depth > MAX_DEPTH {
            return Err(
                begin.error(format!("more than {MAX_DEPTH} parentheses and `not` within one another"))
            );
        }
        self.at += 1;
        let expr = if negated { self.unary()?.negated() } else { self.parenthesized(&begin)? };
        self.depth -= 1;
        Ok(expr)
    }

    fn parenthesized(&mut self, open: &Token) -> Result<Expr, SelectorError> {
        if self.peek().kind == Kind::Close {
            return Err(self.peek().error("there is nothing between the parentheses"));
        }
        let expr = self.disjunction()?;
        match self.next().kind {
            Kind::Close => Ok(expr),
            Kind::End => Err(open.error("this `(` is never closed")),
            _ => {
                self.at -= 1;
                Err(self.peek().error("`and`, `or` or `)` is expected here"))
            }
        }
    }

    fn test(&mut self) -> Result<Expr, SelectorError> {
        let begin = self.next();
        let sign = match &self.peek().kind {
            Kind::Sign(sign) => Some(*sign),
            _ => None,
        };
        let word = match &begin.kind {
            Kind::Word(word) if lexer::is_keyword(word) && sign.is_none() => {
                return Err(begin.error(format!(
                    "`{word}` needs a test before and after it; as a text it stands in quotes"
                )));
            }
            Kind::Word(word) => word.clone(),
            Kind::Quoted(_) if sign.is_some() => {
                return Err(begin.error("a field stands without quotes; a tag's key too"));
            }
            Kind::Quoted(text) => {
                let text = text.clone();
                return self.free_text(&begin, text);
            }
            _ => {
                return Err(
                    begin.error("a test is expected here, such as site=berlin, or a text to look for")
                );
            }
        };
        if let Some(sign) = sign {
            self.at += 1;
            let field = Field::parse(&word).map_err(|message| begin.error(message))?;
            return self.comparison(&begin, field, sign);
        }
        let negated = self.peek().is("not") && self.peek_second().is("in");
        if negated || self.peek().is("in") && self.peek_second().kind == Kind::Open {
            self.at += 1 + usize::from(negated);
            let field = Field::parse(&word).map_err(|message| begin.error(message))?;
            let list = self.membership(&begin, field)?;
            return Ok(if negated { list.negated() } else { list });
        }
        if word == "*" {
            return Ok(Expr::Everything);
        }
        if word.contains('*') {
            return Err(
                begin.error("free text finds parts of words by itself: leave the `*` out, or quote it")
            );
        }
        self.free_text(&begin, word)
    }

    fn free_text(&mut self, begin: &Token, text: String) -> Result<Expr, SelectorError> {
        if text.is_empty() {
            return Err(begin.error("the text to look for is empty"));
        }
        self.count(begin)?;
        check_length(begin, &text)?;
        Ok(Expr::Test(Test::Text(text)))
    }

    fn comparison(&mut self, begin: &Token, field: Field, sign: Sign) -> Result<Expr, SelectorError> {
        let can = field.abilities();
        let (allowed, signs) = match sign {
            Sign::Equal | Sign::NotEqual => (can.equality || can.existence, "= and !="),
            Sign::Contains => (can.containment, "~"),
            Sign::Order(_) => (can.order, "< <= > >="),
        };
        if !allowed {
            return Err(begin.error(format!("`{field}` cannot be compared by {signs}; {}", possible(&field))));
        }
        let value_token = self.next();
        let value = value(&value_token)?;
        self.count(begin)?;
        let test = match sign {
            Sign::Equal | Sign::NotEqual if value_token.is("*") => exists(&value_token, field)?,
            Sign::Equal | Sign::NotEqual => one_of(&value_token, field, vec![value])?,
            Sign::Contains if value.is_empty() => {
                return Err(value_token.error("the text to look for is empty"));
            }
            Sign::Contains => Test::Contains { field, text: value },
            Sign::Order(order) => ordered(&value_token, field, order, &value)?,
        };
        let test = Expr::Test(test);
        Ok(if sign == Sign::NotEqual { test.negated() } else { test })
    }

    /// The list behind `in`.
    fn membership(&mut self, begin: &Token, field: Field) -> Result<Expr, SelectorError> {
        if !field.abilities().equality {
            return Err(begin.error(format!("`{field}` cannot be compared by in; {}", possible(&field))));
        }
        let open = self.next();
        if open.kind != Kind::Open {
            return Err(open.error("a list in parentheses is expected after `in`: site in (berlin, paris)"));
        }
        let mut values = Vec::new();
        loop {
            let token = self.next();
            if token.is("*") {
                return Err(token.error("`*` is no value of a list; quote it if it is meant as a text"));
            }
            let value = value(&token)?;
            self.count(&token)?;
            if !values.contains(&checked(&token, &field, value.clone())?) {
                values.push(checked(&token, &field, value)?);
            }
            let token = self.next();
            match token.kind {
                Kind::Comma => {}
                Kind::Close => return Ok(Expr::Test(Test::OneOf { field, values })),
                Kind::End => return Err(open.error("this `(` is never closed")),
                _ => return Err(token.error("`,` or `)` is expected in a list")),
            }
        }
    }

    fn count(&mut self, token: &Token) -> Result<(), SelectorError> {
        self.tests += 1;
        if self.tests > MAX_TESTS {
            return Err(token.error(format!("more than {MAX_TESTS} tests and values")));
        }
        Ok(())
    }
}

fn value(token: &Token) -> Result<String, SelectorError> {
    let text = match &token.kind {
        Kind::Word(word) if lexer::is_keyword(word) => {
            return Err(token.error(format!("`{word}` must stand in quotes to be a value")));
        }
        Kind::Word(word) if word.contains('*') && word != "*" => {
            return Err(token.error(
                "`*` stands alone and means any value; a part is found by `~`, and `*` itself in quotes",
            ));
        }
        Kind::Word(text) | Kind::Quoted(text) => text.clone(),
        _ => return Err(token.error("a value is expected here")),
    };
    check_length(token, &text)?;
    Ok(text)
}

fn check_length(token: &Token, text: &str) -> Result<(), SelectorError> {
    if text.len() > MAX_VALUE_BYTES {
        return Err(token.error(format!("a value has at most {MAX_VALUE_BYTES} bytes")));
    }
    Ok(())
}

fn exists(token: &Token, field: Field) -> Result<Test, SelectorError> {
    if field.abilities().existence {
        return Ok(Test::Exists(field));
    }
    Err(token.error(format!("every device has `{field}`, or it cannot be asked for; {}", possible(&field))))
}

fn one_of(token: &Token, field: Field, values: Vec<String>) -> Result<Test, SelectorError> {
    if !field.abilities().equality {
        return Err(token.error(format!("`{field}` is a time: compare it by < or >, as in {field}<2h")));
    }
    let values = values.into_iter().map(|value| checked(token, &field, value)).collect::<Result<_, _>>()?;
    Ok(Test::OneOf { field, values })
}

/// A value that the field can have at all.
fn checked(token: &Token, field: &Field, value: String) -> Result<String, SelectorError> {
    let wrong = |message: String| token.error(message);
    match field {
        Field::Id => match value.parse::<DeviceId>() {
            Ok(id) => return Ok(id.to_string()),
            Err(_) => {
                return Err(wrong(format!(
                    "`{value}` is no device id; the beginning of one is found as free text"
                )));
            }
        },
        Field::Status => {
            value.parse::<DeviceStatus>().map_err(|error| wrong(error.to_string()))?;
        }
        Field::BundleName => {
            value.parse::<BundleName>().map_err(|error| wrong(error.to_string()))?;
        }
        Field::BundleVersion(_) => {
            value.parse::<BundleVersion>().map_err(|error| wrong(error.to_string()))?;
        }
        _ => {}
    }
    Ok(value)
}

fn ordered(token: &Token, field: Field, order: Order, value: &str) -> Result<Test, SelectorError> {
    if field.is_time() {
        let bound = Bound::parse(value).ok_or_else(|| {
            token.error(format!("`{value}` is no age such as 90s, 2h or 7d, and no time such as 2026-01-31"))
        })?;
        return Ok(Test::Time { field, order, bound });
    }
    let bound = VersionBound::new(value).ok_or_else(|| {
        token.error(format!("`{value}` has no place in the order of versions; 1.4 or 2.0.0-rc.1 has"))
    })?;
    Ok(Test::Version { field, order, bound })
}

fn possible(field: &Field) -> String {
    let can = field.abilities();
    let mut ways = Vec::new();
    if can.equality {
        ways.push("= != in");
    }
    if can.order {
        ways.push("< <= > >=");
    }
    if can.containment {
        ways.push("~");
    }
    if can.existence {
        ways.push("=*");
    }
    format!("possible is {}", ways.join(" "))
}
