//! SIGTERM: what is under way is finished.

use std::time::Duration;

use aws_lc_rs::digest::{Context, SHA256};
use bytes::Bytes;
use kernex_api::bundles::UploadedBundle;
use kernex_client::{HttpOptions, build_http_client};
use kernex_testkit::{ADMIN_PASSWORD, Backend, ServerProcess, ServerSetup, TestBundle, wait_for};
use reqwest::multipart::{Form, Part};
use tokio::{net::TcpStream, sync::mpsc};

const DEADLINE: Duration = Duration::from_secs(30);
/// More than the buffers between two programs hold.
const BUNDLE_BYTES: usize = 48 << 20;

#[tokio::test(flavor = "multi_thread")]
async fn an_upload_in_flight_is_finished_before_the_server_ends() {
    let setup = ServerSetup::new(Backend::Sqlite).await;
    let mut server = setup.start().await;
    server.admin().await;
    let archive = TestBundle::tiny("slow", "1.0.0").with_random_bytes(BUNDLE_BYTES).pack(setup.folder());
    let archive = std::fs::read(archive).unwrap();
    let (first, rest) = archive.split_at(archive.len() / 2);

    let (chunks, arriving) = mpsc::channel::<Bytes>(1);
    let upload = tokio::spawn(upload(server.url.clone(), arriving, archive.len() as u64));
    chunks.send(Bytes::copy_from_slice(first)).await.unwrap();
    let incoming = setup.data_dir().join("incoming");
    wait_for("the first half to arrive", DEADLINE, async || {
        let sizes = std::fs::read_dir(&incoming)
            .ok()?
            .map(|entry| entry.unwrap().metadata().map_or(0, |file| file.len()));
        (sizes.max()? > first.len() as u64 / 2).then_some(())
    })
    .await;

    server.terminate();
    wait_until_nobody_new_is_let_in(&server).await;
    chunks.send(Bytes::copy_from_slice(rest)).await.unwrap();
    drop(chunks);
    let response = upload.await.unwrap();
    assert_eq!(response.status().as_u16(), 201);
    let uploaded: UploadedBundle = response.json().await.unwrap();
    assert_eq!(uploaded.size_bytes, archive.len() as u64);
    assert!(server.wait().await.success(), "{}", server.log_text());

    server.restart(&setup).await;
    let admin = server.login().await;
    let verified = admin.verify_bundle(uploaded.bundle_id, &Default::default()).await.unwrap();
    assert!(verified.valid);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_download_in_flight_is_finished_before_the_server_ends() {
    let setup = ServerSetup::new(Backend::Sqlite).await;
    let mut server = setup.start().await;
    let admin = server.admin().await;
    let archive = TestBundle::tiny("slow", "1.0.0").with_random_bytes(BUNDLE_BYTES).pack(setup.folder());
    let uploaded = admin.upload_bundle(&archive, None, |_| {}).await.unwrap();

    let url = format!("{}/api/v1/bundles/{}", server.url, uploaded.bundle_id);
    let http = build_http_client(&HttpOptions::default()).unwrap();
    let mut response = http.get(url).bearer_auth(access_token(&server.url).await).send().await.unwrap();
    let mut digest = Context::new(&SHA256);
    digest.update(&response.chunk().await.unwrap().unwrap());
    server.terminate();
    wait_until_nobody_new_is_let_in(&server).await;
    while let Some(chunk) = response.chunk().await.unwrap() {
        digest.update(&chunk);
    }
    assert_eq!(hex::encode(digest.finish()), uploaded.checksum_sha256);
    assert!(server.wait().await.success(), "{}", server.log_text());
}

async fn upload(url: String, mut arriving: mpsc::Receiver<Bytes>, size: u64) -> reqwest::Response {
    let stream = futures_util::stream::poll_fn(move |context| {
        arriving.poll_recv(context).map(|chunk| chunk.map(Ok::<_, std::io::Error>))
    });
    let part = Part::stream_with_length(reqwest::Body::wrap_stream(stream), size).file_name("slow.tar.zst");
    let options = HttpOptions { read_timeout: Duration::from_secs(300), ..HttpOptions::default() };
    let request = build_http_client(&options).unwrap().post(format!("{url}/api/v1/bundles"));
    let request = request.bearer_auth(access_token(&url).await).multipart(Form::new().part("file", part));
    request.send().await.unwrap()
}

async fn access_token(url: &str) -> String {
    let client = kernex_client::OperatorClient::new(url, &HttpOptions::default()).unwrap();
    let login =
        kernex_api::auth::LoginRequest { username: "admin".to_owned(), password: ADMIN_PASSWORD.to_owned() };
    client.login(&login).await.unwrap().access_token
}

async fn wait_until_nobody_new_is_let_in(server: &ServerProcess) {
    let address = server.url.trim_start_matches("http://");
    wait_for("the port to close", DEADLINE, async || {
        TcpStream::connect(address).await.is_err().then_some(())
    })
    .await;
}
