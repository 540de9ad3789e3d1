//! Downloads: every kind of range, and who may.

use base64::Engine as _;
use kernex_testkit::TestBundle;
use serde_json::json;

use crate::support::{Answer, Api, Device, NOBODY, sha256};

on_both!(
    the_whole_file_comes_with_its_digest,
    parts_come_as_they_were_asked_for,
    many_parts_come_as_multipart,
    what_lies_outside_is_unsatisfiable,
    a_part_is_sent_only_of_what_the_client_has,
    what_the_client_has_already_is_not_sent,
    a_head_says_the_same_without_bytes,
    a_download_address_works_unsigned_until_it_expires,
    a_download_address_ends_with_its_devices_membership,
    only_devices_with_a_target_may_read_a_bundle,
    an_order_is_given_while_it_is_open,
);

async fn uploaded(api: &Api) -> (String, Vec<u8>) {
    let archive = api.archive(&TestBundle::tiny("vision", "1.2.3").with_random_bytes(100_000));
    let answer = api.upload_archive(archive.clone()).await.expect(201).json();
    (format!("/bundles/{}", answer["bundle_id"].as_str().unwrap()), archive)
}

async fn with(api: &Api, path: &str, headers: &[(&str, &str)]) -> Answer {
    let request =
        headers.iter().fold(api.request("GET", path), |request, (name, value)| request.header(*name, *value));
    Answer::of(request).await
}

async fn the_whole_file_comes_with_its_digest(api: &Api) {
    let (path, bytes) = uploaded(api).await;
    for headers in [&[][..], &[("range", "items=0-1")], &[("range", "bytes=5-4")], &[("range", "bytes=a-b")]]
    {
        let answer = with(api, &path, headers).await.expect(200);
        answer.dressed();
        assert_eq!(answer.body, bytes);
        assert_eq!(answer.header("content-length"), Some(bytes.len().to_string().as_str()));
        assert_eq!(answer.header("etag"), Some(format!("\"{}\"", sha256(&bytes)).as_str()));
        let digest = base64::engine::general_purpose::STANDARD.encode(hex::decode(sha256(&bytes)).unwrap());
        assert_eq!(answer.header("repr-digest"), Some(format!("sha-256=:{digest}:").as_str()));
        assert_eq!(
            answer.header("content-disposition"),
            Some("attachment; filename=\"vision-1.2.3.tar.zst\"")
        );
        assert_eq!(answer.header("content-type"), Some("application/zstd"));
        assert_eq!(answer.header("accept-ranges"), Some("bytes"));
    }
}

async fn parts_come_as_they_were_asked_for(api: &Api) {
    let (path, bytes) = uploaded(api).await;
    let last = bytes.len() - 1;
    for (range, first, end) in [
        ("bytes=0-0".to_owned(), 0, 0),
        ("bytes=100-199".to_owned(), 100, 199),
        (format!("bytes={last}-"), last, last),
        ("bytes=70000-".to_owned(), 70_000, last),
        ("bytes=-1".to_owned(), last, last),
        ("bytes=-1000".to_owned(), last - 999, last),
        (format!("bytes=-{}", bytes.len() * 2), 0, last),
        (format!("bytes=10-{}", bytes.len() * 2), 10, last),
        (format!("bytes=0-1,{}-", bytes.len()), 0, 1),
    ] {
        let answer = with(api, &path, &[("range", &range)]).await.expect(206);
        assert_eq!(answer.body, &bytes[first..=end], "{range}");
        let expected = format!("bytes {first}-{end}/{}", bytes.len());
        assert_eq!(answer.header("content-range"), Some(expected.as_str()));
        assert_eq!(answer.header("content-length"), Some((end - first + 1).to_string().as_str()));
        assert_eq!(answer.header("etag"), Some(format!("\"{}\"", sha256(&bytes)).as_str()));
    }
}

/// The parts of a `multipart/byteranges` body: what `Content-Range` says, and the bytes.
fn parts(answer: &Answer) -> Vec<(String, Vec<u8>)> {
    let kind = answer.header("content-type").unwrap();
    let boundary = kind.strip_prefix("multipart/byteranges; boundary=").unwrap_or_else(|| panic!("{kind}"));
    let delimiter = format!("\r\n--{boundary}").into_bytes();
    let mut rest = &answer.body[..];
    let mut parts = Vec::new();
    assert!(rest.starts_with(&delimiter));
    loop {
        rest = &rest[delimiter.len()..];
        if rest == b"--\r\n" {
            return parts;
        }
        rest = rest.strip_prefix(b"\r\n").unwrap();
        let end = rest.windows(4).position(|window| window == b"\r\n\r\n").unwrap();
        let head = std::str::from_utf8(&rest[..end]).unwrap();
        let range =
            head.lines().find_map(|line| line.strip_prefix("Content-Range: bytes ")).unwrap().to_owned();
        assert!(head.contains("Content-Type: application/zstd"), "{head}");
        let (first, last) = range.split('/').next().unwrap().split_once('-').unwrap();
        let length = last.parse::<usize>().unwrap() - first.parse::<usize>().unwrap() + 1;
        rest = &rest[end + 4..];
        parts.push((range, rest[..length].to_vec()));
        rest = &rest[length..];
    }
}

