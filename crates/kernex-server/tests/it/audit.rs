//! The audit log over the API: the routes come from the OpenAPI document, so that a new one is tested without anybody
//! thinking of it.

use kernex_api::{
    audit::{AuditCheckpoints, is_signed, sha256_hex},
    signing::PublicKey,
};
use kernex_core::{
    OrganizationId,
    audit::{AuditRecord, ChainFault, ChainVerifier},
};
use kernex_server::audit::{CHECKPOINTS_FILE, Recorded, action_of, read_checkpoints, sign_checkpoints};
use kernex_testkit::ADMIN_PASSWORD;
use reqwest::Method;
use serde_json::{Value, json};

use crate::support::{Answer, Api, NOBODY};

on_both!(
    every_route_that_changes_something_leaves_one_record_for_whoever_tries,
    a_change_says_who_what_and_from_where,
    logins_are_recorded_and_guesses_too,
    only_an_admin_reads_the_log_and_in_pages,
    an_export_is_a_chain_that_its_checkpoints_fit,
    an_export_as_csv_is_harmless_in_a_spreadsheet,
);

/// Every route of the document that is no reading: method, address with ids of nothing, and the route itself.
fn routes() -> Vec<(Method, String, String)> {
    let document: Value = serde_json::from_str(&kernex_server::openapi::document_json().unwrap()).unwrap();
    let mut routes = Vec::new();
    for (route, methods) in document["paths"].as_object().unwrap() {
        for method in methods.as_object().unwrap().keys() {
            let method: Method = method.to_uppercase().parse().unwrap();
            if method.is_safe() {
                continue;
            }
            let address: Vec<_> =
                route.split('/').map(|part| if part.starts_with('{') { NOBODY } else { part }).collect();
            routes.push((method, address.join("/").replacen("/api/v1", "", 1), route.clone()));
        }
    }
    assert!(routes.len() > 15, "{routes:?}");
    routes
}

async fn records(api: &Api, query: &str) -> Vec<Value> {
    let answer = api.get(&format!("/audit?limit=200&{query}")).await.expect(200);
    answer.json()["records"].as_array().unwrap().clone()
}

async fn records_of(api: &Api, answer: &Answer) -> Vec<Value> {
    records(api, &format!("request_id={}", answer.header("x-request-id").unwrap())).await
}

async fn login(api: &Api, username: &str, password: &str) -> String {
    let body = json!({"username": username, "password": password});
    let answer = Answer::of(api.http.post(api.url("/auth/login")).json(&body)).await.expect(200);
    answer.json()["access_token"].as_str().unwrap().to_owned()
}

async fn user(api: &Api, name: &str, role: &str) -> String {
    let body = json!({"username": name, "password": ADMIN_PASSWORD, "role": role});
    api.post("/auth/register", &body).await.expect(201);
    login(api, name, ADMIN_PASSWORD).await
}

async fn every_route_that_changes_something_leaves_one_record_for_whoever_tries(api: &Api) {
    let mut reader = user(api, "reader", "read_only").await;
    let mut admin = user(api, "second", "admin").await;
    for (method, address, route) in routes() {
        let action = action_of(&method, &route).unwrap_or_else(|| panic!("{method} {route} has no action"));
        for (name, token) in [("nobody", None), ("reader", Some(&mut reader)), ("second", Some(&mut admin))] {
            let mut request = api.http.request(method.clone(), api.url(&address)).json(&json!({}));
            if let Some(token) = token {
                let me = Answer::of(api.http.get(api.url("/auth/me")).bearer_auth(&token)).await;
                if me.status == 401 {
                    *token = login(api, name, ADMIN_PASSWORD).await;
                }
                request = request.bearer_auth(token);
            }
            let answer = Answer::of(request).await;
            let found = records_of(api, &answer).await;
            let case = format!("{name} {method} {route}: {} {} {found:?}", answer.status, answer.text());
            let expected = match action.recorded {
                Recorded::Always => 1,
                Recorded::Changes => usize::from(answer.status >= 400),
                Recorded::Denials | Recorded::Never => 0,
            };
            assert_eq!(found.len(), expected, "{case}");
            assert!(answer.status < 500, "{case}");
            for record in found {
                let result = match answer.status {
                    401 | 403 | 429 => "denied",
                    400.. => "failed",
                    _ => "success",
                };
                assert_eq!(record["result"], result, "{case}");
                assert_eq!(record["action"], action.name, "{case}");
                assert_eq!(record["address"], "127.0.0.1", "{case}");
                let known = record["actor"]["name"].as_str().unwrap_or("nobody");
                assert!(
                    known == name
                        || answer.status == 401
                        || action.recorded == Recorded::Changes
                        || action.name.starts_with("auth."),
                    "{case}"
                );
            }
        }
    }
}

