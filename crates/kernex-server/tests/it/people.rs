//! Users: logging in, roles, the first admin.

use aws_lc_rs::signature::{Ed25519KeyPair, KeyPair as _};
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use kernex_server::auth::make_bootstrap_link;
use kernex_testkit::ADMIN_PASSWORD;
use serde_json::{Value, json};

use crate::support::{Answer, Api, NOBODY, TOKEN_TTL_SECS};

on_both!(
    a_login_gives_a_token_that_says_who_it_is,
    a_wrong_login_does_not_say_what_is_wrong,
    requests_without_a_good_token_are_refused,
    a_forged_token_is_refused,
    a_token_ends_with_its_time_and_with_logout,
    who_may_only_look_changes_nothing,
    only_an_admin_registers_users,
    the_bootstrap_secret_works_once,
);

async fn a_login_gives_a_token_that_says_who_it_is(api: &Api) {
    let body = json!({"username": "admin", "password": ADMIN_PASSWORD});
    let answer = Answer::of(api.anonymous("POST", "/auth/login").json(&body)).await.expect(200);
    answer.dressed();
    let login = answer.json();
    assert_eq!(
        (login["token_type"].clone(), login["expires_in"].clone()),
        (json!("bearer"), json!(TOKEN_TTL_SECS))
    );
    assert_eq!(answer.header("cache-control"), Some("no-store"));
    let me = api.get("/auth/me").await.expect(200);
    assert_eq!((me.json()["username"].clone(), me.json()["role"].clone()), (json!("admin"), json!("admin")));
    assert!(!me.text().contains("argon2"), "a hash is nobody's business");
}

async fn a_wrong_login_does_not_say_what_is_wrong(api: &Api) {
    let login = async |username: &str, password: &str| {
        let body = json!({"username": username, "password": password});
        Answer::of(api.anonymous("POST", "/auth/login").json(&body)).await
    };
    let mut bodies = Vec::new();
    for (username, password) in [
        ("admin", "wrong"),
        ("nobody", ADMIN_PASSWORD),
        ("", ""),
        ("Admin", ADMIN_PASSWORD),
        ("admin' --", "x"),
    ] {
        let answer = login(username, password).await;
        answer.refused(401, "unauthenticated", &["the username or the password is wrong"]);
        let mut problem = answer.json();
        problem["request_id"] = Value::Null;
        bodies.push(problem);
    }
    assert!(bodies.iter().all(|body| *body == bodies[0]));
    let long = login("admin", &"x".repeat(100_000)).await;
    assert!([400, 401].contains(&long.status), "{}", long.text());
    assert_eq!(api.stored().await["sessions"], 2, "that of the test server and that of this test");
}

async fn requests_without_a_good_token_are_refused(api: &Api) {
    let good = format!("Bearer {}", api.token);
    for values in [
        vec![],
        vec![""],
        vec!["Bearer"],
        vec!["Bearer "],
        vec!["Bearer x"],
        vec!["Bearer a.b.c"],
        vec!["Basic YWRtaW46YWRtaW4="],
        vec![api.token.as_str()],
        vec![good.as_str(), good.as_str()],
        vec![good.as_str(), "Bearer x"],
    ] {
        for (method, path) in [
            ("GET", "/auth/me"),
            ("GET", "/devices"),
            ("POST", "/auth/logout"),
            ("GET", &format!("/bundles/{NOBODY}")),
        ] {
            let request = values
                .iter()
                .fold(api.anonymous(method, path), |request, value| request.header("authorization", *value));
            Answer::of(request).await.refused(401, "unauthenticated", &[]);
        }
    }
    let in_query = Answer::of(api.anonymous("GET", &format!("/devices?access_token={}", api.token))).await;
    in_query.refused(401, "unauthenticated", &[]);
    let other_case =
        api.anonymous("GET", "/auth/me").header("authorization", format!("bearer {}", api.token));
    Answer::of(other_case).await.expect(200);
}

