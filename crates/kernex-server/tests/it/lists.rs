//! Lists, their parameters, and configuration.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use crate::support::{Answer, Api, NOBODY};

on_both!(
    wrong_parameters_are_named,
    pages_cover_everything_once,
    devices_are_found_by_what_is_known_of_them,
    what_does_not_exist_is_not_found,
    a_configuration_is_changed_step_by_step,
    a_configuration_out_of_range_is_refused,
    a_configuration_returns_to_an_earlier_version,
    changes_at_the_same_time_get_a_version_each,
    a_device_is_named_and_labelled,
    statistics_follow_the_fleet,
);

async fn wrong_parameters_are_named(api: &Api) {
    let device = api.device().await;
    let own = format!("/devices/{}", device.id);
    api.bundle("1.0.0").await;
    let deployment = api.deploy("1.0.0", &[&device]).await;
    let lists = [
        "/devices".to_owned(),
        "/bundles".to_owned(),
        "/deployments".to_owned(),
        "/logs".to_owned(),
        format!("/deployments/{deployment}/targets"),
        format!("{own}/heartbeats"),
        format!("{own}/logs"),
        format!("{own}/bundle-history"),
    ];
    for list in &lists {
        for limit in ["0", "201", "-1", "abc", "", "1.5", "99999999999"] {
            api.get(&format!("{list}?limit={limit}")).await.refused(400, "invalid_request", &["limit"]);
        }
        api.get(&format!("{list}?colour=red")).await.refused(400, "invalid_request", &["colour"]);
        api.get(&format!("{list}?limit=1&limit=2")).await.refused(400, "invalid_request", &["limit"]);
        if !list.ends_with("bundle-history") {
            api.get(&format!("{list}?cursor=abc")).await.refused(400, "invalid_request", &["cursor"]);
        }
        for limit in [1, 200] {
            api.get(&format!("{list}?limit={limit}")).await.expect(200);
        }
    }
    for (path, word) in [
        ("/devices?status=asleep".to_owned(), "status"),
        ("/devices?status=".to_owned(), "status"),
        ("/devices?tag=site".to_owned(), "tag"),
        (format!("/devices?tag={}", ["a=b"; 9].join(",")), "tag"),
        (format!("/devices?q={}", "x".repeat(2_001)), "q: column 1: a selector has at most 2000 bytes"),
        ("/deployments?status=done".to_owned(), "status"),
        (format!("/deployments/{deployment}/targets?state=done"), "state"),
        ("/bundles?name=UPPER".to_owned(), "name"),
        ("/logs?level=loud".to_owned(), "level"),
    ] {
        api.get(&path).await.refused(400, "invalid_request", &[word]);
    }
}

async fn pages_cover_everything_once(api: &Api) {
    let mut expected = BTreeSet::new();
    for _ in 0..7 {
        expected.insert(api.register(json!({})).await.id);
        api.clock.advance_secs(1);
    }
    let (mut seen, mut path) = (Vec::new(), "/devices?limit=3".to_owned());
    loop {
        let page = api.get(&path).await.expect(200).json();
        assert_eq!(page["total"], 7);
        seen.extend(
            page["devices"]
                .as_array()
                .unwrap()
                .iter()
                .map(|device| device["device_id"].as_str().unwrap().to_owned()),
        );
        match page["next_cursor"].as_str() {
            Some(cursor) => path = format!("/devices?limit=3&cursor={cursor}"),
            None => break,
        }
    }
    assert_eq!(seen.len(), 7);
    assert!(seen.is_sorted_by(|newer, older| newer > older), "newest first");
    assert_eq!(seen.into_iter().collect::<BTreeSet<_>>(), expected);
}

async fn devices_are_found_by_what_is_known_of_them(api: &Api) {
    let device =
        api.register(json!({"device_type": "jetson_nano", "tags": {"site": "a=b", "rack": "7"}})).await;
    api.register(json!({"device_type": "raspberry"})).await;
    for (query, found) in [
        ("q=jetson", 1),
        ("q=n_n", 1),
        ("q=%25", 0),
        ("q=JETSON_NANO", 1),
        ("q=nothing", 0),
        ("q=", 2),
        ("tag=site=a=b", 1),
        ("tag=site=a=b,rack=7", 1),
        ("tag=site=a", 0),
        ("status=pending_approval", 2),
        ("status=online", 0),
        ("bundle_version=1.0.0", 0),
    ] {
        let answer = api.get(&format!("/devices?{query}")).await.expect(200).json();
        assert_eq!(answer["total"], found, "{query}");
    }
    let answer = api.get(&format!("/devices?q={}", device.id)).await.expect(200).json();
    assert_eq!(answer["devices"][0]["device_id"], device.id);
}

