//! A bundle goes from a laptop to a device and back.

use std::{
    fs,
    path::{Path, PathBuf},
    time::Duration,
};

use kernex_testkit::{
    ADMIN_PASSWORD, AgentProcess, Backend, Kernex, ServerProcess, ServerSetup, program, wait_for,
};
use serde_json::Value;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
};

const DEADLINE: Duration = Duration::from_secs(60);
/// A reading that version 1 and version 2 judge differently.
const READING: &str = r#"{"features":[51,1.9,3.3,1.92]}"#;

#[tokio::test(flavor = "multi_thread")]
async fn a_bundle_goes_from_a_laptop_to_a_device_and_back_on_sqlite() {
    walk(Backend::Sqlite).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bundle_goes_from_a_laptop_to_a_device_and_back_on_postgres() {
    walk(Backend::Postgres).await;
}

async fn walk(backend: Backend) {
    let setup = ServerSetup::new(backend).await;
    let server = setup.start().await;
    server.admin().await;
    let kernex = Kernex::log_in(&server.url, "admin", ADMIN_PASSWORD).await;
    let (agent, device) = start_agent(&setup, &server, &kernex).await;

    for (version, label) in [("1.0.0", "normal"), ("2.0.0", "warning")] {
        let bundle = example(setup.folder(), &version[..1]);
        kernex.ask(&["bundle", "push", bundle.to_str().unwrap()]).await;
        let deploy =
            kernex.run(&["deploy", &format!("edge-model@{version}"), "--device", &device, "--wait"]).await;
        assert_eq!(deploy.code, Some(0), "{deploy:?}");
        assert_runs(&agent, version, label).await;
    }

    let rollback = ["rollback", "1.0.0", "--name", "edge-model", "--device", &device, "--wait"];
    let rollback = kernex.run(&rollback).await;
    assert_eq!(rollback.code, Some(0), "{rollback:?}");
    assert_runs(&agent, "1.0.0", "normal").await;
    let expected =
        [("rollback", "1.0.0", "success"), ("deploy", "2.0.0", "success"), ("deploy", "1.0.0", "success")];
    assert_eq!(history(&kernex, &device).await, expected.map(owned));

    a_broken_version_is_refused_by_the_device(&setup, &kernex, &device).await;
    assert_runs(&agent, "1.0.0", "normal").await;
    stop(agent, server).await;
}

async fn a_broken_version_is_refused_by_the_device(setup: &ServerSetup, kernex: &Kernex, device: &str) {
    let bundle = example(setup.folder(), "3");
    kernex.ask(&["bundle", "push", bundle.to_str().unwrap()]).await;
    let deploy = kernex.run(&["deploy", "edge-model@3.0.0", "--device", device, "--wait"]).await;
    assert_eq!(deploy.code, Some(7), "{deploy:?}");
    let newest = history(kernex, device).await.remove(0);
    assert_eq!((newest.0.as_str(), newest.1.as_str()), ("deploy", "3.0.0"));
    assert_ne!(newest.2, "success");
}

async fn start_agent(setup: &ServerSetup, server: &ServerProcess, kernex: &Kernex) -> (AgentProcess, String) {
    let token = kernex.ask(&["registration-token", "create"]).await;
    let token = token["token"].as_str().unwrap();
    let agent = AgentProcess::start(&server.url, &setup.folder().join("device"), Some(token));
    let device = wait_for("the agent's first heartbeat", DEADLINE, async || {
        let list = kernex.ask(&["device", "list", "--status", "online"]).await;
        list["devices"][0]["device_id"].as_str().map(ToOwned::to_owned)
    });
    let device = device.await;
    (agent, device)
}

/// What the device has switched to, what it answers, and that both are the same.
async fn assert_runs(agent: &AgentProcess, version: &str, label: &str) {
    let slot = agent.data_dir().join("bundles/edge-model");
    let current = fs::read_link(slot.join("current")).expect("there is a link to what runs");
    let release = current.file_name().unwrap().to_str().unwrap().to_owned();
    assert!(release.starts_with(&format!("{version}-")), "{}", current.display());
    let manifest =
        fs::read_to_string(slot.join("current/manifest.json")).expect("the link leads to the release");
    assert!(manifest.contains(version), "{manifest}");
    let answer = wait_for("the workload's answer", DEADLINE, async || predict(&slot).await).await;
    assert_eq!((answer["label"].as_str(), answer["model_version"].as_str()), (Some(label), Some(version)));
}

async fn predict(slot: &Path) -> Option<Value> {
    let address = fs::read_to_string(slot.join("data/infer.addr")).ok()?;
    let mut stream = TcpStream::connect(address.trim()).await.ok()?;
    let length = READING.len();
    let request = format!(
        "POST /predict HTTP/1.1\r\nHost: device\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n{READING}"
    );
    stream.write_all(request.as_bytes()).await.ok()?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.ok()?;
    serde_json::from_str(answer.split_once("\r\n\r\n")?.1).ok()
}

async fn history(kernex: &Kernex, device: &str) -> Vec<(String, String, String)> {
    let history = kernex.ask(&["device", "history", device]).await;
    let text = |line: &Value, field: &str| line[field].as_str().unwrap_or_default().to_owned();
    let lines = history.as_array().expect("the history is a list").iter();
    lines.map(|line| (text(line, "kind"), text(line, "bundle_version"), text(line, "status"))).collect()
}

fn owned(line: (&str, &str, &str)) -> (String, String, String) {
    (line.0.to_owned(), line.1.to_owned(), line.2.to_owned())
}

/// A folder with a version of the example, its program included.
fn example(folder: &Path, version: &str) -> PathBuf {
    let from = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("../../examples/edge-model/v{version}"));
    let to = folder.join(format!("edge-model-{version}"));
    fs::create_dir_all(&to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        fs::copy(entry.path(), to.join(entry.file_name())).unwrap();
    }
    fs::copy(program("infer"), to.join("infer")).unwrap();
    to
}

/// Everything ends when asked, and the workload with its agent.
async fn stop(agent: AgentProcess, mut server: ServerProcess) {
    let address = fs::read_to_string(agent.data_dir().join("bundles/edge-model/data/infer.addr")).unwrap();
    assert!(agent.stop().await.success());
    assert!(TcpStream::connect(address.trim()).await.is_err(), "the workload outlived its agent");
    server.terminate();
    assert!(server.wait().await.success());
}
