//! Bodies that are too large, no JSON, or not as expected: the refusal names the field, and nothing is stored.

use std::time::Instant;

use serde_json::{Value, json};

use crate::support::{Answer, Api, NOBODY, heartbeat};

on_both!(
    a_device_body_over_64_kib_is_refused,
    a_user_body_over_1_mib_is_refused,
    a_body_that_never_ends_is_refused_before_its_end,
    what_is_no_json_is_refused,
    deep_nesting_does_no_harm,
    wrong_types_and_unknown_fields_are_named,
    a_heartbeat_with_wrong_values_is_refused_and_one_with_new_fields_accepted,
    a_batch_of_logs_with_wrong_values_is_refused,
    another_content_type_is_refused,
    zero_bytes_in_texts_do_no_harm,
);

async fn a_device_body_over_64_kib_is_refused(api: &Api) {
    let device = api.device().await;
    let before = api.stored().await;
    let padded = |length: usize| {
        let body = heartbeat().to_string();
        format!("{body}{}", " ".repeat(length - body.len()))
    };
    let path = device.heartbeat_path();
    let large = device.send(api, "POST", &path, padded(64 * 1024 + 1)).await;
    large.refused(413, "too_large", &["65536"]);
    assert_eq!(api.stored().await, before);
    device.send(api, "POST", &path, padded(64 * 1024)).await.expect(200);
    let path = format!("/deployments/{NOBODY}/result");
    device.send(api, "POST", &path, padded(70_000)).await.refused(413, "too_large", &["65536"]);
    let large = vec![b' '; 1024 * 1024 + 1];
    device.send(api, "POST", "/logs/batch", large).await.refused(413, "too_large", &["1048576"]);
    let unsigned = Answer::of(api.anonymous("POST", "/devices/register").body(vec![b' '; 70_000])).await;
    unsigned.refused(413, "too_large", &["65536"]);
}

async fn a_user_body_over_1_mib_is_refused(api: &Api) {
    let before = api.stored().await;
    for path in ["/deployments", "/auth/login", "/registration-tokens", "/devices/rollback"] {
        let answer = api.send_text("POST", path, vec![b' '; 1024 * 1024 + 1]).await;
        answer.refused(413, "too_large", &["1048576"]);
    }
    assert_eq!(api.stored().await, before);
}

async fn a_body_that_never_ends_is_refused_before_its_end(api: &Api) {
    let head = format!(
        "POST /api/v1/deployments HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {}\r\nConnection: close\r\n\
         Content-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n",
        api.token
    );
    let chunk = [format!("{:x}\r\n", 1 << 20).as_bytes(), &vec![b' '; 1 << 20], b"\r\n"].concat();
    let bytes = [head.as_bytes(), &chunk.repeat(3), b"0\r\n\r\n"].concat();
    let began = Instant::now();
    let answer = api.raw(&bytes).await;
    assert!(answer.starts_with("HTTP/1.1 413"), "{answer}");
    assert!(answer.contains("\"code\":\"too_large\""), "{answer}");
    assert!(began.elapsed().as_secs() < 15);
}

async fn what_is_no_json_is_refused(api: &Api) {
    let device = api.device().await;
    let before = api.stored().await;
    let bad: [&[u8]; 11] = [
        b"",
        b"{",
        b"{\"a\":}",
        b"nonsense",
        b"{'a': 1}",
        b"\xff\xfe",
        b"{} {}",
        b"{\"username\": \"a\", \"password\": \"b\"} trailing",
        b"{\"cpu_pct\": NaN}",
        b"{\"cpu_pct\": Infinity}",
        b"\0",
    ];
    for body in bad {
        for path in ["/auth/login", "/deployments", "/devices/rollback", "/registration-tokens"] {
            let answer = api.send_text("POST", path, body).await;
            answer.refused(400, "invalid_json", &["the body is not"]);
        }
        let answer = device.send(api, "POST", &device.heartbeat_path(), body).await;
        answer.refused(400, "invalid_json", &["the body is not"]);
    }
    for list in ["[null, null]", " [\"admin\", \"password\"]", "[]"] {
        for path in ["/auth/login", "/deployments", "/registration-tokens"] {
            api.send_text("POST", path, list).await.refused(400, "invalid_json", &["an object, not a list"]);
        }
        let answer = device.send(api, "POST", &device.heartbeat_path(), list).await;
        answer.refused(400, "invalid_json", &["an object, not a list"]);
    }
    let twice = [heartbeat().to_string(), heartbeat().to_string()].concat();
    device.send(api, "POST", &device.heartbeat_path(), twice).await.refused(
        400,
        "invalid_json",
        &["trailing"],
    );
    assert_eq!(api.stored().await, before);
}