async fn many_parts_come_as_multipart(api: &Api) {
    let (path, bytes) = uploaded(api).await;
    let size = bytes.len();
    let answer = with(api, &path, &[("range", "bytes=0-99, 5000-70000 ,50-60,-5")]).await.expect(206);
    assert_eq!(answer.header("content-length"), Some(answer.body.len().to_string().as_str()));
    assert_eq!(answer.header("content-range"), None);
    let expected: Vec<_> = [(0, 99), (5_000, 70_000), (50, 60), (size - 5, size - 1)]
        .into_iter()
        .map(|(first, last)| (format!("{first}-{last}/{size}"), bytes[first..=last].to_vec()))
        .collect();
    assert_eq!(parts(&answer), expected);
    let many = format!("bytes={}", ["0-1"; 17].join(","));
    assert_eq!(
        with(api, &path, &[("range", &many)]).await.expect(200).body,
        bytes,
        "too many are answered by all"
    );
}

async fn what_lies_outside_is_unsatisfiable(api: &Api) {
    let (path, bytes) = uploaded(api).await;
    for range in [
        format!("bytes={}-", bytes.len()),
        format!("bytes={}-{}", bytes.len() + 5, bytes.len() + 9),
        "bytes=-0".to_owned(),
    ] {
        let answer = with(api, &path, &[("range", &range)]).await;
        answer.refused(416, "range_not_satisfiable", &[&bytes.len().to_string()]);
        assert_eq!(answer.header("content-range"), Some(format!("bytes */{}", bytes.len()).as_str()));
    }
}

async fn a_part_is_sent_only_of_what_the_client_has(api: &Api) {
    let (path, bytes) = uploaded(api).await;
    let etag = format!("\"{}\"", sha256(&bytes));
    let weak = format!("W/{etag}");
    let part = with(api, &path, &[("range", "bytes=10-19"), ("if-range", &etag)]).await.expect(206);
    assert_eq!(part.body, &bytes[10..20]);
    for other in ["\"0000\"", &weak, etag.trim_matches('"'), "Sat, 29 Oct 2026 19:43:31 GMT", "", "*"] {
        let whole = with(api, &path, &[("range", "bytes=10-19"), ("if-range", other)]).await.expect(200);
        assert_eq!(whole.body, bytes, "{other}");
    }
}

async fn what_the_client_has_already_is_not_sent(api: &Api) {
    let (path, bytes) = uploaded(api).await;
    let etag = format!("\"{}\"", sha256(&bytes));
    for known in [etag.clone(), format!("W/{etag}"), format!("\"a\", {etag}"), "*".to_owned()] {
        let answer = with(api, &path, &[("if-none-match", &known)]).await.expect(304);
        assert_eq!((answer.body.len(), answer.header("etag")), (0, Some(etag.as_str())));
        with(api, &path, &[("if-none-match", &known), ("range", "bytes=0-1")]).await.expect(304);
    }
    with(api, &path, &[("if-none-match", "\"other\"")]).await.expect(200);
}

async fn a_head_says_the_same_without_bytes(api: &Api) {
    let (path, bytes) = uploaded(api).await;
    let whole = api.get(&path).await.expect(200);
    let head = Answer::of(api.request("HEAD", &path)).await.expect(200);
    assert!(head.body.is_empty());
    for name in
        ["content-length", "etag", "content-type", "content-disposition", "repr-digest", "accept-ranges"]
    {
        assert_eq!(head.header(name), whole.header(name), "{name}");
    }
    assert_eq!(head.header("content-length"), Some(bytes.len().to_string().as_str()));
    let head = Answer::of(api.request("HEAD", &format!("/bundles/{NOBODY}"))).await.expect(404);
    assert!(head.body.is_empty());
}

async fn command(api: &Api, device: &Device) -> serde_json::Value {
    device.beat(api).await.expect(200).json()["commands"][0].clone()
}

