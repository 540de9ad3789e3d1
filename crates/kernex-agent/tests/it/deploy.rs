//! The whole agent: deployments, returns, restarts.

use std::{os::unix::fs::PermissionsExt as _, path::Path};

use kernex_bundle::{PackOptions, pack};
use serde_json::json;

use crate::{
    plane::{Plane, release_folder},
    support::{Agent, is_alive, pid_in, until},
};

/// A bundle with a manifest and a deploy script.
pub(crate) fn bundle(manifest: serde_json::Value, files: &[(&str, &str)]) -> Vec<u8> {
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join("manifest.json"), manifest.to_string()).unwrap();
    for (name, text) in files {
        let path = dir.path().join(name);
        std::fs::write(&path, text).unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).unwrap();
    }
    let mut bytes = Vec::new();
    pack(dir.path(), &mut bytes, &PackOptions::default(), &mut |_, _| {}).unwrap();
    bytes
}

pub(crate) fn scripted(version: &str, script: &str) -> Vec<u8> {
    let manifest = json!({"version": version, "deploy": {"script": "./deploy.sh", "timeout_secs": 30}});
    bundle(manifest, &[("deploy.sh", &format!("#!/bin/sh\n{script}\n"))])
}

fn current(data: &Path) -> String {
    let link = std::fs::read_link(data.join("bundles/default/current")).unwrap_or_default();
    link.file_name().unwrap_or_default().to_string_lossy().into_owned()
}

pub(crate) async fn result(plane: &Plane, number: usize) -> serde_json::Value {
    until("a result", || plane.results().len() >= number).await;
    plane.results()[number - 1].clone()
}

#[tokio::test]
async fn a_bundle_is_installed_upgraded_and_a_broken_one_returns_to_the_version_before() {
    let plane = Plane::start().await;
    let dir = tempfile::tempdir().unwrap();
    let agent = Agent::start(dir.path(), &plane.address());
    let one = scripted(
        "1.0.0",
        "echo \"$KERNEX_VERSION after '$KERNEX_PREVIOUS_VERSION'\" >> $KERNEX_DATA_DIR/ran",
    );
    plane.deploy(1, "1.0.0", one.clone());
    let first = result(&plane, 1).await;
    assert_eq!(first["status"], "success", "{first}");
    assert_eq!(current(dir.path()), release_folder("1.0.0", &one));
    let release = dir.path().join("bundles/default/releases").join(current(dir.path()));
    assert_eq!(std::fs::metadata(&release).unwrap().permissions().mode() & 0o777, 0o555);

    let two = scripted(
        "2.0.0",
        "echo \"$KERNEX_VERSION after '$KERNEX_PREVIOUS_VERSION'\" >> $KERNEX_DATA_DIR/ran",
    );
    plane.deploy(2, "2.0.0", two.clone());
    assert_eq!(result(&plane, 2).await["status"], "success");
    assert_eq!(current(dir.path()), release_folder("2.0.0", &two));
    let ran = std::fs::read_to_string(dir.path().join("bundles/default/data/ran")).unwrap();
    assert_eq!(ran, "1.0.0 after ''\n2.0.0 after '1.0.0'\n");

    plane.deploy(3, "3.0.0", scripted("3.0.0", "echo no such model; exit 3"));
    let third = result(&plane, 3).await;
    assert_eq!(
        (&third["status"], &third["error_code"]),
        (&json!("rolled_back"), &json!("script_failed")),
        "{third}"
    );
    let message = third["error_message"].as_str().unwrap();
    assert!(message.contains("exit code 3") && message.contains("no such model"), "{message}");
    assert_eq!(current(dir.path()), release_folder("2.0.0", &two));
    let previous = std::fs::read_link(dir.path().join("bundles/default/previous")).unwrap();
    assert!(previous.ends_with(release_folder("1.0.0", &one)));
    until("a heartbeat with what is installed", || {
        plane.last_heartbeat()["bundles"][0]["version"] == "2.0.0"
    })
    .await;
    until("the log", || plane.logs().iter().any(|line| line.contains("the attempt did not work"))).await;
    until("an empty staging folder", || dir.path().join("staging").read_dir().unwrap().count() == 0).await;
    agent.stop().await;
    assert_eq!(dir.path().join("outbox/results").read_dir().unwrap().count(), 0);
}

