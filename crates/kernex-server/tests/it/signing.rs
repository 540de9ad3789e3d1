//! `KERNEX-DEVICE-V1`: who may speak as a device, and what everybody else hears.

use aws_lc_rs::{
    encoding::{AsDer as _, PublicKeyX509Der},
    rand::SystemRandom,
    signature::{
        ECDSA_P256_SHA256_ASN1_SIGNING, EcdsaKeyPair, KeyPair as _, RSA_PKCS1_SHA256, RSA_PSS_SHA256,
        RsaKeyPair,
    },
};
use base64::{Engine as _, engine::general_purpose};
use kernex_api::signing::{KeyAlgorithm, SigningKey};
use serde_json::{Value, json};

use crate::support::{Answer, Api, NOBODY, Signed, api_of, heartbeat};

on_both!(
    every_failure_before_the_signature_looks_the_same,
    a_signature_covers_every_field,
    every_spelling_of_base64_is_accepted,
    a_replayed_request_is_refused_on_every_replica,
    a_clock_that_is_off_is_told_the_time,
    keys_that_are_none_or_too_weak_are_refused,
    keys_of_every_supported_kind_register_and_sign,
    registering_the_same_key_again_gives_the_same_device,
    a_registration_is_signed_with_the_key_that_it_brings,
    a_registration_with_bad_fields_is_refused,
    a_waiting_device_may_only_send_heartbeats,
    a_device_acts_only_for_itself,
    a_decommissioned_device_is_nobody,
    registration_tokens_let_in_and_run_out,
);

/// RSA with 3072 bits and the exponent 3.
const EXPONENT_3: &str = "-----BEGIN PUBLIC KEY-----
MIIBoDANBgkqhkiG9w0BAQEFAAOCAY0AMIIBiAKCAYEA2ZqgPeFyz9waZMDPJfLz
kU4VHk4i8HZid+sdW0GAq/JOMzoZ5Ux7uo7trME4YJPx2Im/74IrAfBvGnejKmj6
iCG87h9uoIvnSoormwa/HePUrVEEVFXWZ4UZWjRHjOOnJ8zK4EmBJzc0vNBnZ/2i
68vPnX63XioRg3foUeBLyumK2DsZDVi/8JbS1I23RyErxlvBK1NmwW5+f5PdZM8y
C9qTgKKxyRcPRjnx5xcx4KWUPlkENpON/5CC2Jekf8+Z5tWVcP2R4dTIJ5h07aIW
r4hUuR3rgHmQbmCfyMTLZdxyEEzYzVIIEnvhoZKxbJUgoQlrISmkGB2tEmzVLi2g
aMdSvJn/VVqjO2qeZNitgyPB1hfcrTCSz6maVIIOji4qrz313IpAb9nwc7IZS8de
JQx5FctsGizgP8eUQEKK+SgIceBl/hb1Rb/aBBaYaqgobNTu5nc3KgJrcoBYRw1B
+LaklxcMW4hFlu4soPWroXonAfbqKyT90Z6KYDD9AFQhAgED
-----END PUBLIC KEY-----
";

/// The one body, but for the request's id.
fn without_id(answer: &Answer) -> Value {
    let mut problem = answer.json();
    problem["request_id"] = Value::Null;
    problem
}

