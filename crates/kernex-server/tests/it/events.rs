//! Events, read and watched; the timeline; missing heartbeats.

use std::time::Duration;

use futures_util::{SinkExt as _, StreamExt as _};
use serde_json::{Value, json};
use tokio_tungstenite::tungstenite::{Message, client::IntoClientRequest as _, http::HeaderValue};

use crate::support::{Answer, Api};

on_both!(
    what_happens_is_told_in_order,
    events_are_filtered_and_paged,
    a_watcher_is_told_and_resumes_without_a_gap,
    a_watcher_of_another_site_or_without_login_is_refused,
    a_replica_tells_what_another_one_wrote,
    the_timeline_tells_each_step,
    what_is_wrong_with_a_request_for_events_is_said,
);

fn kinds(list: &Value, field: &str) -> Vec<String> {
    let kind = |event: &Value| event["kind"].as_str().unwrap().to_owned();
    list[field].as_array().unwrap().iter().map(kind).collect()
}

type Socket = tokio_tungstenite::WebSocketStream<tokio_tungstenite::MaybeTlsStream<tokio::net::TcpStream>>;

async fn watch(url: &str, token: &str) -> Socket {
    let mut request = url.replace("http://", "ws://").into_client_request().unwrap();
    let bearer = HeaderValue::from_str(&format!("Bearer {token}")).unwrap();
    request.headers_mut().insert("authorization", bearer);
    tokio_tungstenite::connect_async(request).await.unwrap().0
}

/// The next message that is no ping, within a limit.
async fn heard(socket: &mut Socket) -> Value {
    let next = async {
        loop {
            match socket.next().await.unwrap().unwrap() {
                Message::Text(text) => return serde_json::from_str(&text).unwrap(),
                Message::Ping(_) => {}
                other => panic!("{other:?}"),
            }
        }
    };
    tokio::time::timeout(Duration::from_secs(30), next).await.expect("a message comes")
}

async fn what_happens_is_told_in_order(api: &Api) {
    let device = api.device().await;
    device.beat(api).await.expect(200);
    let bundle = api.bundle("1.0.0").await;
    Answer::of(api.request("DELETE", &format!("/bundles/{bundle}"))).await.expect(204);
    api.post(&format!("/devices/{}/decommission", device.id), &json!({})).await.expect(200);
    let list = api.get("/events?after=0").await.expect(200).json();
    assert_eq!(
        kinds(&list, "events"),
        [
            "device.registered",
            "device.online",
            "bundle.uploaded",
            "bundle.withdrawn",
            "device.decommissioned"
        ]
    );
    let events = list["events"].as_array().unwrap();
    assert!(events.iter().map(|event| event["id"].as_u64().unwrap()).is_sorted());
    assert_eq!(events[0]["device_id"], device.id);
    assert_eq!((&events[0]["actor"], &events[2]["actor"]), (&Value::Null, &json!("admin")));
    assert_eq!(events[3]["data"]["version"], "1.0.0");
    assert_eq!(list["last_event_id"], events[4]["id"]);
}

async fn events_are_filtered_and_paged(api: &Api) {
    let (one, two) = (api.device().await, api.device().await);
    one.beat(api).await.expect(200);
    let list = api.get(&format!("/events?device_id={}", two.id)).await.expect(200).json();
    assert_eq!(kinds(&list, "events"), ["device.registered"]);
    let list = api.get("/events?kind=device.online,bundle.uploaded").await.expect(200).json();
    assert_eq!(kinds(&list, "events"), ["device.online"]);
    let first = api.get("/events?limit=2").await.expect(200).json();
    let cursor = first["next_cursor"].as_str().unwrap();
    let second = api.get(&format!("/events?limit=2&cursor={cursor}")).await.expect(200).json();
    assert_eq!([kinds(&first, "events").len(), kinds(&second, "events").len()], [2, 1]);
    assert_eq!(second["next_cursor"], Value::Null);
}

