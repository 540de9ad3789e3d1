use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::{super::error::ManifestError, MANIFEST_SCHEMA, SCHEMA, check, pattern::PATTERNS};

/// Remarks, which decide nothing.
const REMARKS: &[&str] = &["$schema", "$id", "$defs", "title", "description", "default", "deprecated"];
/// What is read.
const READ: &[&str] = &[
    "$ref",
    "additionalProperties",
    "enum",
    "if",
    "items",
    "maxItems",
    "maxLength",
    "maxProperties",
    "maximum",
    "minItems",
    "minLength",
    "minimum",
    "not",
    "oneOf",
    "pattern",
    "properties",
    "propertyNames",
    "required",
    "then",
    "type",
];

#[test]
fn the_schema_uses_nothing_that_is_not_read() {
    let mut patterns = BTreeSet::new();
    walk(&SCHEMA, &mut |schema| {
        for keyword in schema.keys() {
            assert!(READ.contains(&keyword.as_str()) || REMARKS.contains(&keyword.as_str()), "{keyword}");
        }
        patterns.extend(schema.get("pattern").and_then(Value::as_str).map(ToOwned::to_owned));
        // These are read in one form only.
        assert!(schema.get("if").is_none_or(|condition| *condition == json!({ "type": "object" })));
        assert!(
            schema
                .get("not")
                .is_none_or(|not| not.get("enum").is_some() && not.as_object().unwrap().len() == 1)
        );
        assert!(schema.get("then").is_none_or(|then| then.get("oneOf").is_some()));
    });
    assert_eq!(patterns, PATTERNS.iter().map(|(pattern, _)| (*pattern).to_owned()).collect());
}

/// Shows every part of the schema that is a schema.
fn walk(schema: &Value, see: &mut dyn FnMut(&serde_json::Map<String, Value>)) {
    let Some(fields) = schema.as_object() else { return };
    see(fields);
    for (keyword, below) in fields {
        match keyword.as_str() {
            "properties" | "$defs" => {
                below.as_object().unwrap().values().for_each(|schema| walk(schema, see));
            }
            "oneOf" => below.as_array().unwrap().iter().for_each(|schema| walk(schema, see)),
            "items" | "additionalProperties" | "propertyNames" | "then" => walk(below, see),
            _ => {}
        }
    }
}

/// Something in every field.
fn everything() -> Value {
    json!({
        "version": "1.2.0", "name": "default", "description": "d", "device_types": ["jetson"], "arch": ["aarch64"],
        "agent_version_min": "0.1.0", "agent_version_max": "2", "runtime_version_min": "v1.0", "runtime_version_max": "1.0.0-rc.1+b",
        "model": { "name": "q", "format": "gguf", "quantization": "Q4", "size_mb": 1024, "sha256": "x", "other": [1] },
        "deploy": { "script": "./deploy.sh", "timeout_secs": 300 }, "rollback": { "script": "r" },
        "workload": { "command": ["./serve", "x"], "restart": "no", "max_crashes": 3, "crash_window_secs": 300,
            "stop_timeout_secs": 1, "reload_signal": "SIGHUP" },
        "limits": { "memory_mb": 1, "cpu_pct": 200, "processes": 3, "open_files": 64, "file_size_mb": 5 },
        "metrics": { "prometheus": "http://127.0.0.1:1/metrics", "names": ["up"] },
        "health": { "http": "http://127.0.0.1:8080/health", "tcp": null, "interval_secs": 5, "timeout_secs": 5,
            "healthy_after": 3, "deadline_secs": 60 },
        "env": { "MAX_TOKENS": "2048" }, "env_vars": { "a_1": "" },
        "files": [{ "path": "a", "size_bytes": 1, "sha256": "0".repeat(64), "mode": "0755" }],
        "links": true, "metadata": { "anything": [1, null] }
    })
}