async fn deep_nesting_does_no_harm(api: &Api) {
    let device = api.device().await;
    for (open, close) in [("[", "]"), ("{\"a\":", "}")] {
        let deep = format!("{}1{}", open.repeat(10_000), close.repeat(10_000));
        let body = format!("{{\"metadata\": {deep}}}");
        let path = format!("/devices/{}/config", device.id);
        api.send_text("PUT", &path, body).await.refused(400, "invalid_json", &[]);
        api.send_text("POST", "/deployments", deep.clone()).await.refused(400, "invalid_json", &[]);
        // In a field that an older server does not know.
        let mut body = heartbeat().to_string();
        body.pop();
        let body = format!("{body},\"new\":{deep}}}");
        let answer = device.send(api, "POST", &device.heartbeat_path(), body).await;
        assert!([200, 400].contains(&answer.status), "{}", answer.text());
    }
    device.beat(api).await.expect(200);
}

async fn wrong_types_and_unknown_fields_are_named(api: &Api) {
    let device = api.device().await;
    let config = format!("/devices/{}/config", device.id);
    let own = format!("/devices/{}", device.id);
    let config_rollback = format!("{config}/rollback");
    let cases = [
        ("POST", "/auth/login", json!({"username": "a"}), "password"),
        ("POST", "/auth/login", json!({"username": 1, "password": "x"}), "username"),
        ("POST", "/auth/login", json!({"username": "a", "password": "b", "remember": true}), "remember"),
        ("POST", "/auth/login", json!([]), "not a list"),
        ("POST", "/auth/register", json!({"username": "a", "password": "b", "role": "root"}), "role"),
        ("POST", "/deployments", json!({"target_devices": "all"}), "target_devices"),
        ("POST", "/deployments", json!({"target_devices": [7]}), "target_devices[0]"),
        ("POST", "/deployments", json!({"bundle_version": 1, "target_devices": []}), "bundle_version"),
        ("POST", "/deployments", json!({"bundle_version": "1", "target_device": []}), "target_device"),
        ("POST", "/devices/rollback", json!({"target_device_ids": []}), "bundle_version"),
        ("POST", "/devices/rollback", json!({"bundle_version": "1"}), "target_device_ids"),
        ("PUT", &config, json!({"polling_interval": "60"}), "polling_interval"),
        ("PUT", &config, json!({"polling_interval": -1}), "polling_interval"),
        ("PUT", &config, json!({"polling_interval": 1.5}), "polling_interval"),
        ("PUT", &config, json!({"polling_interval": 5_000_000_000_u64}), "polling_interval"),
        ("PUT", &config, json!({"log_level": "LOUD"}), "log_level"),
        ("PUT", &config, json!({"metadata": []}), "metadata"),
        ("PUT", &config, json!({"poling_interval": 60}), "poling_interval"),
        ("POST", &config_rollback, json!({}), "version"),
        ("POST", &config_rollback, json!({"version": -1}), "version"),
        ("PATCH", &own, json!({"display_name": 1}), "display_name"),
        ("PATCH", &own, json!({"tags": {"a": null}}), "tags.a"),
        ("PATCH", &own, json!({"name": "x"}), "name"),
    ];
    let before = api.stored().await;
    for (method, path, body, word) in cases {
        let answer = api.send_text(method, path, body.to_string()).await;
        answer.refused(400, "invalid_json", &[word]);
    }
    assert_eq!(api.stored().await, before);
}

fn with(field: &str, value: Value) -> Value {
    let mut body = heartbeat();
    body[field] = value;
    body
}