#[tokio::test]
async fn a_first_install_that_fails_leaves_nothing_in_use() {
    let plane = Plane::start().await;
    let dir = tempfile::tempdir().unwrap();
    let agent = Agent::start(dir.path(), &plane.address());
    plane.deploy(1, "1.0.0", scripted("1.0.0", "exit 1"));
    let first = result(&plane, 1).await;
    assert_eq!(
        (&first["status"], &first["error_code"]),
        (&json!("failed"), &json!("script_failed")),
        "{first}"
    );
    assert_eq!(current(dir.path()), "");
    plane.deploy(2, "1.0.0", bundle(json!({"version": "1.0.1"}), &[("a", "x")]));
    assert_eq!(result(&plane, 2).await["error_code"], "manifest");
    plane.deploy(3, "1.0.0", bundle(json!({"version": "1.0.0", "arch": ["sparc"]}), &[("a", "x")]));
    assert_eq!(result(&plane, 3).await["error_code"], "incompatible");
    plane.deploy(4, "1.0.0", b"this is no archive".to_vec());
    assert_eq!(result(&plane, 4).await["error_code"], "unpack");
    agent.stop().await;
}

#[tokio::test]
async fn an_agent_killed_while_a_script_runs_begins_the_activation_again_and_reports_once() {
    let plane = Plane::start().await;
    let dir = tempfile::tempdir().unwrap();
    let agent = Agent::start(dir.path(), &plane.address());
    let script = "echo $$ > $KERNEX_DATA_DIR/pid; [ -e $KERNEX_DATA_DIR/go ] || sleep 1000";
    plane.deploy(1, "1.0.0", scripted("1.0.0", script));
    let pid_file = dir.path().join("bundles/default/data/pid");
    until("the script's start", || pid_in(&pid_file).is_some()).await;
    let first = pid_in(&pid_file).unwrap();
    agent.kill().await;
    until("the script's end", || !is_alive(&first)).await;
    std::fs::write(dir.path().join("bundles/default/data/go"), "").unwrap();
    let agent = Agent::start(dir.path(), &plane.address());
    assert_eq!(result(&plane, 1).await["status"], "success");
    let expected = ["downloading", "verifying", "staging", "activating", "checking", "success"];
    let states = plane.states(1);
    let order: Vec<usize> =
        states.iter().map(|state| expected.iter().position(|known| known == state).unwrap()).collect();
    assert!(order.is_sorted(), "{states:?}");
    agent.stop().await;
    assert_eq!(plane.results().len(), 1);
}

#[tokio::test]
async fn a_result_that_is_not_taken_is_sent_again_under_the_same_key_also_after_a_restart() {
    let plane = Plane::start().await;
    let dir = tempfile::tempdir().unwrap();
    plane.refuse_results(1_000);
    let agent = Agent::start(dir.path(), &plane.address());
    plane.deploy(1, "1.0.0", scripted("1.0.0", "true"));
    until("two tries", || plane.idempotency_keys().len() >= 2).await;
    let before = plane.heartbeats();
    until("heartbeats all the same", || plane.heartbeats() > before + 1).await;
    assert_eq!(plane.states(1).last().map(String::as_str), Some("success"));
    agent.kill().await;
    plane.refuse_results(0);
    let agent = Agent::start(dir.path(), &plane.address());
    assert_eq!(result(&plane, 1).await["status"], "success");
    agent.stop().await;
    let mut keys = plane.idempotency_keys();
    keys.dedup();
    assert_eq!(keys.len(), 1, "{keys:?}");
}