async fn a_watcher_is_told_and_resumes_without_a_gap(api: &Api) {
    api.device().await;
    let mut socket = watch(&api.url("/events"), &api.token).await;
    let hello = heard(&mut socket).await;
    assert_eq!(hello["type"], "hello");
    let device = api.device().await;
    let told = heard(&mut socket).await;
    assert_eq!(
        (&told["event"]["kind"], &told["event"]["device_id"]),
        (&json!("device.registered"), &json!(device.id))
    );
    socket.close(None).await.unwrap();
    device.beat(api).await.expect(200); // while nobody watches
    let after = told["event"]["id"].as_u64().unwrap();
    let mut socket = watch(&api.url(&format!("/events?after={after}")), &api.token).await;
    assert_eq!(heard(&mut socket).await, json!({"type": "hello", "after": after}));
    assert_eq!(heard(&mut socket).await["event"]["kind"], "device.online");
    // What a client says does no harm.
    socket.send(Message::Text("hello?".into())).await.unwrap();
    api.device().await;
    assert_eq!(heard(&mut socket).await["event"]["kind"], "device.registered");
    let mut filtered = watch(&api.url("/events?after=0&kind=device.online"), &api.token).await;
    heard(&mut filtered).await;
    assert_eq!(heard(&mut filtered).await["event"]["kind"], "device.online");
}

async fn a_watcher_of_another_site_or_without_login_is_refused(api: &Api) {
    let handshake = |method: &str, origin: Option<&str>| {
        let mut request = api.anonymous(method, "/events");
        for (name, value) in [
            ("connection", "upgrade"),
            ("upgrade", "websocket"),
            ("sec-websocket-version", "13"),
            ("sec-websocket-key", "dGhlIHNhbXBsZSBub25jZQ=="),
        ] {
            request = request.header(name, value);
        }
        match origin {
            Some(origin) => request.header("origin", origin),
            None => request,
        }
    };
    Answer::of(handshake("GET", None)).await.refused(401, "unauthenticated", &[]);
    let foreign = handshake("GET", Some("https://evil.example")).bearer_auth(&api.token);
    Answer::of(foreign).await.refused(403, "forbidden", &["Origin"]);
}

async fn a_replica_tells_what_another_one_wrote(api: &Api) {
    let replica = api.replica().await;
    let mut socket = watch(&format!("{}/events", crate::support::api_of(&replica)), &api.token).await;
    heard(&mut socket).await;
    let device = api.device().await;
    assert_eq!(heard(&mut socket).await["event"]["device_id"], device.id);
}

async fn the_timeline_tells_each_step(api: &Api) {
    let device = api.device().await;
    device.beat(api).await.expect(200);
    api.bundle("1.0.0").await;
    api.clock.advance_secs(10);
    let deployment = api.deploy("1.0.0", &[&device]).await;
    api.clock.advance_secs(10);
    device.beat(api).await.expect(200);
    api.clock.advance_secs(10);
    device.report(api, &deployment, "success").await.expect(200);
    let path = format!("/devices/{}/timeline", device.id);
    let timeline = api.get(&path).await.expect(200).json();
    assert_eq!(
        kinds(&timeline, "entries"),
        ["target.success", "target.delivered", "target.pending", "device.online", "device.registered"]
    );
    let delivered = &timeline["entries"][1];
    assert_eq!(delivered["deployment"]["id"], deployment);
    assert_eq!(
        (&delivered["deployment"]["bundle_version"], &delivered["attempt"]),
        (&json!("1.0.0"), &json!(1))
    );
    let (mut pages, mut from) = (Vec::new(), String::new());
    for _ in 0..4 {
        let page = api.get(&format!("{path}?limit=2{from}")).await.expect(200).json();
        pages.extend(kinds(&page, "entries"));
        match page["next_cursor"].as_str() {
            Some(cursor) => from = format!("&cursor={cursor}"),
            None => break,
        }
    }
    assert_eq!(pages, kinds(&timeline, "entries"), "pages are the whole in pieces");
}

async fn what_is_wrong_with_a_request_for_events_is_said(api: &Api) {
    for (path, word) in [
        ("/events?kind=device.lost,device.found", "`device.found` is none of"),
        ("/events?after=-1", "after"),
        ("/events?device_id=x", "device_id"),
        ("/events?limit=0", "limit"),
        ("/events?cursor=x", "cursor"),
        ("/events?since=1", "since"),
    ] {
        api.get(path).await.refused(400, "invalid_request", &[word]);
    }
    let nobody = "0199aaaa-0000-7000-8000-000000000000";
    api.get(&format!("/devices/{nobody}/timeline")).await.refused(404, "not_found", &[]);
}
