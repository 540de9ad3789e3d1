//! Deploying, cancelling, rolling back.

use serde_json::{Value, json};

use crate::support::{Answer, Api, NOBODY};

on_both!(
    a_deployment_reaches_its_devices,
    a_deployment_that_names_wrong_things_is_refused,
    the_same_request_with_an_idempotency_key_is_done_once,
    a_malformed_idempotency_key_is_refused,
    a_deployment_can_be_cancelled_until_it_has_ended,
    devices_return_to_versions_that_they_ran,
    a_deployment_is_rolled_back_to_what_each_device_ran,
);

async fn a_deployment_reaches_its_devices(api: &Api) {
    let (one, two) = (api.device().await, api.device().await);
    let bundle = api.bundle("1.0.0").await;
    let body = json!({"bundle_id": bundle, "bundle_version": "1.0.0", "bundle_name": "default",
        "target_devices": [one.id, two.id], "description": "night\nmodel"});
    let made = api.post("/deployments", &body).await.expect(201).json();
    assert_eq!(made["status"], "pending");
    let path = format!("/deployments/{}", made["deployment_id"].as_str().unwrap());
    let shown = api.get(&path).await.expect(200).json();
    assert_eq!(
        (shown["description"].clone(), shown["created_by"].clone()),
        (json!("night\nmodel"), json!("admin"))
    );
    let command = one.beat(api).await.expect(200).json()["commands"][0].clone();
    assert_eq!(command["deployment_id"], made["deployment_id"]);
    assert_eq!(api.get(&path).await.expect(200).json()["status"], "in_progress");
    one.report(api, made["deployment_id"].as_str().unwrap(), "success").await.expect(200);
    two.report(api, made["deployment_id"].as_str().unwrap(), "success").await.expect(200);
    let shown = api.get(&path).await.expect(200).json();
    assert_eq!(shown["status"], "success");
    let targets = api.get(&format!("{path}/targets?state=success")).await.expect(200).json();
    assert_eq!(targets["targets"].as_array().unwrap().len(), 2);
}

async fn a_deployment_that_names_wrong_things_is_refused(api: &Api) {
    let (device, gone) = (api.device().await, api.device().await);
    api.post(&format!("/devices/{}/decommission", gone.id), &json!({})).await.expect(200);
    let bundle = api.bundle("1.0.0").await;
    let id = &device.id;
    let other = NOBODY.replace("dead", "beef");
    let too_many: Vec<_> = (0..10_001).map(|number| format!("{number:032x}")).collect();
    let cases = [
        (
            json!({"bundle_version": "1.0.0", "target_devices": []}),
            400,
            "invalid_request",
            vec!["target_devices", "empty"],
        ),
        (json!({"bundle_version": "1.0.0"}), 400, "invalid_request", vec!["target_devices", "empty"]),
        (
            json!({"bundle_version": "1.0.0", "target_devices": [id, id]}),
            400,
            "invalid_request",
            vec![id.as_str(), "twice"],
        ),
        (
            json!({"bundle_version": "1.0.0", "target_devices": [id, id.to_uppercase()]}),
            400,
            "invalid_request",
            vec!["twice"],
        ),
        (
            json!({"bundle_version": "1.0.0", "target_devices": [id, NOBODY, "camera", other]}),
            400,
            "unknown_devices",
            vec![NOBODY, "camera", &other],
        ),
        (
            json!({"bundle_version": "1.0.0", "target_devices": [id, gone.id]}),
            400,
            "invalid_request",
            vec![gone.id.as_str(), "decommissioned"],
        ),
        (
            json!({"bundle_version": "1.0.0", "target_devices": too_many}),
            400,
            "invalid_request",
            vec!["10001", "10000"],
        ),
        (json!({"target_devices": [id]}), 400, "invalid_request", vec!["bundle_id", "bundle_version"]),
        (json!({"bundle_version": "9.9.9", "target_devices": [id]}), 404, "not_found", vec!["default@9.9.9"]),
        (json!({"bundle_version": "../1", "target_devices": [id]}), 404, "not_found", vec!["../1"]),
        (json!({"bundle_version": "1".repeat(300), "target_devices": [id]}), 404, "not_found", vec!["111"]),
        (
            json!({"bundle_version": "1.0.0", "bundle_name": "vision", "target_devices": [id]}),
            404,
            "not_found",
            vec!["vision@1.0.0"],
        ),
        (json!({"bundle_id": NOBODY, "target_devices": [id]}), 404, "not_found", vec![NOBODY]),
        (json!({"bundle_id": "camera", "target_devices": [id]}), 404, "not_found", vec!["camera"]),
        (
            json!({"bundle_id": bundle, "bundle_version": "2.0.0", "target_devices": [id]}),
            400,
            "invalid_request",
            vec!["bundle_version"],
        ),
        (
            json!({"bundle_id": bundle, "bundle_name": "vision", "target_devices": [id]}),
            400,
            "invalid_request",
            vec!["bundle_name"],
        ),
        (
            json!({"bundle_version": "1.0.0", "target_devices": [id], "description": "x".repeat(1_001)}),
            400,
            "invalid_request",
            vec!["description"],
        ),
        (
            json!({"bundle_version": "1.0.0", "target_devices": [id], "description": "a\u{7}"}),
            400,
            "invalid_request",
            vec!["description"],
        ),
    ];
    let before = api.stored().await;
    for (body, status, code, words) in cases {
        api.post("/deployments", &body).await.refused(status, code, &words);
    }
    let many: Vec<_> = (0..50).map(|number| format!("camera-{number}")).collect();
    let answer = api.post("/deployments", &json!({"bundle_version": "1.0.0", "target_devices": many})).await;
    assert_eq!(answer.status, 400);
    for name in &many {
        assert!(answer.text().contains(name.as_str()), "all are named: {}", answer.text());
    }
    for path in ["/deployments/plan", &format!("/deployments/{NOBODY}/pause")] {
        let answer = api.post(path, &json!({})).await;
        assert!([404, 405].contains(&answer.status), "{path} is not there yet: {}", answer.text());
    }
    assert_eq!(api.stored().await, before);
}

