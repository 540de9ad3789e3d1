//! Workloads after they were kept: crashes, health, numbers, and the end of the agent.

use std::{
    fs,
    io::{Read as _, Write as _},
    net::TcpListener,
    os::unix::net::UnixStream,
    path::Path,
};

use serde_json::{Value, json};

use crate::{
    bundles::bundle,
    plane::Plane,
    support::{Agent, is_alive, pid_in, until},
};

/// Runs until a file appears, then ends with an error; with a health check that it passes at once.
const SERVE: &str = r#"#!/bin/sh
trap 'echo reloaded >> $KERNEX_DATA_DIR/reloads' HUP
echo $$ >> $KERNEX_DATA_DIR/pids
echo $$ > $KERNEX_DATA_DIR/pid
echo "serving $KERNEX_VERSION"
echo "careful" >&2
while [ ! -e $KERNEX_DATA_DIR/crash-$KERNEX_VERSION ]; do sleep 0.05; done
echo cannot go on
exit 7
"#;

fn served(version: &str, workload: Value) -> Vec<u8> {
    let mut manifest = json!({
        "version": version,
        "workload": {"command": ["./serve"], "max_crashes": 2},
        "health": {"command": ["test", "!", "-e", "../../data/ill"], "interval_secs": 1, "healthy_after": 1},
    });
    let given = workload.as_object().unwrap().clone();
    manifest["workload"].as_object_mut().unwrap().extend(given);
    bundle(manifest, &[("serve", SERVE)])
}

async fn succeeds(plane: &Plane, number: usize) {
    until("a result", || plane.results().len() >= number).await;
    assert_eq!(plane.results()[number - 1]["status"], "success", "{:?}", plane.results());
}

fn version(plane: &Plane) -> Value {
    plane.last_heartbeat()["bundles"][0]["version"].clone()
}

fn data(dir: &Path) -> std::path::PathBuf {
    dir.join("bundles/default/data")
}

fn alive(dir: &Path) -> Vec<String> {
    let pids = fs::read_to_string(data(dir).join("pids")).unwrap_or_default();
    pids.lines().filter(|pid| is_alive(pid)).map(str::to_owned).collect()
}

#[tokio::test]
async fn a_version_that_crashes_after_its_success_gives_way_by_itself_also_over_a_restart_of_the_agent() {
    let plane = Plane::start().await;
    let dir = tempfile::tempdir().unwrap();
    let agent = Agent::start(dir.path(), &plane.address());
    plane.deploy(1, "1.0.0", served("1.0.0", json!({})));
    succeeds(&plane, 1).await;
    plane.deploy(2, "2.0.0", served("2.0.0", json!({"max_crashes": 3})));
    succeeds(&plane, 2).await;
    until("version 2", || version(&plane) == "2.0.0").await;

    fs::write(data(dir.path()).join("crash-2.0.0"), "").unwrap();
    let trial = dir.path().join("bundles/default/trial.json");
    let crashes = || {
        let text = fs::read_to_string(&trial).unwrap_or_default();
        serde_json::from_str::<Value>(&text).ok().and_then(|trial| trial["crashes"].as_u64()).unwrap_or(0)
    };
    until("a crash that is counted", || crashes() >= 1).await;
    agent.kill().await;
    let agent = Agent::start(dir.path(), &plane.address());
    until("the return to version 1", || version(&plane) == "1.0.0").await;
    until("its workload", || {
        fs::read_to_string(data(dir.path()).join("pid")).is_ok_and(|_| alive(dir.path()).len() == 1)
    })
    .await;
    until("the status", || plane.last_heartbeat()["status"] == "degraded").await;
    until("the reason in the log", || {
        plane.logs().iter().any(|line| line.contains("the version before comes back"))
    })
    .await;
    assert_eq!(plane.results().len(), 2, "what was reported stays");
    let current = fs::read_link(dir.path().join("bundles/default/current")).unwrap();
    assert!(current.to_string_lossy().contains("1.0.0"), "{current:?}");

    plane.deploy(3, "3.0.0", served("3.0.0", json!({})));
    succeeds(&plane, 3).await;
    until("health with another version", || plane.last_heartbeat()["status"] == "healthy").await;
    agent.stop().await;
}

#[tokio::test]
async fn long_after_the_switch_crashes_only_degrade() {
    let plane = Plane::start().await;
    let dir = tempfile::tempdir().unwrap();
    let agent = Agent::start(dir.path(), &plane.address());
    plane.deploy(1, "1.0.0", served("1.0.0", json!({})));
    succeeds(&plane, 1).await;
    plane.deploy(2, "2.0.0", served("2.0.0", json!({"max_crashes": 1})));
    succeeds(&plane, 2).await;
    agent.stop().await;
    // The window passes.
    fs::remove_file(dir.path().join("bundles/default/trial.json")).unwrap();
    let agent = Agent::start(dir.path(), &plane.address());
    until("the workload", || alive(dir.path()).len() == 1).await;
    fs::write(data(dir.path()).join("crash-2.0.0"), "").unwrap();
    until("the status", || plane.last_heartbeat()["status"] == "degraded").await;
    assert_eq!(version(&plane), "2.0.0");
    fs::remove_file(data(dir.path()).join("crash-2.0.0")).unwrap();
    until("the next start", || alive(dir.path()).len() == 1).await;
    agent.stop().await;
}

