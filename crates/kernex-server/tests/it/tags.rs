//! Changing labels and membership of many devices.

use serde_json::{Value, json};

use crate::support::{Answer, Api};

on_both!(
    labels_of_a_selector_are_set_and_removed,
    a_dry_run_only_counts,
    more_than_a_hundred_devices_need_a_number,
    a_file_gives_each_device_its_own_labels,
    a_file_with_mistakes_changes_nothing_and_names_them,
    what_is_wrong_with_a_change_is_said,
    waiting_devices_are_let_in_by_a_selector,
);

async fn tags(api: &Api, device: &str) -> Value {
    api.get(&format!("/devices/{device}")).await.expect(200).json()["tags"].clone()
}

async fn import(api: &Api, query: &str, text: &str) -> Answer {
    let request =
        api.request("POST", &format!("/devices/tags/import{query}")).header("content-type", "text/csv");
    Answer::of(request.body(text.to_owned())).await
}

async fn labels_of_a_selector_are_set_and_removed(api: &Api) {
    let one = api.register(json!({"tags": {"site": "berlin", "old": "x"}})).await;
    let two = api.register(json!({"tags": {"site": "berlin", "floor": "2"}})).await;
    let other = api.register(json!({"tags": {"site": "paris"}})).await;
    let body = json!({"selector": "site=berlin", "set": {"floor": "2"}, "remove": ["old"]});
    let changed = api.post("/devices/tags", &body).await.expect(200).json();
    assert_eq!(
        changed,
        json!({"matched": 2, "changed": 1, "dry_run": false}),
        "the second one had them already"
    );
    assert_eq!(tags(api, &one.id).await, json!({"site": "berlin", "floor": "2"}));
    assert_eq!(tags(api, &two.id).await, json!({"site": "berlin", "floor": "2"}));
    assert_eq!(tags(api, &other.id).await, json!({"site": "paris"}));
    for (selector, found) in [("floor=2", 2), ("old=*", 0), ("floor<3", 2)] {
        let encoded: String = selector.bytes().map(|byte| format!("%{byte:02x}")).collect();
        let list = api.get(&format!("/devices?q={encoded}")).await.expect(200).json();
        assert_eq!(list["total"], found, "{selector}");
    }
}

async fn a_dry_run_only_counts(api: &Api) {
    let one = api.register(json!({"tags": {"site": "berlin"}})).await;
    let body = json!({"selector": "*", "set": {"a": "b"}, "dry_run": true});
    let changed = api.post("/devices/tags", &body).await.expect(200).json();
    assert_eq!(changed, json!({"matched": 1, "changed": 1, "dry_run": true}));
    let csv = import(api, "?dry_run=true", &format!("device_id,a\n{},b\n", one.id)).await.expect(200).json();
    assert_eq!(csv, json!({"matched": 1, "changed": 1, "dry_run": true}));
    assert_eq!(tags(api, &one.id).await, json!({"site": "berlin"}));
}

async fn more_than_a_hundred_devices_need_a_number(api: &Api) {
    for _ in 0..101 {
        api.register(json!({})).await;
    }
    let mut body = json!({"selector": "*", "set": {"a": "b"}});
    api.post("/devices/tags", &body).await.refused(
        409,
        "conflict",
        &["means 101 devices", "confirm_devices: 101"],
    );
    body["confirm_devices"] = json!(100);
    api.post("/devices/tags", &body).await.refused(409, "conflict", &["101"]);
    body["confirm_devices"] = json!(101);
    assert_eq!(api.post("/devices/tags", &body).await.expect(200).json()["changed"], 101);
}

