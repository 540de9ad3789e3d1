//! Secrets: none in a log, an error or the audit log; keys that are changed while the server runs; Vault.

use std::{
    collections::BTreeMap,
    io::Write,
    sync::{Arc, Mutex},
};

use axum::{
    Json, Router,
    body::Bytes,
    extract::{Path, State},
    http::{HeaderMap, StatusCode},
    routing::{get, post},
};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use kernex_core::Timestamp;
use kernex_server::{
    Settings,
    config::Options,
    secrets::{Purpose, rotate},
    serve,
};
use kernex_testkit::{ADMIN_PASSWORD, Backend, system_clock, wait_for};
use serde_json::{Value, json};

use crate::support::{Answer, Api, LIMIT};

on_both!(
    no_secret_reaches_a_log_an_error_or_the_audit_log,
    a_changed_key_is_taken_and_old_tokens_are_honoured_for_their_time,
);

/// What is logged, until somebody has taken it.
#[derive(Clone)]
struct Captured(Arc<Mutex<Option<Vec<u8>>>>);

impl Write for Captured {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        if let Some(kept) = self.0.lock().unwrap().as_mut() {
            kept.extend_from_slice(bytes);
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

async fn no_secret_reaches_a_log_an_error_or_the_audit_log(api: &Api) {
    let captured = Captured(Arc::new(Mutex::new(Some(Vec::new()))));
    let writer = captured.clone();
    let subscriber = tracing_subscriber::fmt()
        .with_max_level(tracing_subscriber::filter::LevelFilter::DEBUG)
        .with_ansi(false)
        .with_writer(move || writer.clone())
        .finish();
    // Each test has a process of its own, or this is the only one that sets it.
    let is_set = tracing::subscriber::set_global_default(subscriber).is_ok();

    let folder = api.server.data_dir();
    let mut secrets: Vec<String> = vec![ADMIN_PASSWORD.to_owned(), api.token.clone()];
    secrets.push(std::fs::read_to_string(folder.join("secret.key")).unwrap().trim().to_owned());
    let pem = std::fs::read_to_string(folder.join("keys/audit-signing.pem")).unwrap();
    secrets.extend(pem.lines().filter(|line| line.len() > 40).map(str::to_owned));
    for purpose in Purpose::ALL {
        let ring = rotate::rotate(api.server.state().settings(), purpose, Timestamp::from_millis(api.now()))
            .unwrap();
        secrets.push(hex::encode(ring.current().bytes));
    }
    api.server.state().secrets().refresh(Timestamp::from_millis(api.now())).unwrap();
    let password = "a-password-of-bob-8471";
    secrets.extend([
        password.to_owned(),
        "a-wrong-password-5519".to_owned(),
        "kx_not-a-token-7712".to_owned(),
    ]);
    let made = api.post("/registration-tokens", &json!({"uses": 5})).await.expect(201).json();
    let registration = made["token"].as_str().unwrap().to_owned();
    secrets.push(registration.clone());

    let mut bodies = Vec::new();
    let mut keep = |answer: Answer| bodies.push(format!("{:?} {}", answer.headers, answer.text()));
    let device = api.register(json!({"registration_token": registration})).await;
    device.beat(api).await.expect(200);
    let user = json!({"username": "bob", "password": password, "role": "ops"});
    api.post("/auth/register", &user).await.expect(201);
    keep(api.post("/auth/register", &user).await);
    let token = api.login("bob", password).await;
    secrets.push(token.clone());
    for body in [
        json!({"username": "bob", "password": "a-wrong-password-5519"}).to_string(),
        json!({"username": "bob", "password": ["a-wrong-password-5519"]}).to_string(),
        json!({"username": "bob", "password": password, "more": "a-wrong-password-5519"}).to_string(),
        format!("{{\"username\": \"bob\", \"password\": \"{password}\""),
        format!("{{\"username\": \"bob\", \"password\": {password}}}"),
    ] {
        for path in ["/auth/login", "/auth/register"] {
            keep(api.send_text("POST", path, body.clone()).await);
        }
    }
    for authorization in [
        format!("Bearer {token}x"),
        format!("Basic {token}"),
        "Bearer kx_not-a-token-7712".to_owned(),
        format!("Bearer {token}, {token}"),
    ] {
        keep(Answer::of(api.anonymous("GET", "/devices").header("authorization", authorization)).await);
    }
    keep(
        api.send_text("POST", "/devices/register", json!({"registration_token": registration}).to_string())
            .await,
    );
    keep(Answer::of(api.anonymous("GET", &format!("/devices?q={token}")).bearer_auth(&token)).await);
    Answer::of(api.anonymous("POST", "/auth/logout").bearer_auth(&token)).await.expect(204);
    keep(Answer::of(api.anonymous("GET", "/auth/me").bearer_auth(&token)).await);
    keep(api.get("/audit/export").await.expect(200));

    let log = String::from_utf8(captured.0.lock().unwrap().take().unwrap()).unwrap();
    assert!(!is_set || log.contains("device registered"), "the log was not captured");
    for secret in &secrets {
        assert!(secret.len() > 15, "{secret}");
        assert!(!log.contains(secret.as_str()), "the log holds {secret}");
        for body in &bodies {
            assert!(!body.contains(secret.as_str()), "an answer holds {secret}: {body}");
        }
    }
}

async fn a_changed_key_is_taken_and_old_tokens_are_honoured_for_their_time(api: &Api) {
    let state = api.server.state();
    let now = || Timestamp::from_millis(api.now());
    api.get("/auth/me").await.expect(200);
    rotate::rotate(state.settings(), Purpose::Token, now()).unwrap();
    assert!(state.secrets().refresh(now()).unwrap());
    api.get("/auth/me").await.expect(200);
    let fresh = api.login("admin", ADMIN_PASSWORD).await;
    let kinds = [&api.token, &fresh].map(|token| token.rsplit('.').next().unwrap().to_owned());
    assert_ne!(kinds[0], kinds[1]);
    Answer::of(api.anonymous("GET", "/auth/me").bearer_auth(&fresh)).await.expect(200);
    api.clock.advance_secs(i64::from(state.settings().token_ttl_secs) + 1);
    state.secrets().refresh(now()).unwrap();
    assert_eq!(state.secrets().token_keys().ids().len(), 1);
    api.get("/auth/me").await.refused(401, "unauthenticated", &[]);
}

/// A Vault as its published HTTP API says: KV version 2 and transit, nothing more. Ciphertexts are base64 with a version.
#[derive(Default)]
struct FakeVault {
    version: u64,
    requests: Vec<String>,
}

type Shared = Arc<Mutex<FakeVault>>;
const VAULT_TOKEN: &str = "hvs.a-token-for-tests-4412";

async fn fake_vault() -> (String, Shared) {
    let vault: Shared = Arc::new(Mutex::new(FakeVault { version: 1, ..FakeVault::default() }));
    let router = Router::new()
        .route("/v1/secret/data/{*path}", get(kv))
        .route("/v1/transit/keys/{name}", get(key))
        .route("/v1/transit/encrypt/{name}", post(encrypt))
        .route("/v1/transit/decrypt/{name}", post(decrypt))
        .with_state(vault.clone());
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async move { axum::serve(listener, router).await });
    (address, vault)
}

fn data(value: Value) -> (StatusCode, Json<Value>) {
    let whole = json!({"request_id": "1", "lease_id": "", "renewable": false, "lease_duration": 0, "data": value,
        "wrap_info": null, "warnings": null, "auth": null});
    (StatusCode::OK, Json(whole))
}

fn refuse(headers: &HeaderMap) -> Option<(StatusCode, Json<Value>)> {
    let token = headers.get("x-vault-token").and_then(|token| token.to_str().ok());
    (token != Some(VAULT_TOKEN))
        .then(|| (StatusCode::FORBIDDEN, Json(json!({"errors": ["permission denied"]}))))
}

async fn kv(
    State(vault): State<Shared>,
    Path(path): Path<String>,
    headers: HeaderMap,
) -> (StatusCode, Json<Value>) {
    if let Some(refusal) = refuse(&headers) {
        return refusal;
    }
    vault.lock().unwrap().requests.push(format!("kv {path}"));
    let fields = match path.as_str() {
        "kernex" => json!({"secret_key": "Zm9yLXRoZS10ZXN0cy1vZi1rZXJuZXgtOTM4MQ-qwWE"}),
        _ => json!({"password": "x"}),
    };
    let metadata = json!({"created_time": "2026-01-01T00:00:00Z", "custom_metadata": null, "deletion_time": "",
        "destroyed": false, "version": 1});
    data(json!({"data": fields, "metadata": metadata}))
}

async fn key(
    State(vault): State<Shared>,
    Path(name): Path<String>,
    headers: HeaderMap,
) -> (StatusCode, Json<Value>) {
    if let Some(refusal) = refuse(&headers) {
        return refusal;
    }
    let version = vault.lock().unwrap().version;
    let keys: BTreeMap<String, u64> =
        (1..=version).map(|version| (version.to_string(), 1_700_000_000)).collect();
    data(json!({"type": "aes256-gcm96", "deletion_allowed": false, "derived": false, "exportable": false,
        "allow_plaintext_backup": false, "keys": keys, "min_decryption_version": 1, "min_encryption_version": 0,
        "name": name, "supports_encryption": true, "supports_decryption": true, "supports_derivation": true,
        "supports_signing": false, "imported_key": false, "latest_version": version}))
}

async fn encrypt(State(vault): State<Shared>, headers: HeaderMap, body: Bytes) -> (StatusCode, Json<Value>) {
    if let Some(refusal) = refuse(&headers) {
        return refusal;
    }
    let version = vault.lock().unwrap().version;
    let body: Value = serde_json::from_slice(&body).unwrap();
    let mut bytes = STANDARD.decode(body["plaintext"].as_str().unwrap()).unwrap();
    bytes.iter_mut().for_each(|byte| *byte ^= version as u8);
    data(
        json!({"ciphertext": format!("vault:v{version}:{}", STANDARD.encode(bytes)), "key_version": version}),
    )
}

async fn decrypt(headers: HeaderMap, body: Bytes) -> (StatusCode, Json<Value>) {
    if let Some(refusal) = refuse(&headers) {
        return refusal;
    }
    let body: Value = serde_json::from_slice(&body).unwrap();
    let text = body["ciphertext"].as_str().unwrap().strip_prefix("vault:v").unwrap();
    let (version, bytes) = text.split_once(':').unwrap();
    let mut bytes = STANDARD.decode(bytes).unwrap();
    bytes.iter_mut().for_each(|byte| *byte ^= version.parse::<u8>().unwrap());
    data(json!({"plaintext": STANDARD.encode(bytes)}))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn vault_holds_the_secret_key_and_wraps_the_keys_of_bundles() {
    let (address, vault) = fake_vault().await;
    let api = Api::start_with(Backend::Sqlite, |options| {
        options.vault_address = Some(address);
        options.vault_token = Some(VAULT_TOKEN.to_owned());
        options.vault_secrets = Some("secret/kernex".to_owned());
        options.vault_transit_key = Some("transit/kernex".to_owned());
        options.encrypt_bundles = Some(true);
    })
    .await;
    assert!(vault.lock().unwrap().requests.contains(&"kv kernex".to_owned()));
    assert!(!api.server.data_dir().join("secret.key").exists(), "the secret key is Vault's");
    let id = api.bundle("1.0.0").await;
    let key_file = api.server.data_dir().join(format!("blobs/{id}.key"));
    assert!(std::fs::read_to_string(&key_file).unwrap().starts_with("vault:v1:"));
    let verified = api.post(&format!("/bundles/{id}/verify"), &json!({})).await.expect(200).json();
    assert_eq!(verified["valid"], true);

    vault.lock().unwrap().version = 2;
    api.clock.advance_secs(301);
    let is_new = || std::fs::read_to_string(&key_file).unwrap().starts_with("vault:v2:");
    wait_for("the key to be wrapped anew", LIMIT, async || is_new().then_some(())).await;
    let verified = api.post(&format!("/bundles/{id}/verify"), &json!({})).await.expect(200).json();
    assert_eq!(verified["valid"], true);
}

#[tokio::test]
async fn what_is_wrong_with_vault_is_said_at_the_start_without_the_token() {
    let (address, _) = fake_vault().await;
    let folder = tempfile::tempdir().unwrap();
    let start = async |address: &str, token: &str, secrets: &str| {
        let options = Options {
            data_dir: Some(folder.path().to_owned()),
            listen: Some(([127, 0, 0, 1], 0).into()),
            vault_address: Some(address.to_owned()),
            vault_token: Some(token.to_owned()),
            vault_secrets: Some(secrets.to_owned()),
            ..Options::default()
        };
        let error = serve::start(Settings::resolve(options).unwrap(), system_clock()).await.unwrap_err();
        format!("{error:#}")
    };
    let error = start(&address, "hvs.a-wrong-token-9127", "secret/kernex").await;
    assert!(error.contains("secret/kernex") && error.contains("403"), "{error}");
    assert!(!error.contains("hvs."), "{error}");
    let error = start("http://127.0.0.1:9", VAULT_TOKEN, "secret/kernex").await;
    assert!(error.contains("secret/kernex") && !error.contains("hvs."), "{error}");
    let error = start(&address, VAULT_TOKEN, "secret/other").await;
    assert!(error.contains("the field `password`"), "{error}");
}