async fn a_heartbeat_with_wrong_values_is_refused_and_one_with_new_fields_accepted(api: &Api) {
    let device = api.device().await;
    let target = json!({"deployment_id": NOBODY, "attempt": 1, "state": "staging"});
    let many: Value =
        (0..65).map(|number| (format!("m{number}"), json!(1.0))).collect::<serde_json::Map<_, _>>().into();
    let cases = [
        (with("status", json!("fine")), "invalid_json", "status"),
        (with("status", Value::Null), "invalid_json", "status"),
        (with("cpu_pct", json!("12")), "invalid_json", "cpu_pct"),
        (with("cpu_pct", json!(-0.1)), "invalid_request", "cpu_pct"),
        (with("memory_mb", json!(-1)), "invalid_request", "memory_mb"),
        (with("uptime_secs", json!(-5)), "invalid_request", "uptime_secs"),
        (with("disk_free_mb", json!(-5)), "invalid_request", "disk_free_mb"),
        (with("agent_version", json!("x".repeat(65))), "invalid_request", "agent_version"),
        (with("agent_version", json!("a\u{0}")), "invalid_request", "agent_version"),
        (with("boot_id", json!("x".repeat(65))), "invalid_request", "boot_id"),
        (with("config_version", json!(-1)), "invalid_json", "config_version"),
        (with("bundles", json!([{"name": "default"}])), "invalid_json", "bundles[0]"),
        (with("bundles", json!([{"name": "A B", "version": "1"}])), "invalid_json", "bundles[0].name"),
        (with("bundles", json!([{"name": "a", "version": "../1"}])), "invalid_json", "bundles[0].version"),
        (
            with("bundles", json!(vec![json!({"name": "a", "version": "1"}); 65])),
            "invalid_request",
            "bundles",
        ),
        (
            with("targets", json!([{"deployment_id": "x", "attempt": 1, "state": "staging"}])),
            "invalid_json",
            "targets[0].deployment_id",
        ),
        (
            with("targets", json!([{"deployment_id": NOBODY, "attempt": -1, "state": "staging"}])),
            "invalid_json",
            "targets[0].attempt",
        ),
        (
            with("targets", json!([{"deployment_id": NOBODY, "attempt": 1, "state": "sleeping"}])),
            "invalid_json",
            "targets[0].state",
        ),
        (with("targets", json!(vec![target; 65])), "invalid_request", "targets"),
        (with("metrics", json!({"fps": "30"})), "invalid_json", "metrics.fps"),
        (with("metrics", many), "invalid_request", "metrics"),
        (with("metrics", json!({"x".repeat(65): 1})), "invalid_request", "metric"),
    ];
    let before = api.stored().await;
    for (body, code, word) in cases {
        let answer = device.send(api, "POST", &device.heartbeat_path(), body.to_string()).await;
        answer.refused(400, code, &[word]);
    }
    for number in ["1e999", "-1e999"] {
        let body = heartbeat().to_string().replace("12.5", number);
        let answer = device.send(api, "POST", &device.heartbeat_path(), body).await;
        answer.refused(400, "invalid_json", &[]);
    }
    assert_eq!(api.stored().await, before);
    let mut newer = with("gpu", json!({"temperature": [60, null, {"deep": true}]}));
    newer["bundles"] = json!([{"name": "default", "version": "1.0.0", "slot": "a"}]);
    device.send(api, "POST", &device.heartbeat_path(), newer.to_string()).await.expect(200);
    assert_eq!(api.stored().await["device_bundles"], 1);
}

async fn a_batch_of_logs_with_wrong_values_is_refused(api: &Api) {
    let device = api.device().await;
    let line = |field: &str, value: Value| {
        let mut line = json!({"device_id": device.id, "level": "info", "message": "x", "timestamp": "2026-01-01T00:00:00Z"});
        line[field] = value;
        line
    };
    let cases = [
        (json!({}), "invalid_json", "the body"),
        (json!([line("level", json!("loud"))]), "invalid_json", "[0].level"),
        (json!([line("timestamp", json!("yesterday"))]), "invalid_json", "[0].timestamp"),
        (json!([line("timestamp", json!(1_800_000_000))]), "invalid_json", "[0].timestamp"),
        (json!([line("message", Value::Null)]), "invalid_json", "[0].message"),
        (
            json!([line("level", json!("INFO")), line("device_id", json!("x"))]),
            "invalid_json",
            "[1].device_id",
        ),
        (json!([line("source", json!("x"))]), "invalid_json", "source"),
        (json!([line("fields", json!({"x": "y".repeat(17_000)}))]), "invalid_request", "fields"),
        (json!(vec![line("level", json!("INFO")); 1_001]), "invalid_request", "1001"),
    ];
    let before = api.stored().await;
    for (body, code, word) in cases {
        device.send(api, "POST", "/logs/batch", body.to_string()).await.refused(400, code, &[word]);
    }
    assert_eq!(api.stored().await, before);
    let good = json!([
        line("level", json!("warning")),
        line("message", json!("\u{0}zero")),
        line("fields", json!({"a": "\u{0}"}))
    ]);
    let answer = device.send(api, "POST", "/logs/batch", good.to_string()).await.expect(200);
    assert_eq!(answer.json(), json!({"ingested": 3}));
    assert_eq!(
        device.send(api, "POST", "/logs/batch", "[]").await.expect(200).json(),
        json!({"ingested": 0})
    );
    let logs = api.get(&format!("/devices/{}/logs?level=WARN", device.id)).await.expect(200).json();
    assert_eq!(logs["logs"].as_array().unwrap().len(), 1);
}