async fn the_same_request_with_an_idempotency_key_is_done_once(api: &Api) {
    let (one, two) = (api.device().await, api.device().await);
    api.bundle("1.0.0").await;
    let send = async |key: &str, body: &Value, token: &str| {
        let request = api.anonymous("POST", "/deployments").bearer_auth(token).header("idempotency-key", key);
        Answer::of(request.json(body)).await
    };
    let body = json!({"bundle_version": "1.0.0", "target_devices": [one.id]});
    let answers = futures_util::future::join_all((0..8).map(|_| send("one", &body, &api.token))).await;
    for answer in &answers {
        assert_eq!((answer.status, answer.json()), (201, answers[0].json()));
        assert_eq!(answer.header("content-type"), Some("application/json"));
    }
    assert_eq!(api.stored().await["deployments"], 1);
    let other = json!({"bundle_version": "1.0.0", "target_devices": [two.id]});
    send("one", &other, &api.token).await.refused(409, "idempotency_mismatch", &["Idempotency-Key"]);
    let ops = api.user("bob", "ops").await;
    send("one", &other, &ops).await.expect(201);
    send("two", &body, &api.token).await.expect(201);
    assert_eq!(api.stored().await["deployments"], 3);
    let rollback = Answer::of(
        api.request("POST", "/devices/rollback")
            .header("idempotency-key", "one")
            .json(&json!({"bundle_version": "1.0.0", "target_device_ids": [one.id]})),
    )
    .await;
    assert!([400, 409].contains(&rollback.status), "{}", rollback.text());
}

async fn a_malformed_idempotency_key_is_refused(api: &Api) {
    let device = api.device().await;
    api.bundle("1.0.0").await;
    let body = json!({"bundle_version": "1.0.0", "target_devices": [device.id]});
    let long = "x".repeat(129);
    for keys in [vec![""], vec![long.as_str()], vec!["a", "b"], vec!["é"]] {
        let request = keys.iter().fold(api.request("POST", "/deployments"), |request, key| {
            request.header("idempotency-key", key.as_bytes())
        });
        Answer::of(request.json(&body)).await.refused(400, "invalid_request", &["Idempotency-Key"]);
    }
    assert_eq!(api.stored().await["deployments"], 0);
}

async fn a_deployment_can_be_cancelled_until_it_has_ended(api: &Api) {
    let device = api.device().await;
    api.bundle("1.0.0").await;
    let deployment = api.deploy("1.0.0", &[&device]).await;
    device.beat(api).await.expect(200);
    let path = format!("/deployments/{deployment}/cancel");
    let answer = api.post(&path, &json!({})).await.expect(200).json();
    assert_eq!(answer["status"], "cancelled");
    api.post(&path, &json!({})).await.refused(409, "conflict", &["cancelled"]);
    api.post(&format!("/deployments/{NOBODY}/cancel"), &json!({})).await.refused(404, "not_found", &[NOBODY]);
    let mut beat = crate::support::heartbeat();
    beat["targets"] = json!([{"deployment_id": deployment, "attempt": 1, "state": "staging"}]);
    let answer =
        device.send(api, "POST", &device.heartbeat_path(), beat.to_string()).await.expect(200).json();
    assert_eq!(answer["commands"], json!([{"type": "cancel", "deployment_id": deployment, "attempt": 1}]));
}

