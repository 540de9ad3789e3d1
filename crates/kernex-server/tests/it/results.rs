//! Outcomes that devices report, and the history that they leave.

use serde_json::{Value, json};

use crate::support::{Answer, Api, Device, NOBODY};

on_both!(
    a_result_is_recorded_once,
    a_result_with_wrong_fields_is_refused,
    a_result_of_somebody_else_is_refused,
    a_long_message_is_cut,
    many_results_at_once_give_one_line,
);

async fn report(api: &Api, device: &Device, deployment: &str, body: &Value) -> Answer {
    device.send(api, "POST", &format!("/deployments/{deployment}/result"), body.to_string()).await
}

async fn history(api: &Api, device: &Device) -> Vec<Value> {
    let answer = api.get(&format!("/devices/{}/bundle-history", device.id)).await.expect(200);
    answer.json().as_array().unwrap().clone()
}

async fn a_result_is_recorded_once(api: &Api) {
    let device = api.device().await;
    api.bundle("1.0.0").await;
    let deployment = api.deploy("1.0.0", &[&device]).await;
    for _ in 0..3 {
        let answer = device.report(api, &deployment, "success").await.expect(200).json();
        assert_eq!(answer["state"], "success");
    }
    for status in ["failed", "rolled_back"] {
        device.report(api, &deployment, status).await.refused(409, "conflict", &["success"]);
    }
    let lines = history(api, &device).await;
    assert_eq!((lines.len(), lines[0]["status"].clone()), (1, json!("success")));
    let shown = api.get(&format!("/devices/{}", device.id)).await.expect(200).json();
    assert_eq!(shown["current_bundle_version"], "1.0.0");
}

async fn a_result_with_wrong_fields_is_refused(api: &Api) {
    let device = api.device().await;
    api.bundle("1.0.0").await;
    let deployment = api.deploy("1.0.0", &[&device]).await;
    let id = &device.id;
    for (body, code, word) in [
        (json!({"device_id": id}), "invalid_json", "status"),
        (json!({"device_id": id, "status": "done"}), "invalid_json", "status"),
        (json!({"device_id": id, "status": "pending"}), "invalid_json", "status"),
        (json!({"device_id": id, "status": "timed_out"}), "invalid_json", "status"),
        (json!({"device_id": "x", "status": "success"}), "invalid_json", "device_id"),
        (json!({"status": "success"}), "invalid_json", "device_id"),
        (
            json!({"device_id": id, "status": "failed", "error_code": "sunspots"}),
            "invalid_json",
            "error_code",
        ),
        (json!({"device_id": id, "status": "failed", "error_message": 5}), "invalid_json", "error_message"),
        (
            json!({"device_id": id, "status": "success", "duration_secs": -1}),
            "invalid_request",
            "duration_secs",
        ),
        (json!({"device_id": id, "status": "success", "attempt": -1}), "invalid_json", "attempt"),
        (json!({"device_id": id, "status": "success", "attempt": 2}), "invalid_request", "attempt"),
        (json!({"device_id": id, "status": "success", "mood": "good"}), "invalid_json", "mood"),
    ] {
        report(api, &device, &deployment, &body).await.refused(400, code, &[word]);
    }
    let success = json!({"device_id": id, "status": "success"});
    report(api, &device, NOBODY, &success).await.refused(404, "not_found", &[NOBODY]);
    report(api, &device, "x", &success).await.refused(404, "not_found", &["deployment"]);
    assert!(history(api, &device).await.is_empty());
    let shown = api.get(&format!("/deployments/{deployment}")).await.expect(200).json();
    assert_eq!(shown["status"], "pending");
}

async fn a_result_of_somebody_else_is_refused(api: &Api) {
    let (device, stranger) = (api.device().await, api.device().await);
    api.bundle("1.0.0").await;
    let deployment = api.deploy("1.0.0", &[&device]).await;
    stranger.report(api, &deployment, "success").await.refused(403, "not_a_target", &["not a target"]);
    let body = json!({"device_id": device.id, "status": "success"});
    report(api, &stranger, &deployment, &body).await.refused(403, "forbidden", &["itself"]);
    let unsigned = api.post(&format!("/deployments/{deployment}/result"), &body).await;
    unsigned.refused(401, "unauthenticated", &[]);
    let shown = api.get(&format!("/deployments/{deployment}")).await.expect(200).json();
    assert_eq!(shown["status"], "pending");
}

async fn a_long_message_is_cut(api: &Api) {
    let device = api.device().await;
    api.bundle("1.0.0").await;
    let deployment = api.deploy("1.0.0", &[&device]).await;
    // A sign of two bytes lies across the limit.
    let message = format!("a\u{0}{}", "ü".repeat(5_000));
    let body = json!({"device_id": device.id, "status": "failed", "error_code": "script_failed", "error_message": message});
    report(api, &device, &deployment, &body).await.expect(200);
    let lines = history(api, &device).await;
    let stored = lines[0]["error_message"].as_str().unwrap();
    assert!((4_090..=4_096).contains(&stored.len()), "{}", stored.len());
    assert!(stored.starts_with("a\u{fffd}ü") && stored.ends_with('ü'));
    assert_eq!(lines[0]["error_code"], "script_failed");
}

async fn many_results_at_once_give_one_line(api: &Api) {
    let device = api.device().await;
    api.bundle("1.0.0").await;
    let deployment = api.deploy("1.0.0", &[&device]).await;
    let answers =
        futures_util::future::join_all((0..10).map(|number| {
            device.report(api, &deployment, if number % 2 == 0 { "success" } else { "failed" })
        }))
        .await;
    assert!(answers.iter().any(|answer| answer.status == 200));
    for answer in &answers {
        assert!([200, 401, 409].contains(&answer.status), "{}", answer.text());
        if answer.status == 401 {
            answer.refused(401, "replayed", &[]);
        }
    }
    assert_eq!(history(api, &device).await.len(), 1);
}