#[tokio::test]
async fn a_killed_agent_takes_its_workload_along_and_never_two_run() {
    let plane = Plane::start().await;
    let dir = tempfile::tempdir().unwrap();
    let agent = Agent::start(dir.path(), &plane.address());
    plane.deploy(1, "1.0.0", served("1.0.0", json!({"stop_timeout_secs": 1})));
    succeeds(&plane, 1).await;
    let first = pid_in(&data(dir.path()).join("pid")).unwrap();
    agent.kill().await;
    // At once, while the old one may still be there.
    let agent = Agent::start(dir.path(), &plane.address());
    until("a new one", || {
        let alive = alive(dir.path());
        assert!(alive.len() <= 1, "two run: {alive:?}");
        alive.iter().any(|pid| *pid != first)
    })
    .await;
    assert!(!is_alive(&first));
    agent.kill().await;
    until("the end of the last one", || alive(dir.path()).is_empty()).await;
}

#[tokio::test]
async fn output_is_shipped_with_its_level_and_a_new_configuration_is_told_by_signal() {
    let plane = Plane::start().await;
    let dir = tempfile::tempdir().unwrap();
    let agent = Agent::start(dir.path(), &plane.address());
    plane.deploy(1, "1.0.0", served("1.0.0", json!({"reload_signal": "SIGHUP"})));
    succeeds(&plane, 1).await;
    until("standard output", || plane.logs().iter().any(|line| line.contains("serving 1.0.0"))).await;
    until("standard error", || plane.logs().iter().any(|line| line.contains("careful"))).await;
    plane.command(json!({
        "type": "configure", "config_version": 2, "polling_interval": 1, "heartbeat_timeout": 30,
        "deploy_timeout": 300, "log_level": "INFO", "metadata": {"a": 1},
    }));
    until("the signal", || data(dir.path()).join("reloads").exists()).await;
    agent.stop().await;
}

#[tokio::test]
async fn a_health_check_that_fails_later_degrades_until_it_passes_again() {
    let plane = Plane::start().await;
    let dir = tempfile::tempdir().unwrap();
    let agent = Agent::start(dir.path(), &plane.address());
    plane.deploy(1, "1.0.0", served("1.0.0", json!({})));
    succeeds(&plane, 1).await;
    fs::write(data(dir.path()).join("ill"), "").unwrap();
    until("the status", || plane.last_heartbeat()["status"] == "degraded").await;
    fs::remove_file(data(dir.path()).join("ill")).unwrap();
    until("the status", || plane.last_heartbeat()["status"] == "healthy").await;
    assert_eq!(version(&plane), "1.0.0");
    agent.stop().await;
}

#[tokio::test]
async fn numbers_that_a_workload_posts_or_offers_are_in_heartbeats() {
    let plane = Plane::start().await;
    let dir = tempfile::tempdir().unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    std::thread::spawn(move || {
        for mut stream in listener.incoming().flatten() {
            let _ = stream.read(&mut [0; 4_096]);
            let page = "# HELP x y\nrequests_total{code=\"200\"} 7\nother 1\n";
            let head =
                format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\nConnection: close\r\n\r\n", page.len());
            let _ = stream.write_all(format!("{head}{page}").as_bytes());
        }
    });
    let agent = Agent::start(dir.path(), &plane.address());
    let manifest = json!({
        "version": "1.0.0", "workload": {"command": ["./serve"]}, "health": {"command": ["true"], "healthy_after": 1},
        "metrics": {"prometheus": format!("http://{address}/metrics"), "names": ["requests_total"]},
    });
    plane.deploy(1, "1.0.0", bundle(manifest, &[("serve", SERVE)]));
    succeeds(&plane, 1).await;
    let socket = dir.path().join("bundles/default/run/agent.sock");
    let ask = |text: &str| {
        let mut stream = UnixStream::connect(&socket).unwrap();
        stream.write_all(text.as_bytes()).unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        answer
    };
    let post = |path: &str, body: &str| {
        ask(&format!("POST {path} HTTP/1.1\r\nContent-Length: {}\r\n\r\n{body}", body.len()))
    };
    assert!(post("/metrics", r#"{"fps": 29.5}"#).contains(" 204 "));
    until("both numbers", || {
        let metrics = &plane.last_heartbeat()["metrics"];
        metrics["fps"] == 29.5 && metrics["requests_total{code=\"200\"}"] == 7.0 && metrics["other"].is_null()
    })
    .await;
    assert!(post("/health", r#"{"status": "error", "message": "no camera"}"#).contains(" 204 "));
    until("the status", || plane.last_heartbeat()["status"] == "error").await;
    assert!(ask("GET /bundle HTTP/1.1\r\n\r\n").contains(r#""version":"1.0.0""#));
    agent.stop().await;
    assert!(!socket.exists());
}
