//! The agent replaces itself: by a script that becomes this very program, or does something else.

use std::{fs, path::Path};

use serde_json::json;

use crate::{
    deploy::{bundle, result, scripted},
    plane::{Plane, release_folder},
    support::{Agent, agent_program, is_alive, until},
};

/// What a new agent does instead of working.
const ENDS: &str = "echo cannot work >&2; exit 7";
const HANGS: &str = "exec sleep 1000";

/// A new agent: notes its process id, then works, or does something else.
fn new_agent(data: &Path, version: &str, instead: Option<&str>) -> Vec<u8> {
    let program = agent_program().display().to_string();
    let pids = data.join(format!("{version}.pids")).display().to_string();
    let works = format!("exec {program} \"$@\"");
    let script = format!(
        "#!/bin/sh\n[ \"$1\" = --version ] && exec {program} --version\necho $$ >> {pids}\n{}\n",
        instead.unwrap_or(&works)
    );
    bundle(json!({"version": version, "name": "kernex-agent"}), &[("kernex-agent", &script)])
}

fn pids(data: &Path, version: &str) -> Vec<String> {
    let text = fs::read_to_string(data.join(format!("{version}.pids"))).unwrap_or_default();
    text.lines().map(ToOwned::to_owned).collect()
}

fn deploy(plane: &Plane, number: u64, version: &str, bytes: &[u8], timeout_secs: u32) {
    let mut order = plane.order_for("kernex-agent", number, version, bytes.to_vec());
    order["timeout_secs"] = timeout_secs.into();
    plane.also(order);
}

fn current(data: &Path) -> Option<String> {
    let link = fs::read_link(data.join("bundles/kernex-agent/current")).ok()?;
    Some(link.file_name()?.to_string_lossy().into_owned())
}

/// The agent that runs now can do its work.
async fn works(plane: &Plane, number: u64, version: &str) {
    let before = plane.results().len();
    plane.deploy(number, version, scripted(version, "true"));
    assert_eq!(result(plane, before + 1).await["status"], "success");
}

fn nothing_is_left(data: &Path) {
    for name in ["bundles/kernex-agent/trial.json", "state.json.format-1"] {
        assert!(!data.join(name).exists(), "{name}");
    }
}

#[tokio::test]
async fn a_new_agent_that_works_takes_over_and_is_started_from_then_on() {
    let plane = Plane::start().await;
    let dir = tempfile::tempdir().unwrap();
    let agent = Agent::start(dir.path(), &plane.address());
    let new = new_agent(dir.path(), "2.0.0", None);
    deploy(&plane, 1, "2.0.0", &new, 60);
    let first = result(&plane, 1).await;
    assert_eq!(first["status"], "success", "{first}");
    assert_eq!(current(dir.path()), Some(release_folder("2.0.0", &new)));
    assert_eq!(pids(dir.path(), "2.0.0").len(), 1);
    works(&plane, 2, "1.0.0").await;
    until("the end of the trial", || !dir.path().join("bundles/kernex-agent/trial.json").exists()).await;
    nothing_is_left(dir.path());
    let pid = pids(dir.path(), "2.0.0")[0].clone();
    assert!(is_alive(&pid));
    agent.stop().await;
    assert!(!is_alive(&pid), "a signal to the launcher reaches the agent");

    let before = plane.heartbeats();
    let agent = Agent::start(dir.path(), &plane.address());
    until("a heartbeat", || plane.heartbeats() > before).await;
    assert_eq!(pids(dir.path(), "2.0.0").len(), 2, "the launcher became the new agent");
    // One that fails after it returns to the one before, not to the installed program.
    deploy(&plane, 3, "3.0.0", &new_agent(dir.path(), "3.0.0", Some(ENDS)), 60);
    assert_eq!(result(&plane, 3).await["status"], "rolled_back");
    assert_eq!(current(dir.path()), Some(release_folder("2.0.0", &new)));
    works(&plane, 4, "4.0.0").await;
    let pids = pids(dir.path(), "2.0.0");
    assert!(pids.len() == 3 && is_alive(&pids[2]), "{pids:?}");
    agent.stop().await;
}