async fn what_does_not_exist_is_not_found(api: &Api) {
    for id in [NOBODY, "camera", "1", "..", "%2e%2e%2f", "null", "%F0%9F%A6%80"] {
        for (path, noun) in [
            (format!("/devices/{id}"), "device"),
            (format!("/devices/{id}/config"), "device"),
            (format!("/devices/{id}/config/versions"), "device"),
            (format!("/devices/{id}/heartbeats"), "device"),
            (format!("/devices/{id}/logs"), "device"),
            (format!("/devices/{id}/bundle-history"), "device"),
            (format!("/bundles/{id}"), "bundle"),
            (format!("/bundles/{id}/manifest"), "bundle"),
            (format!("/deployments/{id}"), "deployment"),
            (format!("/deployments/{id}/targets"), "deployment"),
        ] {
            if id == ".." {
                continue; // the client would take it for a step up
            }
            api.get(&path).await.refused(404, "not_found", &[noun, "not found"]);
        }
        if id == ".." {
            continue;
        }
        for path in [
            format!("/devices/{id}/approve"),
            format!("/devices/{id}/reject"),
            format!("/devices/{id}/decommission"),
            format!("/bundles/{id}/verify"),
            format!("/deployments/{id}/cancel"),
            format!("/deployments/{id}/rollback"),
        ] {
            api.post(&path, &json!({})).await.refused(404, "not_found", &["not found"]);
        }
        let body = json!({"version": 1});
        api.post(&format!("/devices/{id}/config/rollback"), &body).await.refused(
            404,
            "not_found",
            &["device"],
        );
        let answer = api.send_text("PUT", &format!("/devices/{id}/config"), "{}").await;
        answer.refused(404, "not_found", &["device"]);
        api.send_text("PATCH", &format!("/devices/{id}"), "{}").await.refused(404, "not_found", &["device"]);
        for path in [format!("/bundles/{id}"), format!("/devices/{id}"), format!("/registration-tokens/{id}")]
        {
            Answer::of(api.request("DELETE", &path)).await.refused(404, "not_found", &["not found"]);
        }
    }
}

async fn put(api: &Api, device: &str, body: &Value) -> Answer {
    api.send_text("PUT", &format!("/devices/{device}/config"), body.to_string()).await
}

async fn a_configuration_is_changed_step_by_step(api: &Api) {
    let device = api.device().await;
    let path = format!("/devices/{}/config", device.id);
    let default = json!({"polling_interval": 60, "heartbeat_timeout": 30, "deploy_timeout": 300, "log_level": "INFO",
        "metadata": {}, "version": 1});
    assert_eq!(api.get(&path).await.expect(200).json(), default);
    assert_eq!(put(api, &device.id, &json!({"polling_interval": 5})).await.expect(200).json()["version"], 2);
    let changed = put(api, &device.id, &json!({"metadata": {"a": [1, null]}, "log_level": "WARNING"}))
        .await
        .expect(200)
        .json();
    let expected = json!({"polling_interval": 5, "heartbeat_timeout": 30, "deploy_timeout": 300, "log_level": "WARN",
        "metadata": {"a": [1, null]}, "version": 3});
    assert_eq!(changed, expected);
    let answer = device.beat(api).await.expect(200).json();
    assert_eq!(answer["next_heartbeat_secs"], 5);
    assert_eq!(answer["commands"][0]["type"], "configure");
    assert_eq!(answer["commands"][0]["config_version"], 3);
    let mut beat = crate::support::heartbeat();
    beat["config_version"] = json!(3);
    let answer =
        device.send(api, "POST", &device.heartbeat_path(), beat.to_string()).await.expect(200).json();
    assert_eq!(answer["commands"], json!([]));
}