async fn every_failure_before_the_signature_looks_the_same(api: &Api) {
    let device = api.device().await;
    let gone = api.device().await;
    let path = format!("/devices/{}/decommission", gone.id);
    api.post(&path, &json!({})).await.expect(200);
    let good = || device.signed(api, "POST", &device.heartbeat_path(), heartbeat().to_string());
    let change = |change: &dyn Fn(&mut Signed)| {
        let mut signed = good();
        change(&mut signed);
        signed
    };
    let without = |name: &'static str| change(&|signed| signed.headers.retain(|(known, _)| *known != name));
    let twice = |name: &'static str| {
        change(&|signed| {
            let value = signed.value(name).unwrap().to_owned();
            signed.headers.push((name, value));
        })
    };
    let with = |name: &'static str, value: &str| change(&|signed| signed.set(name, value));
    let time = api.now().to_string();
    let cases = [
        ("no device id", without("x-device-id")),
        ("no timestamp", without("x-device-timestamp")),
        ("no signature", without("x-device-signature")),
        ("device id twice", twice("x-device-id")),
        ("timestamp twice", twice("x-device-timestamp")),
        ("signature twice", twice("x-device-signature")),
        (
            "challenge twice",
            change(&|signed| {
                signed.headers.push(("x-device-challenge", "a".to_owned()));
                signed.headers.push(("x-device-challenge", "a".to_owned()));
            }),
        ),
        ("device id is none", with("x-device-id", "camera")),
        ("device id is empty", with("x-device-id", "")),
        ("unknown device", with("x-device-id", NOBODY)),
        ("decommissioned device", gone.signed(api, "POST", &device.heartbeat_path(), "{}")),
        ("of another device", with("x-device-id", &gone.id)),
        ("timestamp is a word", with("x-device-timestamp", "now")),
        ("timestamp is empty", with("x-device-timestamp", "")),
        ("timestamp is negative", with("x-device-timestamp", "-1")),
        ("timestamp with a sign", with("x-device-timestamp", &format!("+{time}"))),
        ("timestamp with a fraction", with("x-device-timestamp", &format!("{time}.0"))),
        ("timestamp too long", with("x-device-timestamp", "99999999999999999999")),
        ("timestamp with zeros in front", with("x-device-timestamp", &format!("0{time}"))),
        ("signature is empty", with("x-device-signature", "")),
        ("signature is no base64", with("x-device-signature", "not base64!")),
        ("signature is too long", with("x-device-signature", &"A".repeat(4_000))),
        (
            "signature of something else",
            with("x-device-signature", &general_purpose::STANDARD.encode([7; 64])),
        ),
        ("signature too short", with("x-device-signature", "AAAA")),
        ("other body", change(&|signed| signed.body.push(b' '))),
        ("challenge added", change(&|signed| signed.set("x-device-challenge", "abc"))),
        (
            "with a user's token",
            change(&|signed| {
                signed.headers.push(("authorization", format!("Bearer {}", api.token)));
                signed.set("x-device-signature", "AAAA");
            }),
        ),
    ];
    let before = api.stored().await;
    let first = without_id(&cases[0].1.send(api).await);
    for (what, request) in &cases {
        let answer = request.send(api).await;
        answer.refused(401, "unauthenticated", &["X-Device-Signature"]);
        assert_eq!(without_id(&answer), first, "{what}");
    }
    assert_eq!(api.stored().await, before);
    good().send(api).await.expect(200).dressed();
}

