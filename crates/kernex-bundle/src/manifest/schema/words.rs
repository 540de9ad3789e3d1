//! What is wrong with a manifest, as a sentence for who wrote it.

use serde_json::Value;

use crate::manifest::error::cut;

/// What a value does not follow.
#[derive(Clone, Copy, Debug)]
pub(super) enum Keyword<'a> {
    Type,
    Enum(&'a [Value]),
    MaxLength,
    MinLength,
    Pattern,
    Minimum,
    Maximum,
    MaxItems,
    MinItems,
    MaxProperties,
    AdditionalProperties(&'a str),
    Required(&'a str),
    PropertyNames(&'a str),
    OneOf,
}

/// The finding; the schema says in words what its patterns mean.
pub(super) fn sentence(keyword: Keyword<'_>, value: &Value, schema: &Value) -> String {
    let limit = |keyword: &str| schema.get(keyword).map(ToString::to_string).unwrap_or_default();
    match keyword {
        Keyword::Type => format!("is {}, needed is {}", type_name(value), wanted_type(schema)),
        Keyword::Enum(options) => format!("{} is none of {}", short(value), list(options)),
        Keyword::MaxLength => format!("{} characters, at most {} allowed", length(value), limit("maxLength")),
        Keyword::MinLength | Keyword::MinItems => "must not be empty".to_owned(),
        Keyword::Pattern => format!("{} is not allowed, needed is {}", short(value), description(schema)),
        Keyword::Minimum => format!("{} is too small, at least {} needed", short(value), limit("minimum")),
        Keyword::Maximum => format!("{} is too large, at most {} allowed", short(value), limit("maximum")),
        Keyword::MaxItems => format!("{} entries, at most {} allowed", length(value), limit("maxItems")),
        Keyword::MaxProperties => {
            format!("{} entries, at most {} allowed", length(value), limit("maxProperties"))
        }
        Keyword::AdditionalProperties(name) => {
            format!("unknown field `{}`; data of your own belongs in metadata", cut(name))
        }
        Keyword::Required(name) => format!("{name} is missing"),
        Keyword::PropertyNames(name) => {
            let of_names = schema.get("propertyNames").unwrap_or(&Value::Null);
            format!("`{}` is not allowed as a name: {}", cut(name), description(of_names))
        }
        Keyword::OneOf => "needs exactly one of http, tcp and command".to_owned(),
    }
}

fn description(schema: &Value) -> &str {
    schema.get("description").and_then(Value::as_str).unwrap_or("another form")
}

fn wanted_type(schema: &Value) -> &'static str {
    let first = match schema.get("type") {
        Some(Value::Array(types)) => types.first(),
        other => other,
    };
    match first.and_then(Value::as_str) {
        Some("string") => "a string",
        Some("integer") => "a whole number",
        Some("number") => "a number",
        Some("boolean") => "true or false",
        Some("array") => "a list",
        Some("object") => "an object",
        _ => "another type",
    }
}

fn type_name(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "true or false",
        Value::Number(n) if n.is_f64() => "a number with a fraction",
        Value::Number(_) => "a number",
        Value::String(_) => "a string",
        Value::Array(_) => "a list",
        Value::Object(_) => "an object",
    }
}

fn length(value: &Value) -> usize {
    match value {
        Value::String(text) => text.chars().count(),
        Value::Array(items) => items.len(),
        Value::Object(fields) => fields.len(),
        _ => 0,
    }
}

fn short(value: &Value) -> String {
    match value {
        Value::String(text) => format!("`{}`", cut(text)),
        Value::Number(number) => cut(&number.to_string()),
        other => type_name(other).to_owned(),
    }
}

fn list(options: &[Value]) -> String {
    options.iter().filter_map(Value::as_str).collect::<Vec<_>>().join(", ")
}
