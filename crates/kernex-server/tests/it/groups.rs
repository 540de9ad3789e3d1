//! Selectors in lists, and groups.

use serde_json::{Value, json};

use crate::support::{Answer, Api};

on_both!(
    a_selector_filters_the_list,
    a_wrong_selector_is_refused_with_its_column,
    groups_are_made_changed_used_and_removed,
    a_list_of_devices_is_changed,
    what_is_wrong_with_a_group_is_said,
    people_who_only_read_cannot_change_groups,
);

async fn send(api: &Api, method: &str, path: &str, body: &Value) -> Answer {
    Answer::of(api.request(method, path).json(body)).await
}

async fn total(api: &Api, selector: &str) -> u64 {
    let encoded: String = selector.bytes().map(|byte| format!("%{byte:02x}")).collect();
    let answer = api.get(&format!("/devices?q={encoded}")).await;
    answer.expect(200).json()["total"].as_u64().unwrap()
}

async fn a_selector_filters_the_list(api: &Api) {
    api.register(json!({"device_type": "jetson", "tags": {"site": "berlin", "rack": "2"}})).await;
    api.register(json!({"device_type": "pi", "tags": {"site": "berlin", "rack": "10"}})).await;
    api.register(json!({"device_type": "pi", "tags": {"site": "paris"}})).await;
    for (selector, found) in [
        ("site=berlin", 2),
        ("site=berlin and type!=jetson", 1),
        ("rack<10", 1),
        ("rack!=2", 2),
        ("not (site=paris or rack>5)", 1),
        ("status=pending_approval registered<1h", 3),
        ("bundle.version=*", 0),
        ("paris", 1),
        ("*", 3),
    ] {
        assert_eq!(total(api, selector).await, found, "{selector}");
    }
}

async fn a_wrong_selector_is_refused_with_its_column(api: &Api) {
    for (query, words) in [
        ("q=site%3D", ["q: column 6", "a value is expected"]),
        ("q=status%3Don", ["q: column 8", "none of: online"]),
        ("q=group%3Dnone", ["q: ", "no such group: none"]),
    ] {
        api.get(&format!("/devices?{query}")).await.refused(400, "invalid_request", &words);
    }
}

async fn groups_are_made_changed_used_and_removed(api: &Api) {
    api.register(json!({"tags": {"site": "berlin"}})).await;
    api.register(json!({"tags": {"site": "paris"}})).await;
    let made =
        api.post("/groups", &json!({"name": "berlin", "selector": "site = berlin"})).await.expect(201).json();
    assert_eq!(made["selector"], "site=berlin", "the canonical form");
    let path = format!("/groups/{}", made["id"].as_str().unwrap());
    assert_eq!(api.get(&path).await.expect(200).json()["devices"], 1);
    assert_eq!(total(api, "group=berlin").await, 1);
    assert_eq!(total(api, "not group=berlin").await, 1);
    assert_eq!(api.get(&format!("{path}/devices")).await.expect(200).json()["total"], 1);
    let changed =
        send(api, "PATCH", &path, &json!({"name": "both", "selector": "site=*", "description": "all"})).await;
    assert_eq!(changed.expect(200).json()["description"], "all");
    assert_eq!(total(api, "group=both").await, 2);
    let list = api.get("/groups").await.expect(200).json();
    assert_eq!(list["groups"].as_array().unwrap().len(), 1);
    send(api, "DELETE", &path, &json!(null)).await.expect(204);
    send(api, "DELETE", &path, &json!(null)).await.refused(404, "not_found", &[]);
    api.get(&path).await.refused(404, "not_found", &[]);
}

async fn a_list_of_devices_is_changed(api: &Api) {
    let (one, two) = (api.register(json!({})).await, api.register(json!({})).await);
    let made = api.post("/groups", &json!({"name": "list", "devices": [one.id]})).await.expect(201).json();
    let path = format!("/groups/{}/devices", made["id"].as_str().unwrap());
    let changed = api.post(&path, &json!({"add": [one.id, two.id]})).await.expect(200).json();
    assert_eq!(changed, json!({"added": 1, "removed": 0}));
    assert_eq!(total(api, "group=list").await, 2);
    let changed = api.post(&path, &json!({"remove": [one.id]})).await.expect(200).json();
    assert_eq!(changed, json!({"added": 0, "removed": 1}));
    assert_eq!(api.get(&path).await.expect(200).json()["devices"][0]["device_id"], two.id);
    let nobody = "0199aaaa-0000-7000-8000-000000000000";
    api.post(&path, &json!({"add": [nobody]})).await.refused(400, "unknown_devices", &[nobody]);
    api.post(&path, &json!({})).await.refused(400, "invalid_request", &["both empty"]);
}

async fn what_is_wrong_with_a_group_is_said(api: &Api) {
    api.post("/groups", &json!({"name": "a", "selector": "*"})).await.expect(201);
    let list = api.post("/groups", &json!({"name": "list"})).await.expect(201).json();
    for (body, status, code, words) in [
        (json!({"name": ""}), 400, "invalid_request", "name: ``"),
        (json!({"name": "a b"}), 400, "invalid_request", "name: `a b`"),
        (json!({"name": "b", "selector": "site="}), 400, "invalid_request", "selector: column 6"),
        (
            json!({"name": "b", "selector": "group=a"}),
            400,
            "invalid_request",
            "cannot name groups, such as `a`",
        ),
        (json!({"name": "b", "channel": "prod"}), 400, "invalid_request", "no such channel"),
        (json!({"name": "a", "selector": "*"}), 409, "conflict", "called `a` exists"),
        (json!({"name": "b", "sel": "x"}), 400, "invalid_json", "sel"),
    ] {
        api.post("/groups", &body).await.refused(status, code, &[words]);
    }
    let path = format!("/groups/{}", list["id"].as_str().unwrap());
    send(api, "PATCH", &path, &json!({"selector": "*"})).await.refused(
        409,
        "conflict",
        &["a list of devices"],
    );
    send(api, "PATCH", &path, &json!({"name": "a"})).await.refused(409, "conflict", &["called `a`"]);
    let one = api.register(json!({})).await;
    let groups = api.get("/groups").await.expect(200).json();
    let named =
        groups["groups"].as_array().unwrap().iter().find(|group| group["name"] == "a").unwrap().clone();
    let path = format!("/groups/{}/devices", named["id"].as_str().unwrap());
    api.post(&path, &json!({"add": [one.id]})).await.refused(409, "conflict", &["has a selector"]);
}

async fn people_who_only_read_cannot_change_groups(api: &Api) {
    let token = api.user("reader", "read_only").await;
    let made = api.anonymous("POST", "/groups").bearer_auth(&token).json(&json!({"name": "a"}));
    Answer::of(made).await.refused(403, "forbidden", &[]);
    Answer::of(api.anonymous("GET", "/groups").bearer_auth(&token)).await.expect(200);
}