async fn a_change_says_who_what_and_from_where(api: &Api) {
    let device = api.register(json!({})).await;
    let answer = api.post(&format!("/devices/{}/approve", device.id), &json!({})).await.expect(200);
    let found = records_of(api, &answer).await;
    assert_eq!(found.len(), 1, "{found:?}");
    let record = &found[0];
    assert_eq!(record["action"], "device.approve");
    assert_eq!(record["object"], json!({"kind": "device", "id": device.id}));
    assert_eq!(record["before"], json!({"membership": "pending_approval"}));
    assert_eq!(record["after"], json!({"membership": "active"}));
    assert_eq!(record["actor"]["name"], "admin");
    assert!(record["actor"]["credential"].as_str().unwrap().starts_with("session:"), "{record}");
    let registered = records(api, "action=device.register").await;
    assert_eq!(registered.len(), 1, "{registered:?}");
    assert_eq!(
        registered[0]["actor"],
        json!({"kind": "device", "id": device.id, "name": null,
        "credential": format!("device_key:{}", registered[0]["after"]["key_fingerprint"].as_str().unwrap())})
    );
    device.beat(api).await.expect(200);
    assert_eq!(records(api, "actor_kind=device").await.len(), 1, "heartbeats are not recorded");

    let id = api.bundle("1.0.0").await;
    let bundle = &records(api, &format!("object_id={id}")).await[0];
    assert_eq!(
        (bundle["action"].as_str(), bundle["after"]["version"].as_str()),
        (Some("bundle.upload"), Some("1.0.0"))
    );
    let deployment = api.deploy("1.0.0", &[&device]).await;
    api.post(&format!("/deployments/{deployment}/cancel"), &json!({})).await.expect(200);
    let again = api.post(&format!("/deployments/{deployment}/cancel"), &json!({})).await.expect(409);
    let results: Vec<_> =
        records_of(api, &again).await.iter().map(|record| record["reason"].clone()).collect();
    assert_eq!(results, ["conflict"]);
    let ended = records(api, &format!("object_id={deployment}")).await;
    let actions: Vec<_> = ended
        .iter()
        .map(|record| (record["action"].as_str().unwrap(), record["result"].as_str().unwrap()))
        .collect();
    assert_eq!(
        actions,
        [("deployment.cancel", "failed"), ("deployment.cancel", "success"), ("deployment.create", "success")]
    );
}

async fn logins_are_recorded_and_guesses_too(api: &Api) {
    for (username, password) in [("admin", "not the password"), ("nobody", "not the password")] {
        let body = json!({"username": username, "password": password});
        let answer = Answer::of(api.http.post(api.url("/auth/login")).json(&body)).await.expect(401);
        let found = records_of(api, &answer).await;
        assert_eq!(found.len(), 1, "{found:?}");
        assert_eq!((&found[0]["action"], &found[0]["result"]), (&json!("auth.login"), &json!("denied")));
        assert_eq!(found[0]["actor"]["kind"], "anonymous");
        assert_eq!(found[0]["actor"]["name"].as_str(), Some(username).filter(|name| *name == "admin"));
        assert!(!found[0].to_string().contains(password), "{found:?}");
    }
    login(api, "admin", ADMIN_PASSWORD).await;
    let last = &records(api, "action=auth.*").await[0];
    assert_eq!((&last["result"], &last["actor"]["kind"]), (&json!("success"), &json!("user")));
}

async fn only_an_admin_reads_the_log_and_in_pages(api: &Api) {
    let reader = user(api, "reader", "read_only").await;
    let refused = Answer::of(api.http.get(api.url("/audit")).bearer_auth(&reader)).await;
    refused.refused(403, "forbidden", &["audit:read"]);
    let found = records_of(api, &refused).await;
    assert_eq!(found.len(), 1, "an attempt to read what one may not is recorded: {found:?}");
    assert_eq!(found[0]["action"], "audit.read");
    Answer::of(api.http.get(api.url("/audit"))).await.refused(401, "unauthenticated", &[]);
    let all = records(api, "").await;
    let mut seen = Vec::new();
    let mut query = "limit=2".to_owned();
    loop {
        let page = api.get(&format!("/audit?{query}")).await.expect(200).json();
        seen.extend(page["records"].as_array().unwrap().clone());
        let Some(cursor) = page["next_cursor"].as_str() else { break };
        query = format!("limit=2&cursor={cursor}");
    }
    assert_eq!(seen, all);
    for (query, word) in [
        ("from=yesterday", "from"),
        ("result=maybe", "result"),
        ("cursor=x", "cursor"),
        ("limit=0", "limit"),
        ("who=me", "who"),
    ] {
        api.get(&format!("/audit?{query}")).await.refused(400, "invalid_request", &[word]);
    }
}

