//! Manifests: what is accepted, and what a person is told otherwise.

use kernex_bundle::{HealthCheck, Incompatible, MANIFEST_SCHEMA, Manifest, Platform, ReloadSignal, Restart};
use serde_json::{Value, json};

fn full() -> Value {
    json!({
        "version": "1.2.0", "name": "default",
        "description": "night model", "device_types": ["jetson"], "arch": ["aarch64"],
        "agent_version_min": "0.1.0", "agent_version_max": null,
        "model": { "name": "qwen-1.5b-instruct", "format": "gguf", "quantization": "Q4_K_M", "size_mb": 1024, "sha256": "…" },
        "deploy": { "script": "./deploy.sh", "timeout_secs": 300 },
        "rollback": { "script": "./rollback.sh", "timeout_secs": 300 },
        "workload": { "command": ["./serve", "--port", "8080"], "restart": "on-failure", "max_crashes": 3, "crash_window_secs": 300 },
        "health": { "http": "http://127.0.0.1:8080/health", "interval_secs": 5, "timeout_secs": 5, "healthy_after": 3, "deadline_secs": 60 },
        "env": { "MAX_TOKENS": "2048" }, "metadata": { "anything": [1, null] }
    })
}

fn parse(value: &Value) -> Result<Manifest, String> {
    Manifest::parse(value.to_string().as_bytes()).map_err(|e| e.to_string())
}

/// The full manifest with one field changed; the field's path is a JSON pointer.
fn with(pointer: &str, value: Value) -> Value {
    let mut manifest = full();
    let (parent, name) = pointer.rsplit_once('/').unwrap();
    manifest.pointer_mut(parent).unwrap()[name] = value;
    manifest
}

#[test]
fn the_documented_example_is_accepted_and_served_as_it_was() {
    let manifest = parse(&full()).unwrap();
    assert_eq!(manifest.json(), &full());
    assert_eq!(manifest.deploy.unwrap().script, "./deploy.sh");
    assert_eq!(manifest.model.unwrap().size_mb, Some(1024.0));
    assert_eq!(manifest.health.unwrap().check, HealthCheck::Http("http://127.0.0.1:8080/health".to_owned()));
    assert_eq!(manifest.metadata["anything"], json!([1, null]));
}

#[test]
fn only_the_version_is_needed_and_defaults_are_filled_in() {
    let manifest = parse(&json!({ "version": "v1" })).unwrap();
    assert_eq!((manifest.name.as_str(), manifest.version.as_str()), ("default", "v1"));
    assert!(manifest.deploy.is_none() && manifest.env.is_empty() && manifest.compatibility.arch.is_empty());
    let manifest = parse(&json!({
        "version": "1", "deploy": { "script": "d" }, "workload": { "command": ["w"] }, "health": { "tcp": "[::1]:80" }
    }));
    let manifest = manifest.unwrap();
    let (workload, health) = (manifest.workload.unwrap(), manifest.health.unwrap());
    assert_eq!(manifest.deploy.unwrap().timeout_secs, 300);
    assert_eq!(
        (workload.restart, workload.max_crashes, workload.crash_window_secs),
        (Restart::OnFailure, 3, 300)
    );
    assert_eq!(
        (health.interval_secs, health.timeout_secs, health.healthy_after, health.deadline_secs),
        (5, 5, 3, 60)
    );
}

#[test]
fn null_says_the_same_as_absence() {
    let schema: Value = serde_json::from_str(MANIFEST_SCHEMA).unwrap();
    let mut nulls = json!({ "version": "1" });
    for field in schema["properties"].as_object().unwrap().keys().filter(|field| *field != "version") {
        nulls[field] = Value::Null;
    }
    let with_nulls = parse(&nulls).unwrap();
    assert!(with_nulls.agrees_with(&parse(&json!({ "version": "1" })).unwrap()).is_ok());
    let inner = json!({
        "version": "1", "model": { "name": null }, "deploy": { "script": "d", "timeout_secs": null },
        "workload": { "command": ["w"], "restart": null, "max_crashes": null },
        "health": { "http": null, "tcp": "a:1", "command": null, "interval_secs": null }
    });
    assert_eq!(parse(&inner).unwrap().health.unwrap().check, HealthCheck::Tcp("a:1".to_owned()));
}

#[test]
fn older_names_are_read() {
    let old =
        parse(&json!({ "version": "1", "runtime_version_min": "1.0.0", "env_vars": { "A": "b" } })).unwrap();
    let new = parse(&json!({ "version": "1", "agent_version_min": "1.0.0", "env": { "A": "b" } })).unwrap();
    assert_eq!(old, new);
    assert_eq!(old.env["A"], "b");
    let both = parse(&json!({ "version": "1", "env": {}, "env_vars": {} })).unwrap_err();
    assert_eq!(both, "env_vars: is an older name of env; give only one of the two");
}

