//! Devices by name, and questions before what cannot be undone.

use serde_json::json;

use crate::{
    DEVICE, device,
    fake::{Answer, Fake},
    kernex_at, run,
};

fn control_plane() -> Fake {
    Fake::start(|request| {
        let (method, path) = request.line.split_once(' ').unwrap();
        let config = json!({"polling_interval": 60, "heartbeat_timeout": 30, "deploy_timeout": 300,
            "log_level": "INFO", "metadata": {"a": 1}, "version": 2});
        match (method, path.trim_start_matches("/api/v1/devices")) {
            ("GET", "?limit=200&q=cam-1") => {
                Answer::json(json!({"devices": [device(Some("cam-1"))], "total": 1, "next_cursor": null}))
            }
            ("GET", list) if list.starts_with('?') => {
                Answer::json(json!({"devices": [], "total": 0, "next_cursor": null}))
            }
            (_, path) if path.ends_with("/config") => Answer::json(config),
            _ => Answer::json(device(Some("cam-1"))),
        }
    })
}

#[test]
fn a_device_is_found_by_its_name() {
    let fake = control_plane();
    let (code, stdout, stderr) = run(kernex_at(&fake, &["device", "show", "cam-1"]));
    assert_eq!(code, 0, "{stderr}");
    assert!(stdout.contains(DEVICE) && stdout.contains("online"), "{stdout}");
    assert_eq!(fake.lines()[1], format!("GET /api/v1/devices/{DEVICE}"));
}

#[test]
fn a_device_that_is_not_there_has_its_exit_code_and_hint() {
    let (code, stdout, stderr) = run(kernex_at(&control_plane(), &["device", "show", "cam-9"]));
    assert_eq!((code, stdout.as_str()), (5, ""));
    assert!(stderr.starts_with("error: no device is named `cam-9`\nhint: `kernex device list`"), "{stderr}");
}

#[test]
fn what_cannot_be_undone_needs_yes_without_a_terminal() {
    let fake = control_plane();
    let (code, _, stderr) = run(kernex_at(&fake, &["device", "decommission", "cam-1"]));
    assert_eq!(code, 2, "{stderr}");
    assert!(stderr.contains("--yes"), "{stderr}");
    assert!(fake.lines().iter().all(|line| line.starts_with("GET")));
    assert_eq!(run(kernex_at(&fake, &["device", "decommission", "cam-1", "--yes"])).0, 0);
    assert_eq!(fake.lines().last().unwrap(), &format!("POST /api/v1/devices/{DEVICE}/decommission"));
}

#[test]
fn a_configuration_is_changed_and_metadata_keeps_its_other_keys() {
    let fake = control_plane();
    let arguments =
        ["device", "config", "set", DEVICE, "polling_interval=30", "log_level=DEBUG", "metadata.b=x"];
    let (code, stdout, stderr) = run(kernex_at(&fake, &arguments));
    assert_eq!(code, 0, "{stderr}");
    assert!(stdout.contains("polling_interval"), "{stdout}");
    let put = fake.requests().pop().unwrap();
    assert_eq!(put.line, format!("PUT /api/v1/devices/{DEVICE}/config"));
    assert_eq!(
        put.json(),
        json!({"polling_interval": 30, "log_level": "DEBUG", "metadata": {"a": 1, "b": "x"}})
    );
}

#[test]
fn a_value_out_of_range_is_refused_before_it_is_sent() {
    let fake = control_plane();
    let (code, _, stderr) = run(kernex_at(&fake, &["device", "config", "set", DEVICE, "polling_interval=0"]));
    assert_eq!(code, 2, "{stderr}");
    assert!(stderr.contains("polling_interval is 0"), "{stderr}");
    assert!(fake.lines().iter().all(|line| line.starts_with("GET")));
}

#[test]
fn labels_are_changed_on_top_of_those_that_are_there() {
    let fake = control_plane();
    let (code, _, stderr) = run(kernex_at(&fake, &["device", "tag", DEVICE, "site=berlin", "rack-"]));
    assert_eq!(code, 0, "{stderr}");
    assert_eq!(fake.requests().pop().unwrap().json(), json!({"tags": {"site": "berlin"}}));
}

#[test]
fn every_page_is_fetched_up_to_the_limit() {
    let fake = Fake::start(|request| {
        let cursor = if request.line.contains("cursor=") { None } else { Some("next") };
        Answer::json(json!({"devices": [device(None)], "total": 3, "next_cursor": cursor}))
    });
    let (code, stdout, _) = run(kernex_at(&fake, &["device", "list", "--output", "json", "--limit", "2"]));
    let list: serde_json::Value = serde_json::from_str(&stdout).unwrap();
    assert_eq!((code, list["devices"].as_array().unwrap().len(), &list["total"]), (0, 2, &json!(3)));
    assert_eq!(fake.lines(), ["GET /api/v1/devices?limit=2", "GET /api/v1/devices?limit=1&cursor=next"]);
}