async fn a_signature_covers_every_field(api: &Api) {
    let device = api.device().await;
    let path = device.heartbeat_path();
    let deployment = format!("/deployments/{NOBODY}/order");
    type Change<'a> = &'a dyn Fn(&mut Signed);
    let cases: [(&str, &str, Change<'_>); 7] = [
        ("method", "GET", &|signed| signed.method = "HEAD".to_owned()),
        ("path", "GET", &|signed| signed.path = format!("/bundles/{NOBODY}")),
        ("query added", "GET", &|signed| signed.path += "?wait=5"),
        ("device id in other spelling", "GET", &|signed| {
            let id = signed.value("x-device-id").unwrap().to_uppercase();
            signed.set("x-device-id", &id);
        }),
        ("timestamp", "GET", &|signed| {
            let later = signed.value("x-device-timestamp").unwrap().parse::<i64>().unwrap() + 1;
            signed.set("x-device-timestamp", &later.to_string());
        }),
        ("challenge", "GET", &|signed| signed.set("x-device-challenge", "x")),
        ("body", "GET", &|signed| signed.body = b"{}".to_vec()),
    ];
    for (what, method, change) in cases {
        let mut signed = device.signed(api, method, &deployment, "");
        change(&mut signed);
        let answer = signed.send(api).await;
        assert_eq!(answer.status, 401, "{what}: {}", answer.text());
    }
    let mut signed = device.signed(api, "POST", &format!("{path}?wait=5"), heartbeat().to_string());
    signed.path = format!("{path}?wait=6");
    signed.send(api).await.refused(401, "unauthenticated", &[]);
    signed.path = path;
    signed.send(api).await.refused(401, "unauthenticated", &[]);
    let mut challenged = device.signed(api, "GET", &deployment, "");
    challenged.set("x-device-challenge", "a challenge");
    challenged.sign(&device.key);
    challenged.send(api).await.refused(410, "gone", &[]);
}

async fn every_spelling_of_base64_is_accepted(api: &Api) {
    let device = api.device().await;
    for engine in [
        &general_purpose::STANDARD,
        &general_purpose::STANDARD_NO_PAD,
        &general_purpose::URL_SAFE,
        &general_purpose::URL_SAFE_NO_PAD,
    ] {
        let mut signed = device.signed(api, "POST", &device.heartbeat_path(), heartbeat().to_string());
        let bytes =
            kernex_api::signing::decode_signature(signed.value("x-device-signature").unwrap()).unwrap();
        signed.set("x-device-signature", &engine.encode(bytes));
        signed.send(api).await.expect(200);
    }
}

async fn a_replayed_request_is_refused_on_every_replica(api: &Api) {
    let (device, replica) = (api.device().await, api.replica().await);
    let first = device.signed(api, "POST", &device.heartbeat_path(), heartbeat().to_string());
    let earlier = first.clone();
    first.send(api).await.expect(200);
    first.send(api).await.refused(401, "replayed", &["timestamp", "sign again"]);
    first.send_to(api, &api_of(&replica)).await.refused(401, "replayed", &[]);
    let second = device.signed(api, "POST", &device.heartbeat_path(), heartbeat().to_string());
    second.send_to(api, &api_of(&replica)).await.expect(200);
    for request in [&earlier, &second] {
        request.send(api).await.refused(401, "replayed", &[]);
    }
    // Every route of devices asks the same counter.
    let timestamp = second.value("x-device-timestamp").unwrap();
    let body = json!({"device_id": device.id, "status": "success"}).to_string();
    for (method, path, body) in [
        ("POST", "/logs/batch", "[]".to_owned()),
        ("POST", &format!("/deployments/{NOBODY}/result"), body),
        ("GET", &format!("/deployments/{NOBODY}/order"), String::new()),
        ("GET", &format!("/bundles/{NOBODY}"), String::new()),
        ("GET", &format!("/bundles/{NOBODY}/manifest"), String::new()),
    ] {
        let mut signed = device.signed(api, method, path, body);
        signed.set("x-device-timestamp", timestamp);
        signed.sign(&device.key);
        signed.send(api).await.refused(401, "replayed", &[]);
    }
    assert_eq!(api.stored().await["heartbeats"], 2);
    replica.shutdown().await;
}

async fn a_clock_that_is_off_is_told_the_time(api: &Api) {
    let device = api.device().await;
    let year = 365 * 86_400;
    let signed_at = |millis: i64| {
        let mut signed = device.signed(api, "POST", &device.heartbeat_path(), heartbeat().to_string());
        signed.set("x-device-timestamp", &(api.now() + millis).to_string());
        signed.sign(&device.key);
        signed
    };
    for secs in [-10 * year, -301, 301, 10 * year, 1_000 * year] {
        let answer = signed_at(secs * 1_000).send(api).await;
        answer.refused(401, "clock_skew", &["300 s"]);
        assert_eq!(answer.json()["server_time"], api.now(), "{secs}");
    }
    signed_at(-300_001).send(api).await.refused(401, "clock_skew", &[]);
    signed_at(300_001).send(api).await.refused(401, "clock_skew", &[]);
    assert_eq!(api.stored().await["heartbeats"], 0);
    api.clock.advance_secs(600);
    for secs in [-300, -299, 299, 300] {
        signed_at(secs * 1_000).send(api).await.expect(200);
    }
    // A decommissioned or unknown device learns nothing, not even the time.
    let mut unknown = signed_at(10 * year * 1_000);
    unknown.set("x-device-id", NOBODY);
    unknown.send(api).await.refused(401, "unauthenticated", &[]);
}

fn spki_pem(pair_public: &PublicKeyX509Der<'_>) -> String {
    pem("PUBLIC KEY", pair_public.as_ref())
}

fn pem(label: &str, der: &[u8]) -> String {
    let text = general_purpose::STANDARD.encode(der);
    let lines: Vec<_> = text.as_bytes().chunks(64).map(|line| std::str::from_utf8(line).unwrap()).collect();
    format!("-----BEGIN {label}-----\n{}\n-----END {label}-----\n", lines.join("\n"))
}

fn rsa(bits: aws_lc_rs::rsa::KeySize) -> RsaKeyPair {
    RsaKeyPair::generate(bits).unwrap()
}

async fn register_key(
    api: &Api,
    public_key: &str,
    algorithm: Option<&str>,
    sign: impl Fn(&[u8]) -> Vec<u8>,
) -> Answer {
    let mut body = json!({"public_key": public_key});
    if let Some(algorithm) = algorithm {
        body["signature_algorithm"] = algorithm.into();
    }
    let headers = vec![("x-device-id", "-".to_owned()), ("x-device-timestamp", api.now().to_string())];
    let mut signed = Signed {
        method: "POST".to_owned(),
        path: "/devices/register".to_owned(),
        body: body.to_string().into_bytes(),
        headers,
    };
    let signature = general_purpose::STANDARD.encode(sign(signed.text().as_bytes()));
    signed.set("x-device-signature", &signature);
    signed.send(api).await
}

async fn keys_that_are_none_or_too_weak_are_refused(api: &Api) {
    let ed25519 = SigningKey::generate(KeyAlgorithm::Ed25519).unwrap();
    let good = ed25519.public_key_pem().unwrap();
    let weak = rsa(aws_lc_rs::rsa::KeySize::Rsa2048);
    let weak: PublicKeyX509Der<'_> = weak.public_key().as_der().unwrap();
    let der = ed25519.public_key_der().unwrap();
    let cases = [
        (String::new(), None, "PEM"),
        ("hello".to_owned(), None, "PEM"),
        (good.replace("END PUBLIC", "END PRIVATE"), None, "PEM"),
        ("A".repeat(20_000), None, "8 KiB"),
        (ed25519.to_pem(), None, "PRIVATE KEY"),
        (pem("CERTIFICATE", &der), None, "CERTIFICATE"),
        (pem("PUBLIC KEY", &der[..der.len() - 1]), None, "damaged"),
        (pem("PUBLIC KEY", &[&der[..], &[0]].concat()), None, "damaged"),
        (pem("PUBLIC KEY", b"no DER at all"), None, "damaged"),
        (pem("RSA PUBLIC KEY", &der), None, "damaged"),
        (spki_pem(&weak), None, "2048 bits"),
        (spki_pem(&weak), Some("rsa-pkcs1-sha256"), "2048 bits"),
        (EXPONENT_3.to_owned(), None, "65537"),
        (good.clone(), Some("rsa-pss-sha256"), "does not fit"),
        (good.clone(), Some("ecdsa-p256-sha256"), "does not fit"),
    ];
    let before = api.stored().await;
    for (key, algorithm, word) in cases {
        let answer = register_key(api, &key, algorithm, |_| vec![1; 64]).await;
        answer.refused(400, "invalid_request", &[word]);
    }
    let answer = register_key(api, &good, Some("none"), |_| Vec::new()).await;
    answer.refused(400, "invalid_json", &["signature_algorithm", "none"]);
    assert_eq!(api.stored().await, before);
}

async fn keys_of_every_supported_kind_register_and_sign(api: &Api) {
    let random = SystemRandom::new();
    let big = rsa(aws_lc_rs::rsa::KeySize::Rsa3072);
    let sign_rsa = |text: &[u8], with: &'static dyn aws_lc_rs::signature::RsaEncoding| {
        let mut signature = vec![0; big.public_modulus_len()];
        big.sign(with, &SystemRandom::new(), text, &mut signature).unwrap();
        signature
    };
    let spki: PublicKeyX509Der<'_> = big.public_key().as_der().unwrap();
    let pss =
        register_key(api, &spki_pem(&spki), None, |text| sign_rsa(text, &RSA_PSS_SHA256)).await.expect(201);
    // Registered once, the key's algorithm stays; PKCS#1 v1.5 is not what it signs with.
    let other = register_key(api, &spki_pem(&spki), None, |text| sign_rsa(text, &RSA_PKCS1_SHA256)).await;
    other.refused(401, "unauthenticated", &[]);
    let device =
        api.get(&format!("/devices/{}", pss.json()["device_id"].as_str().unwrap())).await.expect(200);
    assert_eq!(device.json()["signature_algorithm"], "rsa-pss-sha256");

    let another = rsa(aws_lc_rs::rsa::KeySize::Rsa3072);
    let sign = |text: &[u8]| {
        let mut signature = vec![0; another.public_modulus_len()];
        another.sign(&RSA_PKCS1_SHA256, &SystemRandom::new(), text, &mut signature).unwrap();
        signature
    };
    let pkcs1 = pem("RSA PUBLIC KEY", another.public_key().as_ref());
    register_key(api, &pkcs1, Some("rsa-pkcs1-sha256"), sign).await.expect(201);

    let pkcs8 = EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_ASN1_SIGNING, &random).unwrap();
    let pair = EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_ASN1_SIGNING, pkcs8.as_ref()).unwrap();
    let spki: PublicKeyX509Der<'_> = pair.public_key().as_der().unwrap();
    let sign = |text: &[u8]| pair.sign(&random, text).unwrap().as_ref().to_vec();
    let answer = register_key(api, &spki_pem(&spki), None, sign).await.expect(201);
    let device =
        api.get(&format!("/devices/{}", answer.json()["device_id"].as_str().unwrap())).await.expect(200);
    assert_eq!(device.json()["signature_algorithm"], "ecdsa-p256-sha256");
    assert_eq!(device.json()["key_fingerprint"], crate::support::sha256(spki.as_ref()));
    assert_eq!(api.stored().await["devices"], 3);
}

