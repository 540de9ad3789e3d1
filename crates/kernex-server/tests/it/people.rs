//! Users: logging in, roles, the first admin.

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use kernex_server::auth::make_bootstrap_link;
use kernex_testkit::ADMIN_PASSWORD;
use serde_json::{Value, json};

use crate::support::{Answer, Api, NOBODY};

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
    assert_eq!((login["token_type"].clone(), login["expires_in"].clone()), (json!("bearer"), json!(43_200)));
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
    let key = api.server.state().secrets().token_key();
    let hs256 = json!({"typ": "JWT", "alg": "HS256"});
    let mut later = claims.clone();
    later["exp"] = json!(9_999_999_999_i64);
    let changed = |field: &str, value: Value| {
        let mut claims = claims.clone();
        claims[field] = value;
        claims
    };
    let none = json!({"alg": "none", "typ": "JWT"});
    for (what, token) in [
        ("no algorithm, no signature", format!("{}.{}.", encode(&none), parts[1])),
        ("no algorithm, old signature", format!("{}.{}.{}", encode(&none), parts[1], parts[2])),
        ("NONE", format!("{}.{}.", encode(&json!({"alg": "NONE"})), parts[1])),
        ("changed claims", format!("{}.{}.{}", parts[0], encode(&later), parts[2])),
        ("another key", sign(hs256.clone(), &claims, b"another key of thirty-two bytes!")),
        ("an empty key", sign(hs256.clone(), &claims, b"")),
        ("another algorithm with the right key", sign(json!({"alg": "HS512"}), &claims, key)),
        ("no signature", format!("{}.{}", parts[0], parts[1])),
        ("empty signature", format!("{}.{}.", parts[0], parts[1])),
        ("another issuer", sign(hs256.clone(), &changed("iss", json!("other")), key)),
        ("another session", sign(hs256.clone(), &changed("sid", json!(NOBODY)), key)),
        ("expired", sign(hs256.clone(), &changed("exp", json!(1_000)), key)),
        ("expiry is a word", sign(hs256.clone(), &changed("exp", json!("never")), key)),
        ("no expiry", sign(hs256.clone(), &changed("exp", Value::Null), key)),
    ] {
        let answer = Answer::of(api.anonymous("GET", "/auth/me").bearer_auth(&token)).await;
        assert_eq!(answer.status, 401, "{what}: {}", answer.text());
        answer.refused(401, "unauthenticated", &["token"]);
    }
    let honest = sign(hs256, &claims, key);
    Answer::of(api.anonymous("GET", "/auth/me").bearer_auth(honest)).await.expect(200);
}

async fn a_token_ends_with_its_time_and_with_logout(api: &Api) {
    let (one, two) = (api.login("admin", ADMIN_PASSWORD).await, api.login("admin", ADMIN_PASSWORD).await);
    let me = async |token: &str| Answer::of(api.anonymous("GET", "/auth/me").bearer_auth(token)).await;
    Answer::of(api.anonymous("POST", "/auth/logout").bearer_auth(&one)).await.expect(204);
    me(&one).await.refused(401, "unauthenticated", &["logged out"]);
    Answer::of(api.anonymous("POST", "/auth/logout").bearer_auth(&one)).await.refused(
        401,
        "unauthenticated",
        &[],
    );
    me(&two).await.expect(200);
    api.clock.advance_secs(43_199);
    me(&two).await.expect(200);
    api.clock.advance_secs(1);
    me(&two).await.refused(401, "unauthenticated", &["expired"]);
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
        answer.refused(403, "forbidden", &["role", "read_only"]);
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
    register(Some(&ops), &eve).await.refused(403, "forbidden", &["admin", "ops"]);
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