#[tokio::test]
async fn a_workload_is_kept_running_and_one_that_keeps_crashing_gives_way_to_the_version_before() {
    let plane = Plane::start().await;
    let dir = tempfile::tempdir().unwrap();
    let agent = Agent::start(dir.path(), &plane.address());
    let manifest = |version: &str, crashes: u32| {
        json!({
            "version": version, "env": {"SECONDS_TO_LIVE": "1000"},
            "workload": {"command": ["./serve", "--port", "1"], "max_crashes": crashes},
            "health": {"command": ["test", "-s", "../../data/pid"], "interval_secs": 1, "healthy_after": 2, "deadline_secs": 30},
        })
    };
    let serve = "#!/bin/sh\necho $$ > $KERNEX_DATA_DIR/pid\necho serving $KERNEX_VERSION $*\nexec sleep $SECONDS_TO_LIVE\n";
    plane.deploy(1, "1.0.0", bundle(manifest("1.0.0", 3), &[("serve", serve)]));
    assert_eq!(result(&plane, 1).await["status"], "success");
    let pid_file = dir.path().join("bundles/default/data/pid");
    let first = pid_in(&pid_file).unwrap();
    assert!(is_alive(&first));

    let crash = "#!/bin/sh\nrm -f $KERNEX_DATA_DIR/pid\necho cannot bind >&2\nexit 7\n";
    plane.deploy(2, "2.0.0", bundle(manifest("2.0.0", 2), &[("serve", crash)]));
    let second = result(&plane, 2).await;
    assert_eq!(
        (&second["status"], &second["error_code"]),
        (&json!("rolled_back"), &json!("crash_loop")),
        "{second}"
    );
    assert!(
        second["error_message"].as_str().unwrap().contains("exit code 7; last output: cannot bind"),
        "{second}"
    );
    until("the old workload's start", || pid_in(&pid_file).is_some_and(|pid| pid != first && is_alive(&pid)))
        .await;
    let second = pid_in(&pid_file).unwrap();
    agent.stop().await;
    assert!(!is_alive(&second), "a stopped agent leaves nothing running");
    let log = std::fs::read_to_string(dir.path().join("logs/default.log")).unwrap();
    assert!(log.contains("serving 1.0.0 --port 1\n") && log.contains("cannot bind\n"), "{log}");
    let agent = Agent::start(dir.path(), &plane.address());
    until("the workload's start", || pid_in(&pid_file).is_some_and(|pid| pid != second && is_alive(&pid)))
        .await;
    agent.stop().await;
}

#[tokio::test]
async fn a_cancelled_deployment_returns_to_what_was_there() {
    let plane = Plane::start().await;
    let dir = tempfile::tempdir().unwrap();
    let agent = Agent::start(dir.path(), &plane.address());
    plane.deploy(1, "1.0.0", scripted("1.0.0", "echo > $KERNEX_DATA_DIR/here; exec sleep 1000"));
    until("the script's start", || dir.path().join("bundles/default/data/here").exists()).await;
    plane.command(json!({"type": "cancel", "deployment_id": crate::plane::deployment(1), "attempt": 1}));
    let first = result(&plane, 1).await;
    assert_eq!((&first["status"], &first["error_code"]), (&json!("failed"), &json!("cancelled")), "{first}");
    assert_eq!(current(dir.path()), "");
    agent.stop().await;
}

#[tokio::test]
async fn a_configuration_is_applied_at_once_reported_and_survives_a_restart() {
    let plane = Plane::start().await;
    let dir = tempfile::tempdir().unwrap();
    let agent = Agent::start(dir.path(), &plane.address());
    plane.command(json!({"type": "reboot"}));
    plane.command(json!({
        "type": "configure", "config_version": 3, "polling_interval": 0, "heartbeat_timeout": 30,
        "deploy_timeout": 300, "log_level": "INFO", "metadata": {},
    }));
    until("the refusal", || plane.logs().iter().any(|line| line.contains("the configuration is refused")))
        .await;
    assert_eq!(plane.last_heartbeat()["config_version"], 1);
    plane.command(json!({
        "type": "configure", "config_version": 2, "polling_interval": 1, "heartbeat_timeout": 30,
        "deploy_timeout": 300, "log_level": "DEBUG", "metadata": {"a": [1]},
    }));
    until("the new version", || plane.last_heartbeat()["config_version"] == 2).await;
    agent.stop().await;
    let before = plane.heartbeats();
    let agent = Agent::start(dir.path(), &plane.address());
    until("a heartbeat", || plane.heartbeats() > before).await;
    assert_eq!(plane.last_heartbeat()["config_version"], 2);
    agent.stop().await;
}

