//! The one language that says which devices are meant: `site=berlin and model!=jetson and bundle.version<1.4`.
//!
//! List filters, groups, deployments and limited rights all use it. A selector is parsed here, printed in one canonical form,
//! and evaluated against a device's facts; the store compiles the same tree to SQL, with the same result. What devices have
//! is compared byte by byte, except by `~` and free text, which ignore the case of a-z. `docs/selectors.md` is for operators.

mod error;
mod evaluate;
mod field;
mod lexer;
mod parser;
mod print;
mod test;

use std::{collections::BTreeSet, fmt, str::FromStr};

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use utoipa::ToSchema;

pub use error::SelectorError;
pub use evaluate::DeviceFacts;
pub use field::Field;
pub use test::{Bound, Order, Test, VersionBound};

/// Most bytes of a selector's text.
pub const MAX_SELECTOR_BYTES: usize = 2_000;
/// Most tests in a selector; each value of a list counts.
pub const MAX_TESTS: usize = 200;
/// Most parentheses and `not` within one another.
pub const MAX_DEPTH: usize = 16;

/// Which devices are meant.
#[derive(Clone, Debug, PartialEq, Eq, ToSchema)]
#[schema(value_type = String, max_length = 2000, example = "site=berlin and bundle.version<1.4 and status=online")]
pub struct Selector(Expr);

/// A selector as a tree. Made by [`Expr::all`], [`Expr::any`] and [`Expr::negated`], so that equal selectors have equal trees.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Expr {
    /// Every device: `*`.
    Everything,
    /// All of two or more, none of which is a conjunction itself.
    And(Vec<Expr>),
    /// One of two or more, none of which is a disjunction itself.
    Or(Vec<Expr>),
    /// The opposite.
    Not(Box<Expr>),
    /// One test.
    Test(Test),
}

impl Expr {
    /// All of these; everything when there are none.
    pub fn all(parts: Vec<Self>) -> Self {
        let mut flat = Vec::with_capacity(parts.len());
        for part in parts {
            match part {
                Self::And(inner) => flat.extend(inner),
                other => flat.push(other),
            }
        }
        match (flat.pop(), flat.is_empty()) {
            (None, _) => Self::Everything,
            (Some(only), true) => only,
            (Some(last), false) => {
                flat.push(last);
                Self::And(flat)
            }
        }
    }

    /// At least one of these; nothing when there are none.
    pub fn any(parts: Vec<Self>) -> Self {
        let mut flat = Vec::with_capacity(parts.len());
        for part in parts {
            match part {
                Self::Or(inner) => flat.extend(inner),
                other => flat.push(other),
            }
        }
        match (flat.pop(), flat.is_empty()) {
            (None, _) => Self::Everything.negated(),
            (Some(only), true) => only,
            (Some(last), false) => {
                flat.push(last);
                Self::Or(flat)
            }
        }
    }

    /// The opposite.
    #[must_use]
    pub fn negated(self) -> Self {
        Self::Not(Box::new(self))
    }

    fn visit(&self, look: &mut impl FnMut(&Test)) {
        match self {
            Self::Everything => {}
            Self::And(parts) | Self::Or(parts) => parts.iter().for_each(|part| part.visit(look)),
            Self::Not(inner) => inner.visit(look),
            Self::Test(test) => look(test),
        }
    }

    fn with_groups(&self, find: &impl Fn(&str) -> Option<Selector>) -> Self {
        let each = |parts: &[Self]| parts.iter().map(|part| part.with_groups(find)).collect();
        match self {
            Self::And(parts) => Self::all(each(parts)),
            Self::Or(parts) => Self::any(each(parts)),
            Self::Not(inner) => inner.with_groups(find).negated(),
            Self::Test(Test::OneOf { field: Field::Group, values }) => {
                let group = |name: &String| match find(name) {
                    Some(selector) => selector.0,
                    None => Self::Test(Test::OneOf { field: Field::Group, values: vec![name.clone()] }),
                };
                Self::any(values.iter().map(group).collect())
            }
            other => other.clone(),
        }
    }
}

impl Selector {
    /// Every device.
    pub const EVERYTHING: Self = Self(Expr::Everything);

    /// The tree.
    pub fn expr(&self) -> &Expr {
        &self.0
    }

    /// A selector of a tree that was put together by its constructors.
    pub fn from_expr(expr: Expr) -> Self {
        Self(expr)
    }

    /// Devices that carry this label.
    pub fn tag(key: &str, value: &str) -> Self {
        Self::one_of(Field::Tag(key.to_owned()), value)
    }

    /// Devices that free text finds.
    pub fn text(text: &str) -> Self {
        Self(Expr::Test(Test::Text(text.to_owned())))
    }

    /// Devices of this status.
    pub fn status(status: crate::DeviceStatus) -> Self {
        Self::one_of(Field::Status, status.as_str())
    }

    /// Devices of this group.
    pub fn group(name: &str) -> Self {
        Self::one_of(Field::Group, name)
    }

    fn one_of(field: Field, value: &str) -> Self {
        Self(Expr::Test(Test::OneOf { field, values: vec![value.to_owned()] }))
    }

    /// Devices that both mean.
    #[must_use]
    pub fn and(self, other: Self) -> Self {
        match (self.0, other.0) {
            (Expr::Everything, expr) | (expr, Expr::Everything) => Self(expr),
            (left, right) => Self(Expr::all(vec![left, right])),
        }
    }

    /// Whether it is `*`, which means every device without a look at it.
    pub fn is_everything(&self) -> bool {
        self.0 == Expr::Everything
    }

    /// The groups that it names.
    pub fn group_names(&self) -> BTreeSet<&str> {
        let mut names = Vec::new();
        collect_groups(&self.0, &mut names);
        names.into_iter().collect()
    }

    /// The same with named selectors in place of the groups that `find` gives one for. The others are lists of devices, and
    /// are asked for by name.
    #[must_use]
    pub fn with_groups(&self, find: impl Fn(&str) -> Option<Self>) -> Self {
        Self(self.0.with_groups(&find))
    }

    /// Whether the answer for a device may change without anything being written: its status or an age is asked for.
    pub fn depends_on_time(&self) -> bool {
        let mut depends = false;
        self.0.visit(&mut |test| {
            depends |= match test {
                Test::OneOf { field, .. } => *field == Field::Status,
                Test::Time { bound, .. } => matches!(bound, Bound::Age(_)),
                _ => false,
            };
        });
        depends
    }
}

fn collect_groups<'a>(expr: &'a Expr, names: &mut Vec<&'a str>) {
    match expr {
        Expr::And(parts) | Expr::Or(parts) => parts.iter().for_each(|part| collect_groups(part, names)),
        Expr::Not(inner) => collect_groups(inner, names),
        Expr::Test(Test::OneOf { field: Field::Group, values }) => {
            names.extend(values.iter().map(String::as_str));
        }
        Expr::Test(_) | Expr::Everything => {}
    }
}

impl FromStr for Selector {
    type Err = SelectorError;
    fn from_str(text: &str) -> Result<Self, SelectorError> {
        parser::parse(text).map(Self)
    }
}

impl fmt::Display for Selector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        print::print(&self.0, f)
    }
}

impl Serialize for Selector {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Selector {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        text.parse().map_err(|error| serde::de::Error::custom(format!("selector: {error}")))
    }
}

#[cfg(test)]
mod tests;
