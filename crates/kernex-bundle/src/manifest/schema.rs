//! The published JSON Schema, and its findings as sentences.

use std::sync::LazyLock;

use jsonschema::{ValidationError, Validator, error::ValidationErrorKind};
use serde_json::Value;

use super::error::{ManifestError, cut};

/// The manifest's JSON Schema (2020-12), as it is published.
pub const MANIFEST_SCHEMA: &str = include_str!("../../schema/manifest.json");

static SCHEMA: LazyLock<Value> =
    LazyLock::new(|| serde_json::from_str(MANIFEST_SCHEMA).expect("the schema in this crate is JSON"));

static VALIDATOR: LazyLock<Validator> = LazyLock::new(|| {
    jsonschema::draft202012::new(&SCHEMA).expect("the schema in this crate is a valid schema")
});

/// Checks a manifest; an error tells the first finding.
pub(super) fn check(manifest: &Value) -> Result<(), ManifestError> {
    if !manifest.is_object() {
        return Err(ManifestError::invalid("", "the manifest is not a JSON object"));
    }
    match VALIDATOR.validate(manifest) {
        Ok(()) => Ok(()),
        Err(error) => Err(ManifestError::Invalid {
            pointer: error.instance_path().as_str().to_owned(),
            reason: sentence(&error),
        }),
    }
}

fn sentence(error: &ValidationError<'_>) -> String {
    use ValidationErrorKind as Kind;
    let value = error.instance();
    match error.kind() {
        Kind::AdditionalProperties { unexpected } => {
            let name = unexpected.first().map_or("", String::as_str);
            format!("unknown field `{}`; data of your own belongs in metadata", cut(name))
        }
        Kind::Required { property } => format!("{} is missing", property.as_str().unwrap_or("a field")),
        Kind::MaxLength { limit } => format!("{} characters, at most {limit} allowed", length(value)),
        Kind::MinLength { .. } | Kind::MinItems { .. } => "must not be empty".to_owned(),
        Kind::MaxItems { limit } => format!("{} entries, at most {limit} allowed", length(value)),
        Kind::MaxProperties { limit } => format!("{} entries, at most {limit} allowed", length(value)),
        Kind::Minimum { limit } => format!("{} is too small, at least {limit} needed", short(value)),
        Kind::Maximum { limit } => format!("{} is too large, at most {limit} allowed", short(value)),
        Kind::Type { .. } => format!("is {}, needed is {}", type_name(value), wanted_type(error)),
        Kind::Enum { options } => format!("{} is none of {}", short(value), list(options)),
        Kind::PropertyNames { error } => {
            format!("{} is not allowed as a name: {}", short(error.instance()), description(error))
        }
        Kind::OneOfNotValid { .. } | Kind::OneOfMultipleValid { .. } => {
            "needs exactly one of http, tcp and command".to_owned()
        }
        Kind::Pattern { .. } | Kind::Not { .. } => {
            format!("{} is not allowed, needed is {}", short(value), description(error))
        }
        other => format!("does not follow the schema ({})", other.keyword()),
    }
}

/// The `description` beside the keyword that failed: the schema says in words what its patterns mean.
fn description(error: &ValidationError<'_>) -> String {
    let keyword = error.schema_path().as_str();
    let parent = keyword.rsplit_once('/').map_or("", |(parent, _)| parent);
    let text = SCHEMA.pointer(&parent.replace("/$ref", "")).and_then(|schema| schema.get("description"));
    text.and_then(Value::as_str).unwrap_or("another form").to_owned()
}

fn wanted_type(error: &ValidationError<'_>) -> String {
    let wanted = SCHEMA.pointer(error.schema_path().as_str());
    let first = match wanted {
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
    .to_owned()
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

fn list(options: &Value) -> String {
    let options = options.as_array().into_iter().flatten().filter_map(Value::as_str);
    options.collect::<Vec<_>>().join(", ")
}
