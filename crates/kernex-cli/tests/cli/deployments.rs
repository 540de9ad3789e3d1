//! Deploying and waiting.

use serde_json::{Value, json};

use crate::{
    DEPLOYMENT, DEVICE, device,
    fake::{Answer, Fake},
    kernex_at, run,
};

fn detail(status: &str) -> Value {
    let count = |word: &str| u64::from(status == word);
    json!({"deployment_id": DEPLOYMENT, "kind": "deploy", "bundle_id": DEPLOYMENT, "bundle_name": "detector",
        "bundle_version": "1.2.0", "status": status, "description": null, "error_message": null,
        "progress": {"total": 1, "pending": 0, "in_progress": count("in_progress"), "success": count("success"),
            "failed": count("failed"), "rolled_back": 0, "cancelled": 0},
        "created_by": "ada", "created_at": "2026-01-01T00:00:00Z", "completed_at": null,
        "target_devices": [DEVICE]})
}

fn target(state: &str) -> Value {
    let failed = state == "failed";
    json!({"device_id": DEVICE, "state": state, "attempt": 1, "progress_pct": null, "delivered_at": null,
        "started_at": null, "updated_at": "2026-01-01T00:00:00Z", "completed_at": null, "lease_expires_at": null,
        "duration_secs": 4.2, "error_code": failed.then_some("script_failed"),
        "error_message": failed.then_some("deploy.sh ended with 3")})
}

/// The deployment goes through these states; the last one stays.
fn control_plane(states: &'static [&'static str]) -> Fake {
    let mut polls = 0;
    Fake::start(move |request| {
        let path = request.line.split('?').next().unwrap();
        let state = states[polls.min(states.len() - 1)];
        if path.ends_with("/targets") {
            polls += 1;
            return Answer::json(json!({"targets": [target(state)], "next_cursor": null}));
        }
        let status = if matches!(state, "success" | "failed") { state } else { "in_progress" };
        match path {
            "POST /api/v1/deployments" => {
                Answer::json(json!({"deployment_id": DEPLOYMENT, "status": "pending"}))
            }
            _ if path.contains("/devices") => Answer::json(device(Some("cam-1"))),
            _ if state == "broken" => {
                polls += 1;
                Answer::problem(503, "unavailable", "the database does not answer")
            }
            _ => Answer::json(detail(status)),
        }
    })
}

#[test]
fn deploy_prints_the_id_and_sends_an_idempotency_key() {
    let fake = control_plane(&["pending"]);
    let (code, stdout, stderr) = run(kernex_at(&fake, &["deploy", "detector@1.2.0", "--device", DEVICE]));
    assert_eq!((code, stdout.trim()), (0, DEPLOYMENT), "{stderr}");
    let request = fake.requests().pop().unwrap();
    assert_eq!(request.header("idempotency-key").unwrap().len(), 32);
    assert_eq!(request.header("authorization"), Some("Bearer kx_secret"));
    assert_eq!(
        request.json(),
        json!({"bundle_name": "detector", "bundle_version": "1.2.0", "target_devices": [DEVICE]})
    );
}

#[test]
fn a_deployment_is_asked_for_again_with_the_same_key_when_the_connection_breaks() {
    let mut is_first = true;
    let fake = Fake::start(move |_| {
        let cut_after = std::mem::take(&mut is_first).then_some(10);
        Answer { cut_after, ..Answer::json(json!({"deployment_id": DEPLOYMENT, "status": "pending"})) }
    });
    let (code, _, stderr) = run(kernex_at(&fake, &["deploy", "1.2.0", "-d", DEVICE]));
    assert_eq!(code, 0, "{stderr}");
    let keys: Vec<_> =
        fake.requests().iter().map(|request| request.header("idempotency-key").unwrap().to_owned()).collect();
    assert!(keys.len() == 2 && keys[0] == keys[1], "{keys:?}");
}

#[test]
fn waiting_tells_every_change_and_ends_well_when_the_deployment_does() {
    let fake = control_plane(&["pending", "broken", "downloading", "success"]);
    let (code, stdout, stderr) = run(kernex_at(&fake, &["deploy", "1.2.0", "-d", DEVICE, "--wait"]));
    assert_eq!(code, 0, "{stderr}");
    assert!(stdout.contains("cam-1") && stdout.contains("success") && stdout.contains("4.2 s"), "{stdout}");
    for line in ["cam-1: pending", "trying again", "cam-1: downloading", "cam-1: success"] {
        assert!(stderr.contains(line), "{line}: {stderr}");
    }
}

#[test]
fn a_failed_deployment_has_its_exit_code_and_the_reason() {
    let fake = control_plane(&["failed"]);
    let (code, stdout, stderr) = run(kernex_at(&fake, &["deployment", "watch", DEPLOYMENT]));
    assert_eq!(code, 7, "{stderr}");
    assert!(stdout.contains("script_failed") && stdout.contains("cam-1: deploy.sh ended with 3"), "{stdout}");
    assert!(stderr.contains(&format!("error: deployment {DEPLOYMENT} ended as failed")), "{stderr}");
}

#[test]
fn waiting_ends_when_the_time_is_up() {
    let fake = control_plane(&["downloading"]);
    let (code, stdout, stderr) =
        run(kernex_at(&fake, &["deployment", "watch", DEPLOYMENT, "--timeout", "1s", "--output", "json"]));
    assert_eq!((code, stdout.as_str()), (8, ""), "{stderr}");
    assert!(stderr.contains("it goes on"), "{stderr}");
}

#[test]
fn a_refusal_keeps_the_words_of_the_control_plane() {
    let check = |status, code, expected| {
        let fake = Fake::start(move |_| Answer::problem(status, code, "no bundle default@9.9.9"));
        let (exit, _, stderr) = run(kernex_at(&fake, &["deploy", "9.9.9", "-d", DEVICE]));
        assert_eq!(exit, expected, "{stderr}");
        assert!(stderr.contains("no bundle default@9.9.9"), "{stderr}");
    };
    check(404, "not_found", 5);
    check(403, "forbidden", 4);
    check(409, "conflict", 6);
    check(503, "unavailable", 9);
}