#[test]
fn a_person_is_told_what_is_wrong_and_where() {
    let long = "x".repeat(300);
    for (manifest, expected) in [
        (json!([]), "the manifest is not a JSON object"),
        (json!({}), "version is missing"),
        (with("/version", json!(long)), "version: 300 characters, at most 64 allowed"),
        (with("/version", json!("")), "version: must not be empty"),
        (with("/version", json!(12)), "version: is a number, needed is a string"),
        (with("/version", Value::Null), "version: is null, needed is a string"),
        (
            with("/version", json!("a/b")),
            "version: `a/b` is not allowed, needed is 1 to 64 of A-Z a-z 0-9 . _ + -",
        ),
        (
            with("/version", json!("..")),
            "version: `..` is not allowed, needed is 1 to 64 of A-Z a-z 0-9 . _ + -",
        ),
        (with("/name", json!("Upper")), "name: `Upper` is not allowed, needed is 1 to 64 of a-z 0-9 . _ -"),
        (with("/extra", json!(1)), "unknown field `extra`; data of your own belongs in metadata"),
        (
            with("/deploy/extra", json!(1)),
            "deploy: unknown field `extra`; data of your own belongs in metadata",
        ),
        (with("/deploy", json!({})), "deploy: script is missing"),
        (with("/deploy/timeout_secs", json!(0)), "deploy.timeout_secs: 0 is too small, at least 1 needed"),
        (
            with("/deploy/timeout_secs", json!(86401)),
            "deploy.timeout_secs: 86401 is too large, at most 86400 allowed",
        ),
        (
            with("/deploy/timeout_secs", json!(1.5)),
            "deploy.timeout_secs: is a number with a fraction, needed is a whole number",
        ),
        (
            with("/deploy/timeout_secs", json!("5")),
            "deploy.timeout_secs: is a string, needed is a whole number",
        ),
        (with("/deploy/script", json!("../x")), "deploy.script: `../x` has a `..` in its path"),
        (with("/rollback/script", json!("/bin/sh")), "rollback.script: `/bin/sh` has an absolute path"),
        (with("/rollback/script", json!("./")), "rollback.script: `./` has an empty part in its path"),
        (with("/workload/command", json!([])), "workload.command: must not be empty"),
        (with("/workload/command", json!(["./../x"])), "workload.command.0: `./../x` has a `..` in its path"),
        (
            with("/workload/command", json!(["a\u{0}"])),
            "workload.command.0: `a\\0` is not allowed, needed is a text without NUL",
        ),
        (with("/workload/command", json!(vec!["a"; 65])), "workload.command: 65 entries, at most 64 allowed"),
        (
            with("/workload/restart", json!("never")),
            "workload.restart: `never` is none of no, on-failure, always",
        ),
        (with("/health/tcp", json!("a:1")), "health: needs exactly one of http, tcp and command"),
        (with("/health/http", Value::Null), "health: needs exactly one of http, tcp and command"),
        (
            with("/health/http", json!("ftp://x")),
            "health.http: `ftp://x` is not allowed, needed is an http:// or https:// address that answers 2xx when all is well",
        ),
        (
            with("/env", json!({ "1A": "x" })),
            "env: `1A` is not allowed as a name: letters, digits and _, no digit in front, not KERNEX_ in front",
        ),
        (
            with("/env", json!({ "KERNEX_X": "x" })),
            "env: `KERNEX_X` is not allowed as a name: letters, digits and _, no digit in front, not KERNEX_ in front",
        ),
        (with("/env", json!({ "A": 1 })), "env.A: is a number, needed is a string"),
        (with("/arch", json!("aarch64")), "arch: is a string, needed is a list"),
        (
            with("/agent_version_min", json!("new")),
            "agent_version_min: `new` is not allowed, needed is an agent version such as 1.4.0",
        ),
        (
            with("/agent_version_min", json!("1.0.0-01")),
            "agent_version_min: `1.0.0-01` is no semantic version",
        ),
        (
            with("/agent_version_max", json!("99999999999999999999.0.0")),
            "agent_version_max: `99999999999999999999.0.0` is no semantic version",
        ),
    ] {
        assert_eq!(parse(&manifest).err().as_deref(), Some(expected), "{manifest}");
    }
}