async fn another_content_type_is_refused(api: &Api) {
    let before = api.stored().await;
    for kind in
        ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x", "json", ""]
    {
        let request = api.request("POST", "/registration-tokens").header("content-type", kind).body("{}");
        Answer::of(request).await.refused(415, "unsupported_media_type", &["application/json"]);
    }
    assert_eq!(api.stored().await, before);
    for kind in ["application/json; charset=utf-8", "APPLICATION/JSON", "application/merge-patch+json"] {
        let request = api.request("POST", "/registration-tokens").header("content-type", kind).body("{}");
        Answer::of(request).await.expect(201);
    }
    Answer::of(api.request("POST", "/registration-tokens").body("{}")).await.expect(201);
    let request = api.request("POST", "/bundles").header("content-type", "application/json").body("{}");
    Answer::of(request).await.refused(400, "invalid_request", &["multipart"]);
}

/// PostgreSQL refuses a zero byte in a text, SQLite does not: whoever sends one must hear the same from both.
async fn zero_bytes_in_texts_do_no_harm(api: &Api) {
    let device = api.device().await;
    for path in [
        "/devices?q=%00",
        "/devices?q=a%00b",
        "/devices?bundle_version=%00",
        "/devices?tag=a%00=b",
        "/devices?tag=a=%00",
        "/devices?status=%00",
        "/bundles?name=%00",
        "/bundles/%00",
        "/devices/%00",
        "/deployments?cursor=%00",
    ] {
        let answer = api.get(path).await;
        assert!([200, 400, 404].contains(&answer.status), "{path}: {}", answer.text());
    }
    let own = format!("/devices/{}", device.id);
    let config = format!("{own}/config");
    let zero = "a\u{0}b";
    for (method, path, body) in [
        ("POST", "/auth/login", json!({"username": zero, "password": zero})),
        ("POST", "/auth/register", json!({"username": zero, "password": "long enough for it"})),
        (
            "POST",
            "/auth/register",
            json!({"username": "zero", "email": "a\u{0}@b", "password": "long enough for it"}),
        ),
        (
            "POST",
            "/auth/register",
            json!({"username": "z", "password": "long enough for it", "bootstrap_token": zero}),
        ),
        ("PATCH", &own, json!({"display_name": zero})),
        ("PATCH", &own, json!({"tags": {"a": zero}})),
        ("PATCH", &own, json!({"tags": {zero: "a"}})),
        ("PUT", &config, json!({"metadata": {zero: zero}})),
        ("POST", "/deployments", json!({"bundle_version": zero, "target_devices": [device.id]})),
        (
            "POST",
            "/deployments",
            json!({"bundle_version": "1", "bundle_name": zero, "target_devices": [device.id]}),
        ),
        ("POST", "/deployments", json!({"bundle_version": "1", "target_devices": [zero]})),
        (
            "POST",
            "/deployments",
            json!({"bundle_version": "1", "target_devices": [device.id], "description": zero}),
        ),
        ("POST", "/devices/rollback", json!({"bundle_version": zero, "target_device_ids": [device.id]})),
        ("POST", "/registration-tokens", json!({"tags": {"a": zero}})),
    ] {
        let answer = api.send_text(method, path, body.to_string()).await;
        assert!(answer.status < 500, "{method} {path} {body}: {}", answer.text());
    }
    let metadata = with("metrics", json!({zero: 1}));
    device.send(api, "POST", &device.heartbeat_path(), metadata.to_string()).await.refused(
        400,
        "invalid_request",
        &[],
    );
}