async fn a_forged_token_is_refused(api: &Api) {
    let parts: Vec<_> = api.token.split('.').collect();
    let claims: Value = serde_json::from_slice(&URL_SAFE_NO_PAD.decode(parts[1]).unwrap()).unwrap();
    let encode = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
    let hmac = |text: &str, key: &[u8]| {
        let key = aws_lc_rs::hmac::Key::new(aws_lc_rs::hmac::HMAC_SHA256, key);
        URL_SAFE_NO_PAD.encode(aws_lc_rs::hmac::sign(&key, text.as_bytes()))
    };
    let sign = |header: Value, claims: &Value, key: &[u8]| {
        let text = format!("{}.{}", encode(&header), encode(claims));
        format!("{text}.{}", hmac(&text, key))
    };
    let header: Value = serde_json::from_slice(&URL_SAFE_NO_PAD.decode(parts[0]).unwrap()).unwrap();
    assert_eq!((header["alg"].clone(), header["typ"].clone()), (json!("EdDSA"), json!("JWT")));
    let own = Ed25519KeyPair::generate().unwrap();
    let by_own_key = |header: &Value, claims: &Value| {
        let text = format!("{}.{}", encode(header), encode(claims));
        format!("{text}.{}", URL_SAFE_NO_PAD.encode(own.sign(text.as_bytes())))
    };
    let with = |field: &str, value: Value| {
        let mut header = header.clone();
        header[field] = value;
        header
    };
    let own_key =
        json!({"kty": "OKP", "crv": "Ed25519", "x": URL_SAFE_NO_PAD.encode(own.public_key().as_ref())});
    let mut later = claims.clone();
    later["exp"] = json!(9_999_999_999_i64);
    let none = |alg: &str| encode(&with("alg", json!(alg)));
    for (what, token) in [
        ("no algorithm, no signature", format!("{}.{}.", none("none"), parts[1])),
        ("no algorithm, old signature", format!("{}.{}.{}", none("none"), parts[1], parts[2])),
        ("NONE", format!("{}.{}.", none("NONE"), parts[1])),
        ("changed claims", format!("{}.{}.{}", parts[0], encode(&later), parts[2])),
        ("another key of the same name", by_own_key(&header, &claims)),
        ("another key, sent along", by_own_key(&with("jwk", own_key), &claims)),
        ("another key, to be fetched", by_own_key(&with("jku", json!("https://example.com/keys")), &claims)),
        ("a key that there is not", by_own_key(&with("kid", json!("0123456789abcdef")), &claims)),
        ("no key", by_own_key(&json!({"alg": "EdDSA", "typ": "JWT"}), &claims)),
        (
            "the public key as a secret",
            sign(with("alg", json!("HS256")), &claims, header["kid"].as_str().unwrap().as_bytes()),
        ),
        ("an empty key", sign(with("alg", json!("HS256")), &claims, b"")),
        ("another algorithm", format!("{}.{}.{}", none("RS256"), parts[1], parts[2])),
        ("no signature", format!("{}.{}", parts[0], parts[1])),
        ("empty signature", format!("{}.{}.", parts[0], parts[1])),
        ("a signature cut off", api.token[..api.token.len() - 4].to_owned()),
    ] {
        let answer = Answer::of(api.anonymous("GET", "/auth/me").bearer_auth(&token)).await;
        assert_eq!(answer.status, 401, "{what}: {}", answer.text());
        answer.refused(401, "unauthenticated", &["token"]);
    }
    api.get("/auth/me").await.expect(200);
}

async fn a_token_ends_with_its_time_and_with_logout(api: &Api) {
    let (one, two) = (api.login("admin", ADMIN_PASSWORD).await, api.login("admin", ADMIN_PASSWORD).await);
    let me = async |token: &str| Answer::of(api.anonymous("GET", "/auth/me").bearer_auth(token)).await;
    Answer::of(api.anonymous("POST", "/auth/logout").bearer_auth(&one)).await.expect(204);
    me(&one).await.refused(401, "unauthenticated", &["logged out"]);
    let again = Answer::of(api.anonymous("POST", "/auth/logout").bearer_auth(&one)).await;
    again.refused(401, "unauthenticated", &[]);
    me(&two).await.expect(200);
    api.clock.advance_secs(i64::from(TOKEN_TTL_SECS) - 1);
    me(&two).await.expect(200);
    api.clock.advance_secs(1);
    me(&two).await.refused(401, "unauthenticated", &["expired"]);
}