async fn an_export_is_a_chain_that_its_checkpoints_fit(api: &Api) {
    for name in ["one", "two", "three"] {
        api.register(json!({"device_type": name})).await;
    }
    sign_checkpoints(api.server.state()).await.unwrap();
    api.post("/registration-tokens", &json!({"tags": {"site": "köln \"7\""}})).await.expect(201);
    assert_eq!(sign_checkpoints(api.server.state()).await.unwrap(), 1);
    assert_eq!(sign_checkpoints(api.server.state()).await.unwrap(), 0, "nothing has come since");

    let answer = api.get("/audit/export").await.expect(200);
    assert_eq!(answer.header("content-type"), Some("application/jsonl"));
    let text = answer.text();
    let records: Vec<AuditRecord> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert!(records.len() >= 4, "{text}");
    let published: AuditCheckpoints =
        serde_json::from_value(api.get("/audit/checkpoints").await.expect(200).json()).unwrap();
    assert_eq!(
        (published.end.sequence, &published.end.hash),
        (records.len() as u64, &records.last().unwrap().hash)
    );
    let key = PublicKey::from_pem(&published.public_keys[0].public_key_pem, None).unwrap();
    assert!(published.checkpoints.iter().all(|checkpoint| is_signed(checkpoint, std::slice::from_ref(&key))));
    let mut forged = published.checkpoints[0].clone();
    forged.sequence += 1;
    assert!(!is_signed(&forged, &[key]));
    let path = api.server.data_dir().join(CHECKPOINTS_FILE);
    assert!(read_checkpoints(&path).unwrap().ends_with(&published.checkpoints));

    let verify = |records: &[AuditRecord]| {
        let checkpoints = published.checkpoints.clone();
        let mut verifier = ChainVerifier::new(OrganizationId::DEFAULT, None, checkpoints, sha256_hex);
        for record in records {
            verifier.push(record);
        }
        verifier.finish(None)
    };
    let whole = verify(&records);
    assert_eq!((whole.faults, whole.confirmed), (vec![], published.checkpoints.len() as u64));
    let cut = verify(&records[..records.len() - 1]);
    assert!(matches!(cut.faults[..], [ChainFault::Cut { .. }]), "{cut:?}");

    let rest = api.get("/audit/export?cursor=2&limit=1").await.expect(200).text();
    assert_eq!(rest.lines().collect::<Vec<_>>(), [text.lines().nth(2).unwrap()]);
    let some = api.get("/audit/export?action=device.register").await.expect(200).text();
    assert_eq!(some.lines().count(), 3);
    for (query, word) in [("format=xml", "format"), ("cursor=-1", "cursor"), ("result=x", "result")] {
        api.get(&format!("/audit/export?{query}")).await.refused(400, "invalid_request", &[word]);
    }
}

async fn an_export_as_csv_is_harmless_in_a_spreadsheet(api: &Api) {
    let device = api.register(json!({})).await;
    let path = format!("/devices/{}", device.id);
    let name = "=HYPERLINK(\"http://x\"),a";
    Answer::of(api.request("PATCH", &path).json(&json!({"display_name": name}))).await.expect(200);
    Answer::of(api.http.post(api.url("/auth/login")).json(&json!({"username": "=1+1", "password": "x"})))
        .await;
    let answer = api.get("/audit/export?format=csv").await.expect(200);
    assert!(answer.header("content-type").unwrap().starts_with("text/csv"));
    let text = answer.text();
    let lines: Vec<_> = text.split("\r\n").collect();
    assert!(lines[0].starts_with("sequence,recorded_at,actor_kind,"), "{text}");
    assert!(
        lines.iter().any(|line| line.contains(r#""{""display_name"":""=HYPERLINK(\""http://x\""),a"""#)),
        "{text}"
    );
    for line in &lines {
        assert!(
            !line.split(',').any(|cell| cell.trim_start_matches('"').starts_with(['=', '+', '@'])),
            "{line}"
        );
    }
}