async fn registering_the_same_key_again_gives_the_same_device(api: &Api) {
    let device = api.register(json!({})).await;
    assert_eq!(device.status, "pending_approval");
    let body = json!({"public_key": device.key.public_key_pem().unwrap()}).to_string();
    let mut again = device.signed(api, "POST", "/devices/register", &body);
    again.set("x-device-id", "-");
    again.sign(&device.key);
    for _ in 0..2 {
        let answer = again.send(api).await.expect(201).json();
        assert_eq!(answer, json!({"device_id": device.id, "status": "pending_approval"}));
    }
    let answers = futures_util::future::join_all((0..12).map(|_| again.send(api))).await;
    assert!(answers.iter().all(|answer| answer.json()["device_id"] == device.id));
    assert_eq!(api.stored().await["devices"], 1);
    let path = format!("/devices/{}/decommission", device.id);
    api.post(&path, &json!({})).await.expect(200);
    again.send(api).await.refused(403, "forbidden", &["decommissioned", "new key"]);
}

async fn a_registration_is_signed_with_the_key_that_it_brings(api: &Api) {
    let (own, other) = (
        SigningKey::generate(KeyAlgorithm::Ed25519).unwrap(),
        SigningKey::generate(KeyAlgorithm::Ed25519).unwrap(),
    );
    let device = api.device().await;
    let before = api.stored().await;
    let body = json!({"public_key": own.public_key_pem().unwrap()}).to_string();
    let mut signed = device.signed(api, "POST", "/devices/register", &body);
    signed.set("x-device-id", "-");
    signed.sign(&other);
    signed.send(api).await.refused(401, "unauthenticated", &[]);
    signed.set("x-device-id", &device.id);
    signed.sign(&own);
    signed.send(api).await.refused(401, "unauthenticated", &[]);
    signed.set("x-device-id", "-");
    signed.set("x-device-timestamp", &(api.now() - 301_000).to_string());
    signed.sign(&own);
    signed.send(api).await.refused(401, "clock_skew", &[]);
    signed.headers.clear();
    signed.send(api).await.refused(401, "unauthenticated", &[]);
    assert_eq!(api.stored().await, before);
}

