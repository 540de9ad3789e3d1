//! Uploads: what is no bundle is refused, and leaves nothing.

use std::time::Duration;

use kernex_testkit::{Backend, TestBundle, wait_for};
use reqwest::multipart::{Form, Part};
use serde_json::{Value, json};
use tokio::{io::AsyncWriteExt as _, net::TcpStream};

use crate::support::{Answer, Api, file_part, is_empty, sha256, tar_gz};

on_both!(
    a_bundle_is_stored_as_it_was_sent,
    a_file_that_is_no_bundle_is_refused,
    an_archive_that_is_cut_off_anywhere_is_refused,
    a_manifest_that_is_missing_invalid_or_disagrees_is_refused,
    names_that_lead_elsewhere_are_refused_or_ignored,
    a_form_with_wrong_parts_is_refused,
    the_same_version_twice_is_a_conflict_also_at_once,
    the_same_upload_with_an_idempotency_key_gives_the_first_answer,
    a_client_that_goes_away_leaves_nothing,
    a_bundle_that_is_needed_or_run_is_not_deleted,
    stored_bytes_can_be_verified,
);

/// Nothing is stored, and nothing lies around.
async fn assert_nothing(api: &Api) {
    assert_eq!(api.stored().await["bundles"], 0);
    wait_for("the last file to go", Duration::from_secs(20), async || (api.files() == (0, 0)).then_some(()))
        .await;
}

async fn a_bundle_is_stored_as_it_was_sent(api: &Api) {
    for (index, bundle) in
        [TestBundle::tiny("vision", "1.0.0"), TestBundle::tiny("vision", "2.0.0").with_random_bytes(300_000)]
            .into_iter()
            .enumerate()
    {
        api.clock.advance_secs(1);
        let archive = api.archive(&bundle.with("description", json!("night model")));
        let answer = api.upload_archive(archive.clone()).await.expect(201).json();
        assert_eq!(answer["checksum_sha256"], sha256(&archive));
        assert_eq!(
            (answer["name"].clone(), answer["size_bytes"].clone()),
            (json!("vision"), json!(archive.len()))
        );
        let id = answer["bundle_id"].as_str().unwrap();
        assert_eq!(api.get(&format!("/bundles/{id}")).await.expect(200).body, archive);
        let listed = api.get("/bundles").await.expect(200).json();
        assert_eq!(listed["total"], index + 1);
        assert_eq!(listed["bundles"][0]["format"], if index == 0 { "gz" } else { "zst" });
        assert_eq!(listed["bundles"][0]["description"], "night model");
        assert_eq!(listed["bundles"][0]["uploaded_by"], "admin");
        let manifest = api.get(&format!("/bundles/{id}/manifest")).await.expect(200).json();
        assert_eq!(manifest["name"], "vision");
    }
    assert_eq!(api.files(), (0, 2));
}

