//! Scripts and everything that descends from them.

use std::{collections::BTreeMap, os::unix::fs::PermissionsExt as _, path::Path, time::Duration};

use kernex_agent::{
    process::{Process, RunnerProgram},
    sandbox::Sandbox,
    script::Script,
    script_runner::Spec,
};
use kernex_core::FailureCode;
use tokio_util::sync::CancellationToken;

use crate::support::{agent_program, is_alive, pid_in, until};

/// Starts a descendant that is in its own session, has lost its parents and ignores SIGTERM; its id goes to `daemon.pid`.
const DAEMON: &str = r#"
(setsid sh -c 'trap "" TERM HUP INT; (sh -c "trap \"\" TERM HUP INT; echo \$\$ > daemon.pid; while :; do sleep 1; done" &) ' >/dev/null 2>&1 &)
while [ ! -s daemon.pid ]; do sleep 0.01; done
"#;

fn write_script(dir: &Path, text: &str) {
    let path = dir.join("deploy.sh");
    std::fs::write(&path, format!("#!/bin/sh\n{text}\n")).unwrap();
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).unwrap();
}

fn env() -> BTreeMap<String, String> {
    BTreeMap::from([
        ("PATH".to_owned(), "/usr/bin:/bin".to_owned()),
        ("COLOUR".to_owned(), "blue".to_owned()),
    ])
}

/// A script's own folder, and the agent's user.
fn sandbox(dir: &Path) -> Sandbox {
    Sandbox { writable: vec![dir.to_owned()], ..Sandbox::default() }
}

async fn run(dir: &Path, text: &str, timeout: Duration) -> Result<String, (FailureCode, String)> {
    write_script(dir, text);
    let script = Script {
        what: "deploy script",
        path: "./deploy.sh",
        dir,
        env: env(),
        timeout,
        lock: &dir.join(".lock"),
        sandbox: sandbox(dir),
    };
    let (tail, outcome) = script.run(&RunnerProgram::at(agent_program()), &CancellationToken::new()).await;
    outcome.map(|()| tail.text()).map_err(|failure| (failure.code, failure.message))
}

const LONG: Duration = Duration::from_secs(60);

#[tokio::test]
async fn a_script_has_only_the_given_environment_no_input_and_its_output_is_kept() {
    let dir = tempfile::tempdir().unwrap();
    let output = run(dir.path(), "cat; pwd; env | sort; echo oops >&2", LONG).await.unwrap();
    let pwd = dir.path().display().to_string();
    let lines: Vec<&str> = output.lines().filter(|line| !line.starts_with("_=")).collect();
    assert_eq!(lines, [&pwd, "COLOUR=blue", "PATH=/usr/bin:/bin", &format!("PWD={pwd}"), "oops"]);
}

#[tokio::test]
async fn a_failure_names_script_exit_code_and_last_output() {
    let dir = tempfile::tempdir().unwrap();
    let (code, message) = run(dir.path(), "echo no model; exit 3", LONG).await.unwrap_err();
    assert_eq!(code, FailureCode::ScriptFailed);
    assert!(message.starts_with("deploy script ./deploy.sh ended with exit code 3 after "), "{message}");
    assert!(message.ends_with(" s; last output: no model"), "{message}");
    let (code, message) = run(dir.path(), "kill -9 $$", LONG).await.unwrap_err();
    assert_eq!(code, FailureCode::ScriptFailed);
    assert!(message.contains("was killed by signal 9"), "{message}");
}

#[tokio::test]
async fn a_script_that_cannot_be_started_says_why() {
    let dir = tempfile::tempdir().unwrap();
    write_script(dir.path(), "");
    let path = dir.path().join("deploy.sh");
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o644)).unwrap();
    let lock = dir.path().join(".lock");
    let script = Script {
        what: "deploy script",
        path: "deploy.sh",
        dir: dir.path(),
        env: env(),
        timeout: LONG,
        lock: &lock,
        sandbox: sandbox(dir.path()),
    };
    let failure =
        script.run(&RunnerProgram::at(agent_program()), &CancellationToken::new()).await.1.unwrap_err();
    assert_eq!(failure.code, FailureCode::ScriptFailed);
    assert!(failure.message.contains("could not be started: Permission denied"), "{}", failure.message);
}

#[tokio::test]
async fn at_the_deadline_a_daemon_that_ignores_sigterm_is_gone_too() {
    let dir = tempfile::tempdir().unwrap();
    let text = format!("trap '' TERM\n{DAEMON}\nwhile :; do sleep 1; done");
    let (code, message) = run(dir.path(), &text, Duration::from_secs(2)).await.unwrap_err();
    assert_eq!(code, FailureCode::ScriptTimeout);
    assert!(message.contains("did not end within 2.0 s and was stopped"), "{message}");
    let daemon = pid_in(&dir.path().join("daemon.pid")).expect("the daemon ran");
    assert!(!is_alive(&daemon), "the daemon {daemon} is gone when the outcome is known");
}

#[tokio::test]
async fn after_a_success_nothing_of_the_script_is_left() {
    let dir = tempfile::tempdir().unwrap();
    run(dir.path(), DAEMON, LONG).await.unwrap();
    let daemon = pid_in(&dir.path().join("daemon.pid")).expect("the daemon ran");
    assert!(!is_alive(&daemon));
}

#[tokio::test]
async fn when_the_agent_is_gone_its_processes_go_too_and_the_next_run_waits_for_that() {
    let dir = tempfile::tempdir().unwrap();
    write_script(dir.path(), &format!("{DAEMON}\nwhile :; do sleep 1; done"));
    let lock = dir.path().join(".lock");
    let spec = Spec {
        program: "./deploy.sh".to_owned(),
        args: Vec::new(),
        dir: dir.path().to_owned(),
        env: env(),
        timeout_millis: None,
        grace_millis: 300,
        lock: Some(lock.clone()),
        has_two_outputs: false,
        reload_signal: None,
        sandbox: sandbox(dir.path()),
    };
    let process = Process::start(&RunnerProgram::at(agent_program()), &spec).await.unwrap();
    let pid_file = dir.path().join("daemon.pid");
    until("the daemon's start", || pid_in(&pid_file).is_some()).await;
    let daemon = pid_in(&pid_file).unwrap();
    // The agent's end of the pipe closes, as it does when the agent is killed.
    drop(process);
    let output =
        run(dir.path(), &format!("kill -0 {daemon} 2>/dev/null && echo still there; true"), LONG).await;
    assert_eq!(output.unwrap(), "", "the second run began after the first one's processes had gone");
    assert!(!is_alive(&daemon));
}

#[tokio::test]
async fn output_without_end_does_not_fill_the_memory() {
    let dir = tempfile::tempdir().unwrap();
    let output = run(dir.path(), "head -c 3000000 /dev/zero | tr '\\0' x; echo end", LONG).await.unwrap();
    assert_eq!(output.len(), 64 * 1024);
    assert!(output.ends_with("xend\n"));
}