/// What may stand where something else should.
fn values() -> Vec<Value> {
    let texts = [
        "",
        ".",
        "..",
        "a",
        "A b",
        "a/b",
        "KERNEX_X",
        "KERNEX",
        "a_1",
        "1a",
        "ä",
        "no",
        "0644",
        "SIGUSR1",
        "a:1",
        ":1",
        "a:123456",
        "a b:1",
        "[::1]:80",
        "a:",
        "http://",
        "http://a",
        "http:///x",
        "http://a/b c",
        "https://a/b",
        "http://a\u{feff}",
        "http://a\u{85}b",
        "http://\u{a0}",
        "ftp://a",
        "1",
        "v1",
        "1.2.3.4",
        "1.2.3-rc.1",
        "1.2.3-rc.1+b-2",
        "1.2.3+",
        "1.2-",
        "v",
        "1..2",
        "1.2.3+a+b",
        "a\0b",
        "\n",
    ];
    let numbers = [
        json!(0),
        json!(-1),
        json!(1),
        json!(2.0),
        json!(2.5),
        json!(-0.0),
        json!(1e300),
        json!(u64::MAX),
        json!(i64::MIN),
    ];
    let others = [
        json!(null),
        json!(true),
        json!([]),
        json!([""]),
        json!(["a"]),
        json!([1]),
        json!({}),
        json!({ "a": 1 }),
    ];
    let long = [32, 33, 64, 65, 128, 129, 256, 257, 1024, 1025, 2049, 4096, 4097]
        .map(|count| json!("ä".repeat(count)));
    let objects = [
        json!({ "script": "x" }),
        json!({ "command": ["x"] }),
        json!({ "command": [] }),
        json!({ "http": "http://a", "tcp": "a:1" }),
        json!({ "tcp": "a:1", "http": 1 }),
        json!({ "KERNEX_A": "x" }),
        json!({ "": "x" }),
        json!({ "a/b~": "x" }),
        json!({ "A": "x\0" }),
        json!({ "prometheus": "http://a" }),
        json!({ "path": "a", "size_bytes": 0, "sha256": "a" }),
    ];
    let lists = [17, 65].map(|count| json!(vec!["a"; count]));
    let texts = texts.into_iter().map(Value::from);
    texts.chain(numbers).chain(others).chain(long).chain(objects).chain(lists).collect()
}

#[test]
fn a_library_comes_to_the_same_conclusions() {
    let schema: Value = serde_json::from_str(MANIFEST_SCHEMA).unwrap();
    let library = jsonschema::draft202012::new(&schema).unwrap();
    let mut pointers = Vec::new();
    collect(&everything(), "", &mut pointers);
    let (mut accepted, mut refused) = (0, 0);
    let mut compare = |manifest: &Value| match (check(manifest), library.iter_errors(manifest).next()) {
        (Ok(()), None) => accepted += 1,
        (Err(ManifestError::Invalid { pointer, .. }), Some(_)) => {
            let all = library.iter_errors(manifest).map(|error| error.instance_path().as_str().to_owned());
            assert!(all.collect::<Vec<_>>().contains(&pointer), "{pointer} of {manifest}");
            refused += 1;
        }
        (ours, theirs) => panic!("{ours:?} against {theirs:?}: {manifest}"),
    };
    compare(&everything());
    for pointer in &pointers {
        for value in values() {
            let mut manifest = everything();
            *manifest.pointer_mut(pointer).unwrap() = value;
            if manifest.is_object() {
                compare(&manifest);
            }
        }
        let (parent, name) = pointer.rsplit_once('/').unwrap_or(("", ""));
        for changed in [None, Some("unknown"), Some("a/b~c")] {
            let mut manifest = everything();
            if let Some(fields) = manifest.pointer_mut(parent).and_then(Value::as_object_mut) {
                let value = fields.remove(name).unwrap_or_default();
                fields.extend(changed.map(|name| (name.to_owned(), value)));
                compare(&manifest);
            }
        }
    }
    assert!(accepted > 500 && refused > 3_000, "{accepted} accepted, {refused} refused");
}

fn collect(value: &Value, pointer: &str, into: &mut Vec<String>) {
    into.push(pointer.to_owned());
    match value {
        Value::Object(fields) => {
            fields.iter().for_each(|(name, value)| collect(value, &format!("{pointer}/{name}"), into));
        }
        Value::Array(items) => {
            items
                .iter()
                .enumerate()
                .for_each(|(index, item)| collect(item, &format!("{pointer}/{index}"), into));
        }
        _ => {}
    }
}