#[test]
fn hostile_json_is_refused_with_a_short_message() {
    let deep = "[".repeat(100_000);
    let nested = format!(r#"{{"version":"1","metadata":{{"a":{}1{}}}}}"#, "[".repeat(500), "]".repeat(500));
    let large = format!(r#"{{"version":"1","description":"{}"}}"#, "x".repeat(300 << 10));
    let long_name = format!(r#"{{"version":"1","{}":1}}"#, "\\u001b[31m".repeat(5000));
    let long_value = format!(r#"{{"version":"1","name":"{}"}}"#, "X".repeat(60));
    let env = format!(r#"{{"version":"1","env":{{"{}":"x"}}}}"#, "A".repeat(100_000));
    for text in
        [&deep, &nested, &large, &long_name, &long_value, &env, "", "\u{feff}{}", "{\"version\":\"1\"} x"]
    {
        let error = Manifest::parse(text.as_bytes()).unwrap_err().to_string();
        assert!(error.chars().count() < 800 && !error.contains('\u{1b}'), "{error}");
    }
    assert!(Manifest::parse(b"{\"version\":\"\xff\"}").is_err());
}

#[test]
fn two_copies_that_differ_name_the_field() {
    let manifest = parse(&full()).unwrap();
    assert!(manifest.agrees_with(&parse(&full()).unwrap()).is_ok());
    let other = parse(&with("/deploy/timeout_secs", json!(5))).unwrap();
    let error = manifest.agrees_with(&other).unwrap_err().to_string();
    assert_eq!(error, "deploy: differs between the manifest given and the one in the archive");
    let fewer = parse(&json!({ "version": "1.2.0" })).unwrap();
    assert!(manifest.agrees_with(&fewer).is_err() && fewer.agrees_with(&manifest).is_err());
}

#[test]
fn a_device_takes_what_is_for_it_and_is_told_why_not() {
    let check = |fields: Value, device: &Platform<'_>| {
        let mut manifest = json!({ "version": "1" });
        manifest.as_object_mut().unwrap().extend(fields.as_object().unwrap().clone());
        parse(&manifest).unwrap().check_compatible(device).map_err(|e: Incompatible| e.to_string())
    };
    let jetson = Platform { arch: "aarch64", device_type: Some("jetson"), agent_version: "1.4.7" };
    let plain = Platform { arch: "x86_64", device_type: None, agent_version: "1.4.7" };
    for good in [
        json!({}),
        json!({ "arch": [], "device_types": [] }),
        json!({ "arch": ["x86_64", "arm64"], "device_types": ["pi", "jetson"] }),
        json!({ "agent_version_min": "v1.4.7", "agent_version_max": "1.4.7" }),
        json!({ "agent_version_min": "1", "agent_version_max": "1.4" }),
        json!({ "runtime_version_max": "1" }),
    ] {
        assert_eq!(check(good.clone(), &jetson), Ok(()), "{good}");
    }
    for (fields, device, expected) in [
        (json!({ "arch": ["aarch64"] }), &plain, "the bundle is for aarch64, this device is x86_64"),
        (
            json!({ "device_types": ["pi", "nano"] }),
            &jetson,
            "the bundle is for devices of type pi, nano, this device is a jetson",
        ),
        (
            json!({ "device_types": ["pi"] }),
            &plain,
            "the bundle is for devices of type pi, this device has none",
        ),
        (
            json!({ "agent_version_min": "1.5" }),
            &plain,
            "the bundle needs agent 1.5 or newer, this one is 1.4.7",
        ),
        (
            json!({ "agent_version_max": "1.4.6" }),
            &plain,
            "the bundle needs agent 1.4.6 or older, this one is 1.4.7",
        ),
        (
            json!({ "agent_version_max": "1.3" }),
            &plain,
            "the bundle needs agent 1.3 or older, this one is 1.4.7",
        ),
    ] {
        assert_eq!(check(fields, device), Err(expected.to_owned()));
    }
    let odd = Platform { agent_version: "dev", ..plain };
    assert!(check(json!({}), &odd).is_ok());
    assert!(check(json!({ "agent_version_min": "0.1" }), &odd).is_err());
}

#[test]
fn limits_metrics_and_ways_to_stop_and_reload_are_read_and_bounded() {
    let manifest = parse(&json!({
        "version": "1",
        "workload": { "command": ["w"], "stop_timeout_secs": 30, "reload_signal": "SIGHUP" },
        "limits": { "memory_mb": 512, "cpu_pct": 150, "processes": 64, "open_files": null },
        "metrics": { "prometheus": "http://127.0.0.1:9100/metrics", "names": ["up"] }
    }));
    let manifest = manifest.unwrap();
    let workload = manifest.workload.unwrap();
    assert_eq!((workload.stop_timeout_secs, workload.reload_signal), (30, Some(ReloadSignal::Hup)));
    let limits = manifest.limits;
    assert_eq!((limits.memory_mb, limits.cpu_pct, limits.processes), (Some(512), Some(150), Some(64)));
    assert_eq!((limits.open_files, limits.file_size_mb), (None, None));
    assert_eq!(manifest.metrics.unwrap().names, ["up"]);
    let refused = |fields: Value| {
        let mut manifest = json!({ "version": "1" });
        manifest.as_object_mut().unwrap().extend(fields.as_object().unwrap().clone());
        parse(&manifest).is_err()
    };
    assert!(refused(json!({ "limits": { "memory_mb": 0 } })));
    assert!(refused(json!({ "limits": { "swap_mb": 1 } })));
    assert!(refused(json!({ "metrics": { "prometheus": "file:///etc/passwd" } })));
    assert!(refused(json!({ "workload": { "command": ["w"], "reload_signal": "SIGKILL" } })));
}