async fn a_file_that_is_no_bundle_is_refused(api: &Api) {
    let good = tar_gz(&[("manifest.json", br#"{"version":"1"}"#)]);
    let cases: [(Vec<u8>, &str, &str); 9] = [
        (Vec::new(), "invalid_archive", ""),
        (b"hello".to_vec(), "invalid_archive", "not a .tar.gz"),
        (b"PK\x03\x04 a zip archive".to_vec(), "invalid_archive", "not a .tar.gz"),
        (vec![0; 10_000], "invalid_archive", "not a .tar.gz"),
        (vec![0x1f, 0x8b], "invalid_archive", ""),
        ([&[0x1f, 0x8b, 8, 0][..], &[7; 500]].concat(), "invalid_archive", ""),
        (tar_gz(&[]), "invalid_archive", "no files"),
        ([&good[..], b"more"].concat(), "invalid_archive", ""),
        (tar_gz(&[("readme", b"x")]), "invalid_manifest", "manifest.json"),
    ];
    for (bytes, code, word) in cases {
        api.upload_archive(bytes).await.refused(400, code, &[word]);
    }
    assert_nothing(api).await;
}

async fn an_archive_that_is_cut_off_anywhere_is_refused(api: &Api) {
    for bundle in [
        TestBundle::tiny("default", "1.0.0").with_file("weights", &[7; 5_000]),
        TestBundle::tiny("default", "1.0.0").with_random_bytes(3_000),
    ] {
        let archive = api.archive(&bundle);
        let step = (archive.len() / 25).max(1);
        for length in (0..archive.len()).step_by(step).chain([archive.len() - 1]) {
            let answer = api.upload_archive(archive[..length].to_vec()).await;
            answer.refused(400, "invalid_archive", &[]);
        }
        let mut damaged = archive.clone();
        let middle = damaged.len() / 2;
        damaged[middle] ^= 0xff;
        let answer = api.upload_archive(damaged).await;
        assert_eq!(answer.status, 400, "{}", answer.text());
    }
    assert_nothing(api).await;
}

async fn a_manifest_that_is_missing_invalid_or_disagrees_is_refused(api: &Api) {
    let in_archive = |manifest: &Value| {
        tar_gz(&[("manifest.json", manifest.to_string().as_bytes()), ("run.sh", b"#!/bin/sh")])
    };
    let long = "1".repeat(300);
    for (manifest, word) in [
        (json!({}), "version"),
        (json!({"version": ""}), "version"),
        (json!({"version": 1}), "version"),
        (json!({"version": long}), "version"),
        (json!({"version": "1 0"}), "version"),
        (json!({"version": "../../etc"}), "version"),
        (json!({"version": "a/b"}), "version"),
        (json!({"version": ".."}), "version"),
        (json!({"version": "1\u{0}"}), "version"),
        (json!({"version": "é"}), "version"),
        (json!({"version": "1", "name": "../x"}), "name"),
        (json!({"version": "1", "name": "Upper"}), "name"),
        (json!({"version": "1", "name": ""}), "name"),
        (json!({"version": "1", "deploy": {"script": "./missing.sh"}}), "missing.sh"),
        (json!({"version": "1", "deploy": {"script": "../../bin/sh"}}), "script"),
        (json!({"version": "1", "deploy": {"script": "/bin/sh"}}), "script"),
        (json!({"version": "1", "deploy": {"script": "./run.sh", "timeout_secs": -1}}), "timeout_secs"),
        (json!({"version": "1", "workload": {"command": []}}), "command"),
        (json!([1]), ""),
    ] {
        api.upload_archive(in_archive(&manifest)).await.refused(400, "invalid_manifest", &[word]);
        // The same in the form beside an archive without one.
        let form = Form::new()
            .part("file", file_part(tar_gz(&[("run.sh", b"#!/bin/sh")])))
            .text("manifest", manifest.to_string());
        api.upload_parts(form).await.refused(400, "invalid_manifest", &[word]);
    }
    for text in ["", "{", "no json", "{\"version\":\"1\"} {}"] {
        let archive = tar_gz(&[("manifest.json", text.as_bytes())]);
        api.upload_archive(archive).await.refused(400, "invalid_manifest", &["manifest"]);
    }
    let given = json!({"version": "1.0.0", "name": "default", "description": "one"});
    for (form, word) in [
        (json!({"version": "1.0.1"}), "version"),
        (json!({"version": "1.0.0", "name": "vision"}), "name"),
        (json!({"version": "1.0.0", "description": "two"}), "description"),
    ] {
        let form = Form::new().part("file", file_part(in_archive(&given))).text("manifest", form.to_string());
        api.upload_parts(form).await.refused(400, "invalid_manifest", &[word, "differs"]);
    }
    let form = Form::new()
        .part("file", file_part(in_archive(&given)))
        .text("manifest", format!("{{\"version\":\"1.0.0\",\"description\":\"{}\"}}", "x".repeat(300_000)));
    api.upload_parts(form).await.refused(413, "too_large", &["manifest"]);
    assert_nothing(api).await;
    let form = Form::new().part("file", file_part(in_archive(&given))).text("manifest", given.to_string());
    api.upload_parts(form).await.expect(201);
}

async fn names_that_lead_elsewhere_are_refused_or_ignored(api: &Api) {
    let manifest = br#"{"version":"1.0.0"}"#;
    for name in ["../evil", "/etc/evil", "a/../../evil", "./../evil", "..", "a\\..\\evil", "a\nb"] {
        let archive = tar_gz(&[("manifest.json", manifest), (name, b"evil")]);
        api.upload_archive(archive).await.refused(400, "invalid_archive", &["entry"]);
    }
    assert_nothing(api).await;
    // The file's own name in the form is nobody's path.
    for (number, name) in ["../../evil.tar.gz", "/etc/cron.d/evil", "..", "C:\\evil"].into_iter().enumerate()
    {
        let archive = api.archive(&TestBundle::tiny("default", &format!("{number}.0.0")));
        let part = Part::bytes(archive).file_name(name);
        api.upload_parts(Form::new().part("file", part)).await.expect(201);
    }
    assert_eq!(api.files(), (0, 4));
    let evil = walk(api.server.data_dir()).into_iter().find(|path| path.contains("evil"));
    assert_eq!(evil, None);
}

fn walk(folder: &std::path::Path) -> Vec<String> {
    let entries = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    entries
        .flat_map(|path| if path.is_dir() { walk(&path) } else { vec![path.display().to_string()] })
        .collect()
}

async fn a_form_with_wrong_parts_is_refused(api: &Api) {
    let archive = api.archive(&TestBundle::tiny("default", "1.0.0"));
    let file = || file_part(archive.clone());
    let manifest = r#"{"version":"1.0.0","name":"default"}"#;
    let cases = [
        (Form::new(), "form"),
        (Form::new().text("manifest", manifest), "file"),
        (Form::new().part("file", file()).part("file", file()), "two parts named file"),
        (
            Form::new().text("manifest", manifest).text("manifest", manifest).part("file", file()),
            "two parts named manifest",
        ),
        (Form::new().part("file", file()).text("version", "1.0.0"), "version"),
        (Form::new().part("bundle", file()), "bundle"),
        (Form::new().part("", file()), "unknown part"),
    ];
    for (form, word) in cases {
        api.upload_parts(form).await.refused(400, "invalid_request", &[word]);
    }
    for (kind, body) in [
        ("multipart/form-data", "x"),
        ("multipart/form-data; boundary=abc", "no part at all"),
        (
            "multipart/form-data; boundary=abc",
            "--abc\r\nContent-Disposition: form-data; name=\"file\"\r\n\r\nbytes",
        ),
        ("multipart/form-data; boundary=abc", ""),
    ] {
        let request = api.request("POST", "/bundles").header("content-type", kind).body(body);
        let answer = Answer::of(request).await;
        assert_eq!(answer.status, 400, "{}", answer.text());
        assert_eq!(answer.header("content-type"), Some("application/problem+json"));
    }
    assert_nothing(api).await;
    // In either order.
    let form = Form::new().text("manifest", manifest).part("file", file());
    api.upload_parts(form).await.expect(201);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_over_the_limit_is_refused_whether_it_says_so_or_not() {
    for backend in Backend::all() {
        let api = Api::start_with(backend, |options| options.max_bundle_bytes = Some(100_000)).await;
        let large = api.archive(&TestBundle::tiny("default", "1.0.0").with_random_bytes(150_000));
        api.upload_archive(large.clone()).await.refused(413, "too_large", &["100000"]);
        let huge = api.archive(&TestBundle::tiny("default", "1.0.0").with_random_bytes(3 << 20));
        api.upload_archive(huge).await.refused(413, "too_large", &["100000"]);
        // Without a length the limit is met on the way.
        let chunks =
            large.chunks(10_000).map(|chunk| Ok::<_, std::io::Error>(chunk.to_vec())).collect::<Vec<_>>();
        let body = reqwest::Body::wrap_stream(futures_util::stream::iter(chunks));
        api.upload_parts(Form::new().part("file", Part::stream(body))).await.refused(
            413,
            "too_large",
            &["100000"],
        );
        assert_nothing(&api).await;
        let fits = api.archive(&TestBundle::tiny("default", "1.0.0").with_random_bytes(50_000));
        api.upload_archive(fits).await.expect(201);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_archive_that_unpacks_to_too_much_is_refused() {
    let api = Api::start_with(Backend::Sqlite, |options| options.max_unpacked_bytes = Some(1 << 20)).await;
    let bomb = tar_gz(&[("manifest.json", br#"{"version":"1"}"#), ("zeros", &vec![0; 4 << 20])]);
    assert!(bomb.len() < 100_000);
    api.upload_archive(bomb).await.refused(400, "invalid_archive", &["1048576"]);
    assert_nothing(&api).await;
}

async fn the_same_version_twice_is_a_conflict_also_at_once(api: &Api) {
    for round in 0..3 {
        let one = api.archive(&TestBundle::tiny("default", &format!("{round}.0.0")));
        let two = api.archive(&TestBundle::tiny("default", &format!("{round}.0.0")).with_file("more", b"x"));
        let answers = futures_util::future::join_all([
            api.upload_archive(one.clone()),
            api.upload_archive(two.clone()),
            api.upload_archive(one.clone()),
        ])
        .await;
        let mut statuses: Vec<_> = answers.iter().map(|answer| answer.status).collect();
        statuses.sort_unstable();
        assert_eq!(statuses, [201, 409, 409]);
        for answer in answers.iter().filter(|answer| answer.status == 409) {
            answer.refused(409, "conflict", &[&format!("default@{round}.0.0")]);
        }
        let made = answers.iter().find(|answer| answer.status == 201).unwrap().json();
        let bytes =
            api.get(&format!("/bundles/{}", made["bundle_id"].as_str().unwrap())).await.expect(200).body;
        assert_eq!(made["checksum_sha256"], sha256(&bytes));
        assert_eq!(api.files(), (0, round + 1), "one blob each");
        api.upload_archive(two).await.refused(409, "conflict", &["exists already"]);
    }
}

async fn the_same_upload_with_an_idempotency_key_gives_the_first_answer(api: &Api) {
    let archive = api.archive(&TestBundle::tiny("default", "1.0.0"));
    let upload = async |archive: &[u8], key: &str| {
        let form = Form::new().part("file", file_part(archive.to_vec()));
        Answer::of(api.request("POST", "/bundles").header("idempotency-key", key).multipart(form)).await
    };
    let first = upload(&archive, "one").await.expect(201).json();
    assert_eq!(upload(&archive, "one").await.expect(201).json(), first);
    upload(&archive, "two").await.refused(409, "conflict", &[]);
    let other = api.archive(&TestBundle::tiny("default", "2.0.0"));
    upload(&other, "one").await.refused(409, "idempotency_mismatch", &["Idempotency-Key"]);
    assert_eq!((api.files(), api.stored().await["bundles"]), ((0, 1), 1));
}

async fn a_client_that_goes_away_leaves_nothing(api: &Api) {
    let archive = api.archive(&TestBundle::tiny("default", "1.0.0").with_random_bytes(400_000));
    let head = format!(
        "POST /api/v1/bundles HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {}\r\n\
         Content-Type: multipart/form-data; boundary=abc\r\nContent-Length: {}\r\n\r\n\
         --abc\r\nContent-Disposition: form-data; name=\"file\"; filename=\"x\"\r\n\r\n",
        api.token,
        archive.len() + 1_000
    );
    for sent in [0, 1, 1_000, archive.len() / 2, archive.len()] {
        let mut stream = TcpStream::connect(api.server.url.strip_prefix("http://").unwrap()).await.unwrap();
        stream.write_all(head.as_bytes()).await.unwrap();
        stream.write_all(&archive[..sent]).await.unwrap();
        if sent > 1 {
            let incoming = api.server.data_dir().join("incoming");
            let arrives = async || (!is_empty(&incoming)).then_some(());
            wait_for("the upload to begin", Duration::from_secs(20), arrives).await;
        }
        drop(stream);
        assert_nothing(api).await;
    }
    api.upload_archive(archive).await.expect(201);
}

async fn a_bundle_that_is_needed_or_run_is_not_deleted(api: &Api) {
    let (device, bundle) = (api.device().await, api.bundle("1.0.0").await);
    let path = format!("/bundles/{bundle}");
    let delete = async || Answer::of(api.request("DELETE", &path)).await;
    let deployment = api.deploy("1.0.0", &[&device]).await;
    delete().await.refused(409, "conflict", &["1 targets"]);
    device.report(api, &deployment, "success").await.expect(200);
    delete().await.refused(409, "conflict", &["1 devices run"]);
    assert_eq!(api.files(), (0, 1));
    api.post(&format!("/devices/{}/decommission", device.id), &json!({})).await.expect(200);
    delete().await.expect(204);
    delete().await.refused(404, "not_found", &[&bundle]);
    for path in [path.clone(), format!("{path}/manifest")] {
        api.get(&path).await.refused(404, "not_found", &[&bundle]);
    }
    api.post(&format!("{path}/verify"), &json!({})).await.refused(404, "not_found", &[&bundle]);
    assert_eq!(api.files(), (0, 0));
    api.bundle("1.0.0").await;
}

async fn stored_bytes_can_be_verified(api: &Api) {
    let bundle = api.bundle("1.0.0").await;
    let path = format!("/bundles/{bundle}/verify");
    let answer = Answer::of(api.request("POST", &path)).await.expect(200).json();
    assert_eq!(answer["valid"], true);
    let digest = answer["checksum_sha256"].as_str().unwrap().to_owned();
    let with = async |text: String| {
        api.post(&path, &json!({"checksum_sha256": text})).await.expect(200).json()["valid"].clone()
    };
    assert_eq!(with(digest.to_uppercase()).await, true);
    assert_eq!(with("0".repeat(64)).await, false);
    api.post(&path, &json!({"sha": 1})).await.refused(400, "invalid_json", &["sha"]);
    let blob = api.server.data_dir().join("blobs").join(&bundle);
    let mut bytes = std::fs::read(&blob).unwrap();
    bytes[20] ^= 1;
    std::fs::write(&blob, &bytes).unwrap();
    let answer = Answer::of(api.request("POST", &path)).await.expect(200).json();
    assert_eq!(
        (answer["valid"].clone(), answer["checksum_sha256"].clone()),
        (json!(false), json!(sha256(&bytes)))
    );
    std::fs::write(&blob, &bytes[..10]).unwrap();
    api.get(&format!("/bundles/{bundle}")).await.refused(503, "unavailable", &["missing"]);
    std::fs::remove_file(&blob).unwrap();
    Answer::of(api.request("POST", &path)).await.refused(503, "unavailable", &["missing"]);
}