#[tokio::test]
async fn two_bundles_live_beside_each_other_and_a_failing_one_does_not_touch_the_other() {
    let plane = Plane::start().await;
    let dir = tempfile::tempdir().unwrap();
    let agent = Agent::start(dir.path(), &plane.address());
    let named = |name: &str, version: &str, script: &str| {
        let manifest = json!({
            "version": version, "name": name, "deploy": {"script": "./deploy.sh", "timeout_secs": 30},
            "workload": {"command": ["./serve"]}, "health": {"command": ["test", "-s", "../../data/pid"], "interval_secs": 1},
        });
        let serve = "#!/bin/sh\necho $$ > $KERNEX_DATA_DIR/pid\nexec sleep 1000\n";
        bundle(manifest, &[("deploy.sh", &format!("#!/bin/sh\n{script}\n")), ("serve", serve)])
    };
    // Both at once: one is activated after the other.
    plane.also(plane.order_for("one", 1, "1.0.0", named("one", "1.0.0", "true")));
    plane.also(plane.order_for("two", 2, "1.0.0", named("two", "1.0.0", "true")));
    until("both results", || plane.results().len() == 2).await;
    assert!(plane.results().iter().all(|result| result["status"] == "success"), "{:?}", plane.results());
    let pid = |name: &str| pid_in(&dir.path().join(format!("bundles/{name}/data/pid"))).unwrap();
    let (one, two) = (pid("one"), pid("two"));

    plane.also(plane.order_for("two", 3, "2.0.0", named("two", "2.0.0", "exit 1")));
    assert_eq!(result(&plane, 3).await["status"], "rolled_back");
    until("the return", || pid("two") != two && is_alive(&pid("two"))).await;
    assert!(pid("one") == one && is_alive(&one), "the other was not touched");
    until("a heartbeat", || {
        plane.last_heartbeat()["bundles"]
            == json!([{"name": "one", "version": "1.0.0"}, {"name": "two", "version": "1.0.0"}])
    })
    .await;
    agent.stop().await;
}

#[tokio::test]
async fn the_last_three_releases_stay_and_a_return_to_one_of_them_needs_no_download() {
    let plane = Plane::start().await;
    let dir = tempfile::tempdir().unwrap();
    let agent = Agent::start(dir.path(), &plane.address());
    let versions = ["1.0.0", "2.0.0", "3.0.0", "4.0.0"];
    for (index, version) in versions.iter().enumerate() {
        plane.deploy(index as u64 + 1, version, scripted(version, "true"));
        assert_eq!(result(&plane, index + 1).await["status"], "success");
    }
    let folders = || {
        let entries = dir.path().join("bundles/default/releases").read_dir().unwrap();
        let mut names: Vec<String> =
            entries.map(|entry| entry.unwrap().file_name().to_string_lossy()[..5].to_owned()).collect();
        names.sort();
        names
    };
    until("the oldest one's end", || folders() == ["2.0.0", "3.0.0", "4.0.0"]).await;
    plane.deploy(5, "2.0.0", scripted("2.0.0", "true"));
    assert_eq!(result(&plane, 5).await["status"], "success");
    assert_eq!(plane.urls().len(), versions.len(), "nothing was fetched for the way back");
    plane.deploy(6, "1.0.0", scripted("1.0.0", "true"));
    assert_eq!(result(&plane, 6).await["status"], "success");
    assert_eq!(plane.urls().len(), versions.len() + 1, "what was removed is fetched again");
    agent.stop().await;
}

#[tokio::test]
async fn a_scripts_output_is_shipped_compressed_with_the_name_of_its_bundle() {
    let plane = Plane::start().await;
    let dir = tempfile::tempdir().unwrap();
    let agent = Agent::start(dir.path(), &plane.address());
    plane.deploy(1, "1.0.0", scripted("1.0.0", "seq -f 'line %g' 1 300"));
    assert_eq!(result(&plane, 1).await["status"], "success");
    until("the last line", || plane.logs().iter().any(|line| line == "line 300")).await;
    assert!(plane.compressed_batches() > 0);
    let lines = plane.logs().iter().filter(|line| line.starts_with("line ")).count();
    assert_eq!(lines, 200, "the end of the output, once");
    plane.deploy(2, "2.0.0", scripted("2.0.0", "seq -f 'wrong %g' 1 3000; exit 7"));
    assert_eq!(result(&plane, 2).await["error_code"], "script_failed");
    let is_shipped = |line: &str| plane.logs().iter().any(|shipped| shipped == line);
    until("the output of a script that failed", || is_shipped("wrong 2801") && is_shipped("wrong 3000"))
        .await;
    agent.stop().await;
}
