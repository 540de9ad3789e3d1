//! The published JSON Schema, checked by a reader of our own, and its findings as sentences.
//!
//! The schema uses a small part of JSON Schema, and every device carries what reads it: a library for all of it would be a fifth
//! of the agent. Tests see to it that the schema uses nothing that is not read here, and that both come to the same
//! conclusions about the same manifests.

mod pattern;
mod words;

use std::sync::LazyLock;

use serde_json::{Map, Value};

use super::error::ManifestError;
use words::{Keyword, sentence};

/// The manifest's JSON Schema (2020-12), as it is published.
pub const MANIFEST_SCHEMA: &str = include_str!("../../schema/manifest.json");

static SCHEMA: LazyLock<Value> =
    LazyLock::new(|| serde_json::from_str(MANIFEST_SCHEMA).expect("the schema in this crate is JSON"));

/// Checks a manifest; an error tells the first finding.
pub(super) fn check(manifest: &Value) -> Result<(), ManifestError> {
    if !manifest.is_object() {
        return Err(ManifestError::invalid("", "the manifest is not a JSON object"));
    }
    check_value(manifest, &SCHEMA, "")
}

/// Checks a value, and what is in it, against a part of the schema.
fn check_value(value: &Value, schema: &Value, pointer: &str) -> Result<(), ManifestError> {
    let schema = resolve(schema);
    if let Some(keyword) = broken_keyword(value, schema) {
        let reason = sentence(keyword, value, schema);
        return Err(ManifestError::Invalid { pointer: pointer.to_owned(), reason });
    }
    match value {
        Value::Object(fields) => check_fields(fields, schema, pointer),
        Value::Array(items) => match schema.get("items") {
            Some(of_items) => items
                .iter()
                .enumerate()
                .try_for_each(|(index, item)| check_value(item, of_items, &format!("{pointer}/{index}"))),
            None => Ok(()),
        },
        _ => Ok(()),
    }
}

fn check_fields(fields: &Map<String, Value>, schema: &Value, pointer: &str) -> Result<(), ManifestError> {
    for (name, value) in fields {
        let of_field = schema.pointer(&format!("/properties/{}", escaped(name)));
        let of_field =
            of_field.or_else(|| schema.get("additionalProperties").filter(|other| other.is_object()));
        if let Some(of_field) = of_field {
            check_value(value, of_field, &format!("{pointer}/{}", escaped(name)))?;
        }
    }
    Ok(())
}

/// The first keyword that a value does not follow by itself, whatever is in it.
fn broken_keyword<'a>(value: &'a Value, schema: &'a Value) -> Option<Keyword<'a>> {
    let limit = |keyword: &str| schema.get(keyword).and_then(Value::as_u64);
    if schema.get("type").is_some_and(|types| !is_of_type(value, types)) {
        return Some(Keyword::Type);
    }
    if let Some(options) =
        schema.get("enum").and_then(Value::as_array).filter(|options| !options.contains(value))
    {
        return Some(Keyword::Enum(options));
    }
    match value {
        Value::String(text) => broken_by_text(text, schema),
        Value::Number(number) => {
            let number = number.as_f64().unwrap_or(f64::NAN);
            let bound = |keyword: &str| schema.get(keyword).and_then(Value::as_f64);
            let least = bound("minimum").filter(|least| number < *least).map(|_| Keyword::Minimum);
            least.or_else(|| bound("maximum").filter(|most| number > *most).map(|_| Keyword::Maximum))
        }
        Value::Array(items) => {
            let is_longer = limit("maxItems").is_some_and(|most| items.len() as u64 > most);
            let is_shorter = limit("minItems").is_some_and(|least| (items.len() as u64) < least);
            is_longer.then_some(Keyword::MaxItems).or(is_shorter.then_some(Keyword::MinItems))
        }
        Value::Object(fields) => broken_by_fields(fields, schema),
        Value::Null | Value::Bool(_) => None,
    }
}