#[tokio::test]
async fn a_new_agent_that_ends_at_once_gives_way_to_the_old_one_which_says_why() {
    let plane = Plane::start().await;
    let dir = tempfile::tempdir().unwrap();
    let agent = Agent::start(dir.path(), &plane.address());
    deploy(&plane, 1, "2.0.0", &new_agent(dir.path(), "2.0.0", Some(ENDS)), 60);
    let first = result(&plane, 1).await;
    assert_eq!(
        (&first["status"], &first["error_code"]),
        (&json!("rolled_back"), &json!("crash_loop")),
        "{first}"
    );
    let message = first["error_message"].as_str().unwrap();
    assert!(message.contains("ended 3 times") && message.contains("exit status: 7"), "{message}");
    assert_eq!((pids(dir.path(), "2.0.0").len(), current(dir.path())), (3, None));
    works(&plane, 2, "1.0.0").await;
    agent.stop().await;
    nothing_is_left(dir.path());
    assert_eq!(plane.results().len(), 2);
}

#[tokio::test]
async fn a_new_agent_that_hangs_gives_way_in_time_also_when_the_power_goes_meanwhile() {
    let plane = Plane::start().await;
    let dir = tempfile::tempdir().unwrap();
    let agent = Agent::start(dir.path(), &plane.address());
    deploy(&plane, 1, "2.0.0", &new_agent(dir.path(), "2.0.0", Some(HANGS)), 6);
    until("the new agent's start", || pids(dir.path(), "2.0.0").len() == 1).await;
    agent.kill().await;
    let hanging = pids(dir.path(), "2.0.0")[0].parse().unwrap();
    nix::sys::signal::kill(nix::unistd::Pid::from_raw(hanging), nix::sys::signal::Signal::SIGKILL).unwrap();
    let agent = Agent::start(dir.path(), &plane.address());
    let first = result(&plane, 1).await;
    assert_eq!(
        (&first["status"], &first["error_code"]),
        (&json!("rolled_back"), &json!("health_check")),
        "{first}"
    );
    assert!(first["error_message"].as_str().unwrap().starts_with("no heartbeat of the new agent"), "{first}");
    let pids = pids(dir.path(), "2.0.0");
    assert!(pids.len() == 2 && !is_alive(&pids[1]), "the second start was made by the launcher: {pids:?}");
    works(&plane, 2, "1.0.0").await;
    agent.stop().await;
}

#[tokio::test]
async fn a_program_that_does_not_run_here_or_is_missing_is_never_switched_to() {
    let plane = Plane::start().await;
    let dir = tempfile::tempdir().unwrap();
    let agent = Agent::start(dir.path(), &plane.address());
    let broken =
        bundle(json!({"version": "2.0.0", "name": "kernex-agent"}), &[("kernex-agent", "\u{7f}ELF no")]);
    deploy(&plane, 1, "2.0.0", &broken, 60);
    let first = result(&plane, 1).await;
    assert_eq!(
        (&first["status"], &first["error_code"]),
        (&json!("rolled_back"), &json!("incompatible")),
        "{first}"
    );
    let empty = bundle(json!({"version": "3.0.0", "name": "kernex-agent"}), &[("readme", "x")]);
    deploy(&plane, 2, "3.0.0", &empty, 60);
    let second = result(&plane, 2).await;
    assert_eq!(
        (&second["status"], &second["error_code"]),
        (&json!("failed"), &json!("manifest")),
        "{second}"
    );
    assert_eq!(current(dir.path()), None);
    agent.stop().await;
}

#[tokio::test]
async fn a_state_of_a_newer_agent_is_kept_and_the_older_one_goes_on() {
    let plane = Plane::start().await;
    let dir = tempfile::tempdir().unwrap();
    let agent = Agent::start(dir.path(), &plane.address());
    // The new agent writes what the old one cannot read, twice, and ends.
    let state = dir.path().join("state.json").display().to_string();
    let newer = format!("echo '{{\"format\": 99}}' > {state}; cp {state} {state}.1; exit 1");
    works(&plane, 1, "1.0.0").await;
    deploy(&plane, 2, "2.0.0", &new_agent(dir.path(), "2.0.0", Some(&newer)), 60);
    let second = result(&plane, 2).await;
    assert_eq!(second["status"], "rolled_back", "{second}");
    works(&plane, 3, "3.0.0").await;
    let installed = json!([{"name": "default", "version": "3.0.0"}]);
    until("a heartbeat", || plane.last_heartbeat()["bundles"] == installed).await;
    assert!(dir.path().join("state.json.newer").exists());
    agent.stop().await;
}