async fn a_download_address_works_unsigned_until_it_expires(api: &Api) {
    let (device, first) = (api.device().await, api.bundle("1.0.0").await);
    let other = api.bundle("2.0.0").await;
    api.deploy("1.0.0", &[&device]).await;
    let order = command(api, &device).await;
    assert_eq!((order["type"].clone(), order["bundle_id"].clone()), (json!("deploy"), json!(first)));
    let url = order["download_url"].as_str().unwrap();
    let path = url.strip_prefix("/api/v1").unwrap();
    let get = async |path: &str| Answer::of(api.anonymous("GET", path)).await;
    let bytes = get(path).await.expect(200).body;
    assert_eq!(order["checksum_sha256"], sha256(&bytes));
    assert_eq!(order["size_bytes"], bytes.len());
    let part = Answer::of(api.anonymous("GET", path).header("range", "bytes=5-9")).await.expect(206);
    assert_eq!(part.body, &bytes[5..10]);
    let tampered = [
        path.replace(&first, &other),
        path.replace("/bundles/", "/bundles/..%2Fbundles%2F"),
        path.replacen(&device.id, NOBODY, 1),
        path.replacen("org=0", "org=1", 1),
        path.replacen("expires=1", "expires=2", 1),
        path.replace("proof=", "proof=0"),
        path[..path.len() - 1].to_owned(),
        path[..path.len() - 2].to_owned(),
        format!("/bundles/{first}?proof="),
        format!("/bundles/{first}?proof=abc"),
        path.replace(&format!("/bundles/{first}"), &format!("/bundles/{first}/manifest")),
    ];
    for path in tampered {
        let answer = get(&path).await;
        assert!([401, 404].contains(&answer.status), "{path}: {}", answer.text());
        assert_ne!(answer.body, bytes);
    }
    get(&format!("/bundles/{first}")).await.refused(401, "unauthenticated", &["Bearer"]);
    api.clock.advance_secs(86_399);
    get(path).await.expect(200);
    api.clock.advance_secs(1);
    get(path).await.refused(401, "unauthenticated", &["expired", "heartbeat"]);
    let fresh = command(api, &device).await["download_url"].as_str().unwrap().to_owned();
    get(fresh.strip_prefix("/api/v1").unwrap()).await.expect(200);
}

async fn a_download_address_ends_with_its_devices_membership(api: &Api) {
    let device = api.device().await;
    api.bundle("1.0.0").await;
    api.deploy("1.0.0", &[&device]).await;
    let url = command(api, &device).await["download_url"].as_str().unwrap().to_owned();
    let get = async || Answer::of(api.anonymous("GET", url.strip_prefix("/api/v1").unwrap())).await;
    get().await.expect(200);
    api.post(&format!("/devices/{}/decommission", device.id), &json!({})).await.expect(200);
    get().await.refused(401, "unauthenticated", &["address"]);
}

async fn only_devices_with_a_target_may_read_a_bundle(api: &Api) {
    let (device, stranger) = (api.device().await, api.device().await);
    let (bundle, other) = (api.bundle("1.0.0").await, api.bundle("2.0.0").await);
    let path = format!("/bundles/{bundle}");
    device.send(api, "GET", &path, "").await.refused(403, "not_a_target", &["no deployment"]);
    let deployment = api.deploy("1.0.0", &[&device]).await;
    let mut signed = device.signed(api, "GET", &path, "");
    signed.headers.push(("range", "bytes=0-9".to_owned()));
    assert_eq!(signed.send(api).await.expect(206).body.len(), 10);
    let whole = device.send(api, "GET", &path, "").await.expect(200);
    assert_eq!(whole.header("etag"), Some(format!("\"{}\"", sha256(&whole.body)).as_str()));
    assert_eq!(device.send(api, "HEAD", &path, "").await.expect(200).body.len(), 0);
    device.send(api, "GET", &format!("{path}/manifest"), "").await.expect(200);
    device.send(api, "GET", &format!("/bundles/{other}"), "").await.refused(403, "not_a_target", &[]);
    device.send(api, "GET", &format!("/bundles/{NOBODY}"), "").await.refused(403, "not_a_target", &[]);
    stranger.send(api, "GET", &path, "").await.refused(403, "not_a_target", &[]);
    device.report(api, &deployment, "success").await.expect(200);
    device.send(api, "GET", &path, "").await.expect(200);
}

async fn an_order_is_given_while_it_is_open(api: &Api) {
    let (device, stranger, bundle) = (api.device().await, api.device().await, api.bundle("1.0.0").await);
    let deployment = api.deploy("1.0.0", &[&device]).await;
    let path = format!("/deployments/{deployment}/order");
    let order = device.send(api, "GET", &path, "").await.expect(200).json();
    assert_eq!((order["bundle_id"].clone(), order["attempt"].clone()), (json!(bundle), json!(1)));
    stranger.send(api, "GET", &path, "").await.refused(410, "gone", &["nothing for this device"]);
    device.send(api, "GET", &format!("/deployments/{NOBODY}/order"), "").await.refused(410, "gone", &[]);
    device.send(api, "GET", "/deployments/x/order", "").await.refused(404, "not_found", &["deployment"]);
    api.get(&path).await.refused(401, "unauthenticated", &[]);
    api.post(&format!("/deployments/{deployment}/cancel"), &json!({})).await.expect(200);
    device.send(api, "GET", &path, "").await.refused(410, "gone", &[]);
}