fn broken_by_text(text: &str, schema: &Value) -> Option<Keyword<'static>> {
    let limit = |keyword: &str| schema.get(keyword).and_then(Value::as_u64);
    let length = text.chars().count() as u64;
    if limit("maxLength").is_some_and(|most| length > most) {
        return Some(Keyword::MaxLength);
    }
    if limit("minLength").is_some_and(|least| length < least) {
        return Some(Keyword::MinLength);
    }
    let is_other =
        schema.get("pattern").and_then(Value::as_str).is_some_and(|pattern| !pattern::matches(pattern, text));
    let excluded = schema.pointer("/not/enum").and_then(Value::as_array);
    let is_excluded = excluded.is_some_and(|texts| texts.iter().any(|excluded| excluded == text));
    (is_other || is_excluded).then_some(Keyword::Pattern)
}

fn broken_by_fields<'a>(fields: &'a Map<String, Value>, schema: &'a Value) -> Option<Keyword<'a>> {
    let properties = schema.get("properties").and_then(Value::as_object);
    let is_known = |name: &String| properties.is_some_and(|known| known.contains_key(name));
    if schema.get("additionalProperties") == Some(&Value::Bool(false))
        && let Some(name) = fields.keys().find(|name| !is_known(name))
    {
        return Some(Keyword::AdditionalProperties(name));
    }
    let required = schema.get("required").and_then(Value::as_array).into_iter().flatten();
    if let Some(name) = required.filter_map(Value::as_str).find(|name| !fields.contains_key(*name)) {
        return Some(Keyword::Required(name));
    }
    if schema.get("maxProperties").and_then(Value::as_u64).is_some_and(|most| fields.len() as u64 > most) {
        return Some(Keyword::MaxProperties);
    }
    if let Some(of_names) = schema.get("propertyNames")
        && let Some(name) = fields.keys().find(|name| broken_by_text(name, of_names).is_some())
    {
        return Some(Keyword::PropertyNames(name));
    }
    let ways = schema.pointer("/then/oneOf").and_then(Value::as_array)?;
    (ways.iter().filter(|way| follows(fields, way)).count() != 1).then_some(Keyword::OneOf)
}

/// Whether one of several ways is taken: its fields are there, each of its type.
fn follows(fields: &Map<String, Value>, way: &Value) -> bool {
    let required =
        way.get("required").and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str);
    let is_of_type = |name: &str| {
        let types = way.pointer(&format!("/properties/{name}/type"));
        fields.get(name).is_some_and(|value| types.is_none_or(|types| is_of_type(value, types)))
    };
    required.into_iter().all(is_of_type)
}

/// What a reference leads to; nothing stands beside one but remarks.
fn resolve(schema: &Value) -> &Value {
    let target = schema.get("$ref").and_then(Value::as_str).and_then(|path| path.strip_prefix('#'));
    target.and_then(|path| SCHEMA.pointer(path)).unwrap_or(schema)
}

fn is_of_type(value: &Value, types: &Value) -> bool {
    let is_one = |name: &str| match (name, value) {
        ("null", Value::Null) | ("boolean", Value::Bool(_)) | ("string", Value::String(_)) => true,
        ("array", Value::Array(_)) | ("object", Value::Object(_)) | ("number", Value::Number(_)) => true,
        // 2.0 is a whole number.
        ("integer", Value::Number(number)) => {
            !number.is_f64() || number.as_f64().is_some_and(|number| number.fract() == 0.0)
        }
        _ => false,
    };
    match types {
        Value::Array(types) => types.iter().filter_map(Value::as_str).any(is_one),
        one => one.as_str().is_some_and(is_one),
    }
}

/// A name as a step of a JSON pointer.
fn escaped(name: &str) -> String {
    name.replace('~', "~0").replace('/', "~1")
}

#[cfg(test)]
mod tests;