async fn a_file_gives_each_device_its_own_labels(api: &Api) {
    let one = api.register(json!({"tags": {"site": "berlin", "old": "x"}})).await;
    let two = api.register(json!({})).await;
    let patch = api.request("PATCH", &format!("/devices/{}", two.id)).json(&json!({"display_name": "cam 2"}));
    Answer::of(patch).await.expect(200);
    let text = format!("device_id,site,old,floor\n{},,-,3\n{},\"a, b\",,\n", one.id, two.id);
    let changed = import(api, "", &text).await.expect(200).json();
    assert_eq!(changed, json!({"matched": 2, "changed": 2, "dry_run": false}));
    assert_eq!(tags(api, &one.id).await, json!({"site": "berlin", "floor": "3"}));
    assert_eq!(tags(api, &two.id).await, json!({"site": "a, b"}));
    assert_eq!(import(api, "", "name,site\ncam 2,x\n").await.expect(200).json()["changed"], 1);
    assert_eq!(tags(api, &two.id).await, json!({"site": "x"}));
}

async fn a_file_with_mistakes_changes_nothing_and_names_them(api: &Api) {
    let one = api.register(json!({})).await;
    let text = format!("device_id,site\n{0},berlin\nnobody,x\n{0},paris\n", one.id);
    let words =
        ["nothing was changed", "line 3: there is no device `nobody`", "line 4: ", "stands there twice"];
    import(api, "", &text).await.refused(400, "invalid_request", &words);
    assert_eq!(tags(api, &one.id).await, json!({}));
    for (text, word) in [
        ("", "the file is empty"),
        ("site,device_id\nx,y\n", "line 1: the first column must be"),
        ("device_id\nx\n", "line 1: after the first column"),
        ("device_id,a,a\nx,1,2\n", "each once"),
        ("device_id,a b\nx,1\n", "the key `a b`"),
        ("device_id,a\nx\n", "line 2: 1 cells"),
    ] {
        import(api, "", text).await.refused(400, "invalid_request", &[word]);
    }
}

async fn what_is_wrong_with_a_change_is_said(api: &Api) {
    api.register(json!({"tags": {"site": "berlin"}})).await;
    for (body, word) in [
        (json!({"selector": "site=", "set": {"a": "b"}}), "selector: column 6"),
        (json!({"selector": "*"}), "set and remove are both empty"),
        (json!({"selector": "*", "set": {"a": "b"}, "remove": ["a"]}), "`a` stands in set and in remove"),
        (json!({"selector": "*", "set": {"a b": "b"}}), "the key `a b`"),
        (json!({"selector": "*", "remove": [""]}), "the key ``"),
        (json!({"selector": "site=paris", "set": {"a": "b"}}), "it means no device"),
    ] {
        api.post("/devices/tags", &body).await.refused(400, "invalid_request", &[word]);
    }
    let many: serde_json::Map<String, Value> = (0..64).map(|n| (format!("k{n}"), json!("v"))).collect();
    let body = json!({"selector": "*", "set": many});
    api.post("/devices/tags", &body).await.refused(400, "invalid_request", &["more than 64 tags"]);
    let token = api.user("reader", "read_only").await;
    let request = api.anonymous("POST", "/devices/tags").bearer_auth(&token);
    Answer::of(request.json(&json!({"selector": "*", "set": {"a": "b"}}))).await.refused(
        403,
        "forbidden",
        &[],
    );
}

async fn waiting_devices_are_let_in_by_a_selector(api: &Api) {
    let one = api.register(json!({"tags": {"site": "berlin"}})).await;
    api.register(json!({"tags": {"site": "paris"}})).await;
    let dry =
        api.post("/devices/approve", &json!({"selector": "*", "dry_run": true})).await.expect(200).json();
    assert_eq!(dry, json!({"changed": 2, "dry_run": true}));
    let done = api.post("/devices/approve", &json!({"selector": "site=berlin"})).await.expect(200).json();
    assert_eq!(done["changed"], 1);
    assert_eq!(api.get(&format!("/devices/{}", one.id)).await.expect(200).json()["status"], "offline");
    api.post("/devices/approve", &json!({"selector": "site=berlin"})).await.refused(
        400,
        "invalid_request",
        &["no device"],
    );
    let done = api.post("/devices/decommission", &json!({"selector": "*"})).await.expect(200).json();
    assert_eq!(done["changed"], 2);
}
