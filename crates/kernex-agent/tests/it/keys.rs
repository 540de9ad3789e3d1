//! Keys and the data folder, under any umask; and one agent per data folder.

use std::{os::unix::fs::PermissionsExt as _, path::Path, process::Command};

use crate::{
    plane::Plane,
    support::{Agent, agent_program, until},
};

fn mode(path: &Path) -> u32 {
    std::fs::metadata(path).unwrap().permissions().mode() & 0o777
}

#[tokio::test]
async fn the_key_is_private_under_any_umask_and_registering_again_gives_the_same_device() {
    let plane = Plane::start().await;
    for umask in ["000", "077"] {
        let dir = tempfile::tempdir().unwrap();
        let data = dir.path().join("data");
        let register = || {
            let line = format!(
                "umask {umask} && exec {} register --key-algorithm ed25519 --data-dir {} --control-plane {}",
                agent_program().display(),
                data.display(),
                plane.address()
            );
            tokio::task::spawn_blocking(move || Command::new("sh").arg("-c").arg(line).output().unwrap())
        };
        let first = register().await.unwrap();
        assert!(first.status.success(), "{first:?}");
        let text = String::from_utf8(first.stdout).unwrap();
        assert!(text.contains("device id ") && text.contains("pending_approval"), "{text}");
        assert_eq!(
            (mode(&data.join("keys")), mode(&data.join("keys/device.pem"))),
            (0o700, 0o600),
            "{umask}"
        );
        for private in ["outbox", "staging", "quarantine", "logs"] {
            assert_eq!(mode(&data.join(private)), 0o700, "{private} under {umask}");
        }
        assert_eq!((mode(&data.join("state.json")), mode(&data.join("config.json"))), (0o600, 0o600));
        let second = register().await.unwrap();
        assert_eq!(String::from_utf8(second.stdout).unwrap(), text);
    }
}

#[tokio::test]
async fn a_second_agent_on_the_same_data_folder_says_so_and_ends() {
    let plane = Plane::start().await;
    let dir = tempfile::tempdir().unwrap();
    let agent = Agent::start(dir.path(), &plane.address());
    until("a heartbeat", || plane.heartbeats() > 0).await;
    let mut second = Command::new(agent_program());
    second.args(["run", "--control-plane", "http://127.0.0.1:9", "--data-dir"]).arg(dir.path());
    let output = tokio::task::spawn_blocking(move || second.output().unwrap()).await.unwrap();
    let text = String::from_utf8(output.stderr).unwrap();
    assert!(!output.status.success() && text.contains("another agent is running on "), "{text}");
    agent.stop().await;
}

#[tokio::test]
async fn a_state_of_a_newer_agent_is_kept_aside_and_the_agent_works() {
    let plane = Plane::start().await;
    let dir = tempfile::tempdir().unwrap();
    let newer = r#"{"format": 99}"#;
    std::fs::write(dir.path().join("state.json"), newer).unwrap();
    let agent = Agent::start(dir.path(), &plane.address());
    until("a heartbeat", || plane.heartbeats() > 0).await;
    agent.stop().await;
    assert_eq!(std::fs::read_to_string(dir.path().join("state.json.newer")).unwrap(), newer);
}