/// With the settings that a control plane has by itself.
#[tokio::test(flavor = "multi_thread")]
async fn a_token_lasts_a_quarter_of_an_hour_and_its_login_renews_it_for_half_a_day() {
    let default = |options: &mut kernex_server::config::Options| options.token_ttl_secs = None;
    let api = Api::start_with(kernex_testkit::Backend::Sqlite, default).await;
    let body = json!({"username": "admin", "password": ADMIN_PASSWORD});
    let login = Answer::of(api.anonymous("POST", "/auth/login").json(&body)).await.expect(200).json();
    assert_eq!((login["token_type"].clone(), login["expires_in"].clone()), (json!("bearer"), json!(900)));
    let me = async |login: &Value| {
        let token = login["access_token"].as_str().unwrap();
        Answer::of(api.anonymous("GET", "/auth/me").bearer_auth(token)).await
    };
    let refresh = async |secret: &Value| {
        Answer::of(api.anonymous("POST", "/auth/refresh").json(&json!({"refresh_token": secret}))).await
    };
    api.clock.advance_secs(900);
    me(&login).await.refused(401, "unauthenticated", &["expired"]);
    let next = refresh(&login["refresh_token"]).await.expect(200).json();
    assert_eq!(next["expires_in"], 900);
    me(&next).await.expect(200);
    for wrong in [json!(""), json!("kxr_x"), login["access_token"].clone()] {
        refresh(&wrong).await.refused(401, "unauthenticated", &["log in again"]);
    }
    api.clock.advance_secs(43_200 - 900 - 60);
    let last = refresh(&login["refresh_token"]).await.expect(200).json();
    assert_eq!(last["expires_in"], 60, "no token outlives its login");
    api.clock.advance_secs(60);
    me(&last).await.refused(401, "unauthenticated", &[]);
    refresh(&login["refresh_token"]).await.refused(401, "unauthenticated", &["log in again"]);
    let logged_in = Answer::of(api.anonymous("POST", "/auth/login").json(&body)).await.expect(200).json();
    let token = logged_in["access_token"].as_str().unwrap();
    Answer::of(api.anonymous("POST", "/auth/logout").bearer_auth(token)).await.expect(204);
    refresh(&logged_in["refresh_token"]).await.refused(401, "unauthenticated", &[]);
}

async fn who_may_only_look_changes_nothing(api: &Api) {
    let device = api.device().await;
    let bundle = api.bundle("1.0.0").await;
    let deployment = api.deploy("1.0.0", &[&device]).await;
    let reader = api.user("reader", "read_only").await;
    let own = format!("/devices/{}", device.id);
    let before = api.stored().await;
    let deploy = json!({"bundle_version": "1.0.0", "target_devices": [device.id]});
    for (method, path, body) in [
        ("POST", "/auth/register".to_owned(), json!({"username": "eve", "password": "long enough for it"})),
        ("POST", "/deployments".to_owned(), deploy),
        ("POST", format!("/deployments/{deployment}/cancel"), json!({})),
        ("POST", format!("/deployments/{deployment}/rollback"), json!({})),
        (
            "POST",
            "/devices/rollback".to_owned(),
            json!({"bundle_version": "1.0.0", "target_device_ids": [device.id]}),
        ),
        ("PATCH", own.clone(), json!({"display_name": "mine"})),
        ("PUT", format!("{own}/config"), json!({"polling_interval": 5})),
        ("POST", format!("{own}/config/rollback"), json!({"version": 1})),
        ("POST", format!("{own}/approve"), json!({})),
        ("POST", format!("{own}/reject"), json!({})),
        ("POST", format!("{own}/decommission"), json!({})),
        ("DELETE", own.clone(), json!({})),
        ("DELETE", format!("/bundles/{bundle}"), json!({})),
        ("POST", "/registration-tokens".to_owned(), json!({})),
        ("DELETE", format!("/registration-tokens/{NOBODY}"), json!({})),
    ] {
        let answer = Answer::of(api.anonymous(method, &path).bearer_auth(&reader).json(&body)).await;
        answer.refused(403, "forbidden", &["right", "read_only"]);
    }
    let archive = api.archive(&kernex_testkit::TestBundle::tiny("default", "2.0.0"));
    let form = reqwest::multipart::Form::new().part("file", crate::support::file_part(archive));
    let upload = Answer::of(api.anonymous("POST", "/bundles").bearer_auth(&reader).multipart(form)).await;
    upload.refused(403, "forbidden", &["read_only"]);
    assert_eq!(api.stored().await, before);
    for path in ["/devices", "/bundles", "/deployments", "/logs", "/devices/stats", "/auth/me", &own] {
        Answer::of(api.anonymous("GET", path).bearer_auth(&reader)).await.expect(200);
    }
}