async fn a_registration_with_bad_fields_is_refused(api: &Api) {
    let key = SigningKey::generate(KeyAlgorithm::Ed25519).unwrap();
    let many: Value = (0..65)
        .map(|number| (format!("key{number}"), json!("value")))
        .collect::<serde_json::Map<_, _>>()
        .into();
    let cases = [
        (json!({"device_type": "x".repeat(65)}), "invalid_request", "device_type"),
        (json!({"device_type": "a\u{0}b"}), "invalid_request", "device_type"),
        (json!({"device_type": 7}), "invalid_json", "device_type"),
        (json!({"hardware_metadata": {"blob": "x".repeat(20_000)}}), "invalid_request", "hardware_metadata"),
        (json!({"hardware_metadata": []}), "invalid_json", "hardware_metadata"),
        (json!({"tags": {"": "x"}}), "invalid_request", "tags"),
        (json!({"tags": {"a b": "x"}}), "invalid_request", "a b"),
        (json!({"tags": {"site": "x".repeat(257)}}), "invalid_request", "site"),
        (json!({"tags": {"site": 1}}), "invalid_json", "tags.site"),
        (json!({"tags": many}), "invalid_request", "65"),
        (json!({"org_id": "acme"}), "invalid_json", "org_id"),
        (json!({"org_id": NOBODY}), "invalid_request", "org_id"),
        (json!({"public_key": 5}), "invalid_json", "public_key"),
        (json!({"colour": "red"}), "invalid_json", "colour"),
    ];
    let before = api.stored().await;
    for (mut body, code, word) in cases {
        if body["public_key"].is_null() {
            body["public_key"] = key.public_key_pem().unwrap().into();
        }
        let mut signed = Signed {
            method: "POST".to_owned(),
            path: "/devices/register".to_owned(),
            body: body.to_string().into_bytes(),
            headers: vec![("x-device-id", "-".to_owned()), ("x-device-timestamp", api.now().to_string())],
        };
        signed.sign(&key);
        signed.send(api).await.refused(400, code, &[word]);
    }
    assert_eq!(api.stored().await, before);
}