async fn devices_return_to_versions_that_they_ran(api: &Api) {
    let (device, fresh) = (api.device().await, api.device().await);
    for version in ["1.0.0", "2.0.0"] {
        api.bundle(version).await;
        let deployment = api.deploy(version, &[&device]).await;
        device.report(api, &deployment, "success").await.expect(200);
        api.clock.advance_secs(10);
    }
    api.bundle("3.0.0").await;
    let roll = async |body: Value| api.post("/devices/rollback", &body).await;
    let before = api.stored().await;
    for (body, code, words) in [
        (
            json!({"bundle_version": "9.9.9", "target_device_ids": [device.id]}),
            "unknown_bundle",
            vec!["9.9.9", "not found"],
        ),
        (
            json!({"bundle_version": "1.0.0", "bundle_name": "vision", "target_device_ids": [device.id]}),
            "unknown_bundle",
            vec!["not found"],
        ),
        (
            json!({"bundle_version": "3.0.0", "target_device_ids": [device.id]}),
            "no_successful_deployment",
            vec![device.id.as_str(), "has no successful deployment of version `3.0.0`"],
        ),
        (
            json!({"bundle_version": "1.0.0", "target_device_ids": [device.id, fresh.id]}),
            "no_successful_deployment",
            vec![fresh.id.as_str(), "has no successful deployment of version `1.0.0`"],
        ),
        (
            json!({"bundle_version": "1.0.0", "target_device_ids": []}),
            "invalid_request",
            vec!["target_device_ids", "empty"],
        ),
        (
            json!({"bundle_version": "1.0.0", "target_device_ids": [device.id, device.id]}),
            "invalid_request",
            vec!["twice"],
        ),
        (
            json!({"bundle_version": "1.0.0", "target_device_ids": [NOBODY]}),
            "unknown_devices",
            vec![NOBODY, "not found"],
        ),
    ] {
        roll(body).await.refused(400, code, &words);
    }
    assert_eq!(api.stored().await, before);
    let answer =
        roll(json!({"bundle_version": "1.0.0", "target_device_ids": [device.id]})).await.expect(200).json();
    assert_eq!(
        (answer["status"].clone(), answer["target_device_ids"].clone()),
        (json!("pending"), json!([device.id]))
    );
    assert_eq!(answer["bundle_version"], "1.0.0");
    let command = device.beat(api).await.expect(200).json()["commands"][0].clone();
    assert_eq!(
        (command["type"].clone(), command["bundle_version"].clone()),
        (json!("rollback"), json!("1.0.0"))
    );
}

async fn a_deployment_is_rolled_back_to_what_each_device_ran(api: &Api) {
    let (one, two) = (api.device().await, api.device().await);
    api.bundle("1.0.0").await;
    api.bundle("2.0.0").await;
    let first = api.deploy("1.0.0", &[&one]).await;
    one.report(api, &first, "success").await.expect(200);
    let path = |id: &str| format!("/deployments/{id}/rollback");
    let empty = Answer::of(api.request("POST", &path(&first))).await;
    empty.refused(400, "no_successful_deployment", &["nothing to return to"]);
    api.clock.advance_secs(10);
    let second = api.deploy("2.0.0", &[&one, &two]).await;
    for (body, code, words) in [
        (json!({"target_version": "9.9.9"}), "unknown_bundle", vec!["9.9.9", "not found"]),
        (json!({"target_version": "1.0.0"}), "no_successful_deployment", vec![two.id.as_str(), "1.0.0"]),
        (json!({"version": "1.0.0"}), "invalid_json", vec!["version"]),
    ] {
        api.post(&path(&second), &body).await.refused(400, code, &words);
    }
    api.post(&path(NOBODY), &json!({})).await.refused(404, "not_found", &[NOBODY]);
    let answer = Answer::of(api.request("POST", &path(&second))).await.expect(202).json();
    assert_eq!(
        (answer["bundle_version"].clone(), answer["target_device_ids"].clone()),
        (json!("1.0.0"), json!([one.id]))
    );
    assert_eq!(answer["deployments"].as_array().unwrap().len(), 1);
    for device in [&one, &two] {
        api.post(&format!("/devices/{}/decommission", device.id), &json!({})).await.expect(200);
    }
    api.post(&path(&second), &json!({})).await.refused(400, "invalid_request", &["decommissioned"]);
}
