//! Webhooks: signed, repeated, logged.

use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

use axum::{Router, extract::State, http::HeaderMap, routing::post};
use serde_json::{Value, json};

use crate::support::{Answer, Api};

on_both!(
    an_event_is_sent_signed_and_only_if_it_is_wanted,
    what_was_refused_is_sent_again_later,
    a_webhook_that_always_fails_is_switched_off,
    what_is_wrong_with_a_webhook_is_said,
);

/// What a receiver got: headers and body.
type Got = Arc<Mutex<Vec<(HeaderMap, String)>>>;

struct Receiver {
    url: String,
    got: Got,
    answer: Arc<Mutex<u16>>,
}

impl Receiver {
    async fn start() -> Self {
        let (got, answer) = (Got::default(), Arc::new(Mutex::new(204)));
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/hook", listener.local_addr().unwrap());
        let app = Router::new().route("/hook", post(receive)).with_state((got.clone(), answer.clone()));
        tokio::spawn(async move { axum::serve(listener, app).await.unwrap() });
        Self { url, got, answer }
    }

    fn bodies(&self) -> Vec<Value> {
        self.got.lock().unwrap().iter().map(|(_, body)| serde_json::from_str(body).unwrap()).collect()
    }

    /// Waits until so many requests came.
    async fn wait_for(&self, number: usize) {
        for _ in 0..600 {
            if self.got.lock().unwrap().len() >= number {
                return;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        panic!("only {} of {number} came", self.got.lock().unwrap().len());
    }
}

async fn receive(
    State((got, answer)): State<(Got, Arc<Mutex<u16>>)>,
    headers: HeaderMap,
    body: String,
) -> axum::http::StatusCode {
    got.lock().unwrap().push((headers, body));
    axum::http::StatusCode::from_u16(*answer.lock().unwrap()).unwrap()
}

async fn with_receiver(api: &Api) -> (Api, Receiver) {
    let backend = if api.server.state().store().kind() == "sqlite" {
        kernex_testkit::Backend::Sqlite
    } else {
        kernex_testkit::Backend::Postgres
    };
    let inside =
        Api::start_with(backend, |options| options.outbound_allow = Some("127.0.0.0/8".to_owned())).await;
    (inside, Receiver::start().await)
}

async fn create(api: &Api, receiver: &Receiver, kinds: Value) -> Value {
    api.post("/webhooks", &json!({"url": receiver.url, "kinds": kinds})).await.expect(201).json()
}

fn hmac(secret: &str, text: &str) -> String {
    let key = aws_lc_rs::hmac::Key::new(aws_lc_rs::hmac::HMAC_SHA256, secret.as_bytes());
    hex::encode(aws_lc_rs::hmac::sign(&key, text.as_bytes()))
}

async fn log(api: &Api, hook: &Value) -> Vec<Value> {
    let path = format!("/webhooks/{}/deliveries", hook["id"].as_str().unwrap());
    api.get(&path).await.expect(200).json()["deliveries"].as_array().unwrap().clone()
}

/// Waits until the newest delivery is in this state.
async fn wait_for_state(api: &Api, hook: &Value, state: &str, attempts: u64) -> Value {
    for _ in 0..600 {
        if let Some(newest) = log(api, hook).await.first()
            && newest["state"] == state
            && newest["attempts"] == attempts
        {
            return newest.clone();
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    panic!("never {state} after {attempts}: {:?}", log(api, hook).await);
}

async fn an_event_is_sent_signed_and_only_if_it_is_wanted(api: &Api) {
    let (api, receiver) = with_receiver(api).await;
    let hook = create(&api, &receiver, json!(["device.registered"])).await;
    let secret = hook["secret"].as_str().unwrap();
    let shown = api.get(&format!("/webhooks/{}", hook["id"].as_str().unwrap())).await.expect(200).json();
    assert!(shown.get("secret").is_none(), "{shown}");
    let device = api.device().await;
    device.beat(&api).await.expect(200);
    receiver.wait_for(1).await;
    let newest = wait_for_state(&api, &hook, "delivered", 1).await;
    let (headers, body) = receiver.got.lock().unwrap()[0].clone();
    let header = |name: &str| headers[name].to_str().unwrap().to_owned();
    let timestamp = header("kernex-timestamp");
    assert_eq!(timestamp, (api.now() / 1_000).to_string());
    assert_eq!(header("kernex-signature"), format!("v1={}", hmac(secret, &format!("{timestamp}.{body}"))));
    assert_eq!(
        (header("kernex-event").as_str(), header("kernex-delivery")),
        ("device.registered", newest["id"].as_str().unwrap().to_owned())
    );
    let body = &receiver.bodies()[0];
    assert_eq!((&body["kind"], &body["device_id"]), (&json!("device.registered"), &json!(device.id)));
    assert_eq!(newest["body"], *body);
    assert_eq!(receiver.bodies().len(), 1, "that it is online was not wanted");
    let rotated =
        api.post(&format!("/webhooks/{}/rotate-secret", hook["id"].as_str().unwrap()), &json!({})).await;
    assert_ne!(rotated.expect(200).json()["secret"], hook["secret"]);
    let tested = api
        .post(&format!("/webhooks/{}/test", hook["id"].as_str().unwrap()), &json!({}))
        .await
        .expect(200)
        .json();
    assert_eq!((&tested["state"], &tested["last_status"]), (&json!("delivered"), &json!(204)));
}

async fn what_was_refused_is_sent_again_later(api: &Api) {
    let (api, receiver) = with_receiver(api).await;
    *receiver.answer.lock().unwrap() = 500;
    let hook = create(&api, &receiver, json!(["device.registered"])).await;
    api.register(json!({})).await;
    let failed = wait_for_state(&api, &hook, "pending", 1).await;
    assert_eq!(
        (&failed["last_status"], failed["last_error"].as_str().unwrap()),
        (&json!(500), "the answer was 500 Internal Server Error")
    );
    *receiver.answer.lock().unwrap() = 200;
    api.clock.advance_secs(11);
    let delivered = wait_for_state(&api, &hook, "delivered", 2).await;
    assert_eq!(delivered["id"], failed["id"]);
    let path = format!(
        "/webhooks/{}/deliveries/{}/redeliver",
        hook["id"].as_str().unwrap(),
        failed["id"].as_str().unwrap()
    );
    api.post(&path, &json!({})).await.expect(202);
    receiver.wait_for(3).await;
    wait_for_state(&api, &hook, "delivered", 1).await;
    let nothing = path.replace(failed["id"].as_str().unwrap(), crate::support::NOBODY);
    api.post(&nothing, &json!({})).await.refused(404, "not_found", &[]);
}

async fn a_webhook_that_always_fails_is_switched_off(api: &Api) {
    let (api, receiver) = with_receiver(api).await;
    *receiver.answer.lock().unwrap() = 410;
    let hook = create(&api, &receiver, json!([])).await;
    api.register(json!({})).await;
    wait_for_state(&api, &hook, "pending", 1).await;
    api.clock.advance_secs(3 * 24 * 3_600);
    // The clock has gone past the end of the admin's login, so the store is asked.
    for _ in 0..600 {
        let hooks =
            api.server.state().store().list_webhooks(kernex_core::OrganizationId::DEFAULT).await.unwrap();
        if !hooks[0].is_enabled {
            assert_eq!(hooks[0].disabled_reason.as_deref(), Some("nothing got through for three days"));
            return;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    panic!("still enabled");
}

async fn what_is_wrong_with_a_webhook_is_said(api: &Api) {
    for (url, word) in [
        ("", "url: "),
        ("ftp://example.org/x", "https://"),
        ("http://example.org/x", "https://"),
        ("https://user:secret@example.org/x", "user name"),
        ("https://127.0.0.1/x", "url: "),
        ("https://[::1]/x", "url: "),
        ("https://169.254.169.254/latest", "url: "),
    ] {
        api.post("/webhooks", &json!({"url": url})).await.refused(400, "invalid_request", &[word]);
    }
    let unknown = json!({"url": "https://example.org/x", "kinds": ["device.found"]});
    api.post("/webhooks", &unknown).await.refused(400, "invalid_json", &["device.found"]);
    let token = api.user("ops", "ops").await;
    let request =
        api.anonymous("POST", "/webhooks").bearer_auth(&token).json(&json!({"url": "https://example.org/x"}));
    Answer::of(request).await.refused(403, "forbidden", &["organization:manage"]);
    let path = format!("/webhooks/{}", crate::support::NOBODY);
    api.get(&path).await.refused(404, "not_found", &[]);
    let made = api.post("/webhooks", &json!({"url": "https://example.org/x"})).await.expect(201).json();
    let path = format!("/webhooks/{}", made["id"].as_str().unwrap());
    let patch = api.request("PATCH", &path).json(&json!({"enabled": false, "kinds": ["device.lost"]}));
    let changed = Answer::of(patch).await.expect(200).json();
    assert_eq!((&changed["enabled"], &changed["kinds"]), (&json!(false), &json!(["device.lost"])));
    Answer::of(api.request("DELETE", &path)).await.expect(204);
    assert_eq!(api.get("/webhooks").await.expect(200).json()["webhooks"], json!([]));
}