async fn a_waiting_device_may_only_send_heartbeats(api: &Api) {
    let device = api.register(json!({})).await;
    let answer = device.beat(api).await.expect(200).json();
    assert_eq!((answer["commands"].clone(), answer["next_heartbeat_secs"].clone()), (json!([]), json!(60)));
    let bundle = api.bundle("1.0.0").await;
    let deployment = api.deploy("1.0.0", &[&device]).await;
    assert_eq!(device.beat(api).await.expect(200).json()["commands"], json!([]));
    let log = json!([{"device_id": device.id, "level": "INFO", "message": "x", "timestamp": "2026-01-01T00:00:00Z"}]);
    let before = api.stored().await;
    for (method, path, body) in [
        ("POST", "/logs/batch", log.to_string()),
        (
            "POST",
            &format!("/deployments/{deployment}/result"),
            json!({"device_id": device.id, "status": "success"}).to_string(),
        ),
        ("GET", &format!("/deployments/{deployment}/order"), String::new()),
        ("GET", &format!("/bundles/{bundle}"), String::new()),
        ("GET", &format!("/bundles/{bundle}/manifest"), String::new()),
    ] {
        device.send(api, method, path, body).await.refused(403, "pending_approval", &["approval"]);
    }
    assert_eq!(api.stored().await, before);
    let listed = api.get("/devices?status=pending_approval").await.expect(200).json();
    let fingerprint = crate::support::sha256(&device.key.public_key_der().unwrap());
    assert_eq!(listed["devices"][0]["key_fingerprint"], fingerprint);
    api.post(&format!("/devices/{}/approve", device.id), &json!({})).await.expect(200);
    let answer = device.beat(api).await.expect(200).json();
    assert_eq!(answer["commands"][0]["deployment_id"], deployment);
    api.post(&format!("/devices/{}/approve", device.id), &json!({})).await.refused(
        409,
        "conflict",
        &["active"],
    );
    api.post(&format!("/devices/{}/reject", device.id), &json!({})).await.refused(
        409,
        "conflict",
        &["active"],
    );
}