async fn a_configuration_out_of_range_is_refused(api: &Api) {
    let device = api.device().await;
    for (body, words) in [
        (json!({"polling_interval": 0}), ["polling_interval is 0", "1 and 86400"]),
        (json!({"polling_interval": 86_401}), ["polling_interval is 86401", "86400"]),
        (json!({"heartbeat_timeout": 0}), ["heartbeat_timeout", "1 and 300"]),
        (json!({"heartbeat_timeout": 301}), ["heartbeat_timeout", "301"]),
        (json!({"deploy_timeout": 9}), ["deploy_timeout", "10 and 86400"]),
        (json!({"polling_interval": 5, "deploy_timeout": 100_000}), ["deploy_timeout", "100000"]),
        (json!({"metadata": {"x": "y".repeat(17_000)}}), ["metadata", "16384"]),
    ] {
        put(api, &device.id, &body).await.refused(400, "invalid_request", &words);
    }
    assert_eq!(api.stored().await["device_configs"], 0);
    assert_eq!(api.get(&format!("/devices/{}/config", device.id)).await.expect(200).json()["version"], 1);
}

async fn a_configuration_returns_to_an_earlier_version(api: &Api) {
    let device = api.device().await;
    for secs in [10, 20] {
        put(api, &device.id, &json!({"polling_interval": secs})).await.expect(200);
    }
    let path = format!("/devices/{}/config/rollback", device.id);
    for version in [0, 4, u64::MAX] {
        let answer = api.post(&path, &json!({"version": version})).await;
        answer.refused(400, "invalid_request", &["version", &version.to_string()]);
    }
    let answer = api.post(&path, &json!({"version": 2})).await.expect(200).json();
    assert_eq!((answer["version"].clone(), answer["polling_interval"].clone()), (json!(4), json!(10)));
    let answer = api.post(&path, &json!({"version": 1})).await.expect(200).json();
    assert_eq!((answer["version"].clone(), answer["polling_interval"].clone()), (json!(5), json!(60)));
    let versions = api.get(&format!("/devices/{}/config/versions", device.id)).await.expect(200).json();
    let numbers: Vec<_> =
        versions["versions"].as_array().unwrap().iter().map(|version| version["version"].clone()).collect();
    assert_eq!(numbers, [5, 4, 3, 2, 1]);
}

async fn changes_at_the_same_time_get_a_version_each(api: &Api) {
    let device = api.device().await;
    let body = json!({"log_level": "DEBUG"});
    let answers = futures_util::future::join_all((0..20).map(|_| put(api, &device.id, &body))).await;
    let versions: BTreeSet<_> =
        answers.into_iter().map(|answer| answer.expect(200).json()["version"].as_u64().unwrap()).collect();
    assert_eq!(versions, (2..=21).collect());
}

async fn a_device_is_named_and_labelled(api: &Api) {
    let device = api.device().await;
    let path = format!("/devices/{}", device.id);
    let patch = async |body: Value| api.send_text("PATCH", &path, body.to_string()).await;
    let shown = patch(json!({"display_name": "camera", "tags": {"site": "north"}})).await.expect(200).json();
    assert_eq!(
        (shown["display_name"].clone(), shown["tags"].clone()),
        (json!("camera"), json!({"site": "north"}))
    );
    for (body, word) in [
        (json!({"display_name": "x".repeat(129)}), "display_name"),
        (json!({"display_name": "a\u{1b}[31m"}), "display_name"),
        (json!({"tags": {"": "x"}}), "tags"),
        (json!({"display_name": "other", "tags": {"a,b": "x"}}), "a,b"),
    ] {
        patch(body).await.refused(400, "invalid_request", &[word]);
    }
    let shown = api.get(&path).await.expect(200).json();
    assert_eq!(shown["display_name"], "camera");
    assert_eq!(patch(json!({"display_name": ""})).await.expect(200).json()["display_name"], Value::Null);
}

async fn statistics_follow_the_fleet(api: &Api) {
    let device = api.device().await;
    api.register(json!({})).await;
    api.bundle("1.0.0").await;
    api.deploy("1.0.0", &[&device]).await;
    device.beat(api).await.expect(200);
    let stats = api.get("/devices/stats").await.expect(200).json();
    for (field, value) in [
        ("total_devices", 2),
        ("online_devices", 1),
        ("offline_devices", 0),
        ("pending_devices", 1),
        ("bundles", 1),
        ("active_deployments", 1),
    ] {
        assert_eq!(stats[field], value, "{field}: {stats}");
    }
    assert_eq!(stats["deployments_by_status"]["in_progress"], 1);
    api.clock.advance_secs(3_600);
    assert_eq!(api.get("/devices/stats").await.expect(200).json()["offline_devices"], 1);
}