/// Every operation of the published document that a user may call refuses a stranger.
#[tokio::test(flavor = "multi_thread")]
async fn no_route_of_the_document_is_open_by_accident() {
    let api = Api::start(kernex_testkit::Backend::Sqlite).await;
    let document: Value = serde_json::from_str(&kernex_server::openapi::document_json().unwrap()).unwrap();
    let open = [
        "/api/v1/auth/login",
        "/api/v1/auth/browser-login",
        "/api/v1/auth/refresh",
        "/api/v1/health",
        "/api/v1/schemas/manifest.json",
        "/health",
        "/health/live",
        "/health/ready",
        "/metrics",
    ];
    let mut checked = 0;
    for (path, operations) in document["paths"].as_object().unwrap() {
        if open.contains(&path.as_str()) {
            continue;
        }
        let address: Vec<_> =
            path.split('/').map(|part| if part.starts_with('{') { NOBODY } else { part }).collect();
        for method in operations.as_object().unwrap().keys().filter(|key| *key != "parameters") {
            let address = format!("root:{}", address.join("/"));
            let answer = Answer::of(api.anonymous(&method.to_uppercase(), &address).json(&json!({}))).await;
            let refused = answer.status == 401 || (path.ends_with("/register") && answer.status == 400);
            assert!(refused, "{method} {path}: {} {}", answer.status, answer.text());
            checked += 1;
        }
    }
    assert!(checked > 30, "{checked}");
}

async fn only_an_admin_registers_users(api: &Api) {
    let register = async |token: Option<&str>, body: &Value| {
        let request = api.anonymous("POST", "/auth/register");
        let request = match token {
            Some(token) => request.bearer_auth(token),
            None => request,
        };
        Answer::of(request.json(body)).await
    };
    let ops = api.user("bob", "ops").await;
    let before = api.stored().await;
    let eve = json!({"username": "eve", "password": "long enough for it", "role": "admin"});
    register(None, &eve).await.refused(401, "unauthenticated", &[]);
    register(Some(&ops), &eve).await.refused(403, "forbidden", &["users:manage", "ops"]);
    let with = |field: &str, value: Value| {
        let mut body = eve.clone();
        body[field] = value;
        body
    };
    for (body, status, code, word) in [
        (with("password", json!("short")), 400, "invalid_request", "password"),
        (with("password", json!("x".repeat(257))), 400, "invalid_request", "password"),
        (with("username", json!("")), 400, "invalid_request", "username"),
        (with("username", json!("a b")), 400, "invalid_request", "username"),
        (with("username", json!("x".repeat(65))), 400, "invalid_request", "username"),
        (with("username", json!("é")), 400, "invalid_request", "username"),
        (with("email", json!("nowhere")), 400, "invalid_request", "email"),
        (with("email", json!(format!("{}@x", "y".repeat(300)))), 400, "invalid_request", "email"),
        (with("role", json!("root")), 400, "invalid_json", "role"),
        (with("username", json!("bob")), 409, "conflict", "bob"),
        (with("is_admin", json!(true)), 400, "invalid_json", "is_admin"),
    ] {
        register(Some(&api.token), &body).await.refused(status, code, &[word]);
    }
    assert_eq!(api.stored().await, before);
    let made =
        register(Some(&api.token), &json!({"username": "eve", "password": "long enough for it"})).await;
    assert_eq!(made.expect(201).json()["role"], "read_only", "the least, when nothing is said");
}

async fn the_bootstrap_secret_works_once(api: &Api) {
    // The test server has used its own already.
    let store = api.server.state().store();
    assert!(make_bootstrap_link(store, "http://x").await.unwrap().is_none());
    let before = api.stored().await;
    for secret in ["", "guess", "bootstrap_sha256"] {
        let body = json!({"username": "eve", "password": "long enough for it", "bootstrap_token": secret});
        let answer = Answer::of(api.anonymous("POST", "/auth/register").json(&body)).await;
        answer.refused(403, "forbidden", &["bootstrap"]);
    }
    assert_eq!(api.stored().await, before);
}