async fn a_device_acts_only_for_itself(api: &Api) {
    let (one, two) = (api.device().await, api.device().await);
    let before = api.stored().await;
    let beat = one.send(api, "POST", &two.heartbeat_path(), heartbeat().to_string()).await;
    beat.refused(403, "forbidden", &["itself"]);
    let line = |id: &str| json!({"device_id": id, "level": "INFO", "message": "x", "timestamp": "2026-01-01T00:00:00Z"});
    let logs = json!([line(&one.id), line(&two.id)]);
    one.send(api, "POST", "/logs/batch", logs.to_string()).await.refused(403, "forbidden", &["device_id"]);
    for path in ["/devices", "/devices/stats", "/deployments", "/logs", &format!("/devices/{}", one.id)] {
        one.send(api, "GET", path, "").await.refused(401, "unauthenticated", &["Bearer"]);
    }
    assert_eq!(api.stored().await, before);
}

async fn a_decommissioned_device_is_nobody(api: &Api) {
    let device = api.device().await;
    device.beat(api).await.expect(200);
    Answer::of(api.request("DELETE", &format!("/devices/{}", device.id))).await.expect(204);
    Answer::of(api.request("DELETE", &format!("/devices/{}", device.id))).await.expect(204);
    device.beat(api).await.refused(401, "unauthenticated", &[]);
    let shown = api.get(&format!("/devices/{}", device.id)).await.expect(200).json();
    assert_eq!(shown["status"], "decommissioned");
    let path = format!("/devices/{}/decommission", device.id);
    api.post(&path, &json!({})).await.refused(409, "conflict", &["decommissioned"]);
    Answer::of(api.request("DELETE", &format!("/devices/{NOBODY}"))).await.refused(
        404,
        "not_found",
        &[NOBODY],
    );
}

async fn registration_tokens_let_in_and_run_out(api: &Api) {
    for (body, code, word) in [
        (json!({"ttl_secs": 59}), "invalid_request", "ttl_secs"),
        (json!({"ttl_secs": 31_536_001}), "invalid_request", "ttl_secs"),
        (json!({"ttl_secs": -1}), "invalid_json", "ttl_secs"),
        (json!({"uses": 0}), "invalid_request", "uses"),
        (json!({"uses": 100_001}), "invalid_request", "uses"),
        (json!({"tags": {"a b": "c"}}), "invalid_request", "tags"),
        (json!({"tag": {}}), "invalid_json", "tag"),
    ] {
        api.post("/registration-tokens", &body).await.refused(400, code, &[word]);
    }
    assert_eq!(api.stored().await["registration_tokens"], 0);
    let made = api.post("/registration-tokens", &json!({"uses": 2, "ttl_secs": 60})).await.expect(201).json();
    let with = json!({"registration_token": made["token"]});
    assert_eq!(api.register(with.clone()).await.status, "online");
    assert_eq!(api.register(with.clone()).await.status, "online");
    assert_eq!(api.register(with).await.status, "pending_approval");
    let made = api.post("/registration-tokens", &json!({"ttl_secs": 60})).await.expect(201).json();
    let listed = api.get("/registration-tokens").await.expect(200);
    assert!(!listed.text().contains(made["token"].as_str().unwrap()), "a secret is shown once");
    api.clock.advance_secs(60);
    assert_eq!(api.register(json!({"registration_token": made["token"]})).await.status, "pending_approval");
    let made = api.post("/registration-tokens", &json!({})).await.expect(201).json();
    let path = format!("/registration-tokens/{}", made["id"].as_str().unwrap());
    Answer::of(api.request("DELETE", &path)).await.expect(204);
    Answer::of(api.request("DELETE", &path)).await.refused(404, "not_found", &["registration token"]);
    assert_eq!(api.register(json!({"registration_token": made["token"]})).await.status, "pending_approval");
}
