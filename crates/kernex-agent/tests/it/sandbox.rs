//! What scripts and workloads may do, on whatever kernel and as whatever user the tests run.

use std::{
    fs::{self, Permissions},
    os::unix::fs::{MetadataExt as _, PermissionsExt as _, chown},
    path::Path,
    time::Duration,
};

use kernex_agent::{
    process::RunnerProgram,
    sandbox::{Limits, Sandbox, cgroup::Hierarchies},
    script::Script,
};
use serde_json::json;
use tokio_util::sync::CancellationToken;

use crate::{
    bundles::bundle,
    plane::Plane,
    support::{Agent, agent_program, is_alive, until},
};

/// Tries every secret of the agent, and everything else that is not its own, and tells what worked.
const PRY: &str = r#"#!/bin/sh
umask >> $KERNEX_DATA_DIR/facts
id -u >> $KERNEX_DATA_DIR/facts
grep NoNewPrivs /proc/self/status >> $KERNEX_DATA_DIR/facts
ulimit -c >> $KERNEX_DATA_DIR/facts
echo > $TMPDIR/own && echo temporary folder >> $KERNEX_DATA_DIR/facts
echo > /dev/null && echo null >> $KERNEX_DATA_DIR/facts
echo named > /dev/stderr && echo stderr >> $KERNEX_DATA_DIR/facts
root=$KERNEX_DATA_DIR/../../..
for file in keys/device.pem state.json state.json.1 config.json test.log agent.lock; do
    cat $root/$file > /dev/null 2>&1 && echo $file >> $KERNEX_DATA_DIR/read
done
for folder in keys outbox outbox/results staging logs bundles/other/data; do
    ls $root/$folder > /dev/null 2>&1 && echo $folder >> $KERNEX_DATA_DIR/read
done
cat /proc/$PPID/environ > /dev/null 2>&1 && echo environment >> $KERNEX_DATA_DIR/read
echo > $KERNEX_BUNDLE_DIR/written 2> /dev/null && echo release >> $KERNEX_DATA_DIR/written
echo > $root/written 2> /dev/null && echo root >> $KERNEX_DATA_DIR/written
mv $root/bundles $root/gone 2> /dev/null && echo bundles >> $KERNEX_DATA_DIR/written
kill -9 $PPID 2> /dev/null && echo killed >> $KERNEX_DATA_DIR/written
exit 0
"#;

fn pry() -> Vec<u8> {
    let manifest = json!({"version": "1.0.0", "deploy": {"script": "./deploy.sh"}});
    bundle(manifest, &[("deploy.sh", PRY)])
}

/// Deploys the script above; gives the facts that it found out about itself.
async fn pry_as(uid: Option<u32>) -> (Vec<String>, serde_json::Value) {
    let plane = Plane::start().await;
    let dir = tempfile::tempdir().unwrap();
    fs::create_dir_all(dir.path().join("bundles/other/data")).unwrap();
    fs::set_permissions(dir.path().join("bundles/other/data"), Permissions::from_mode(0o700)).unwrap();
    let agent = match uid {
        Some(uid) => {
            let program = dir.path().join("program");
            fs::copy(agent_program(), &program).unwrap();
            for path in ["", "bundles", "bundles/other", "bundles/other/data", "program"] {
                chown(dir.path().join(path), Some(uid), Some(uid)).unwrap();
            }
            Agent::start_as(uid, &program, dir.path(), &plane.address())
        }
        None => Agent::start(dir.path(), &plane.address()),
    };
    plane.deploy(1, "1.0.0", pry());
    until("a result", || !plane.results().is_empty()).await;
    let result = plane.results()[0].clone();
    assert_eq!(result["status"], "success", "{result}");
    let data = dir.path().join("bundles/default/data");
    let lines = |name: &str| fs::read_to_string(data.join(name)).unwrap_or_default();
    assert_eq!(lines("read"), "", "the script could read this");
    assert_eq!(lines("written"), "", "the script could change this");
    assert!(!dir.path().join("bundles/default/tmp/script").exists(), "temporary files are removed");
    let heartbeat = plane.last_heartbeat();
    agent.stop().await;
    (lines("facts").lines().map(str::to_owned).collect(), heartbeat)
}

#[tokio::test]
async fn a_script_reads_nothing_of_the_agent_and_writes_only_its_own_folders() {
    let (facts, heartbeat) = pry_as(None).await;
    let own = rustix::process::geteuid().as_raw();
    let expected = if own == 0 { "64123".to_owned() } else { own.to_string() };
    assert_eq!(facts, ["0077", &expected, "NoNewPrivs:\t1", "0", "temporary folder", "null", "stderr"]);
    let sandbox = &heartbeat["sandbox"];
    assert_eq!(sandbox["keys"], "unreadable", "{heartbeat}");
    for name in ["user", "landlock", "cgroup", "mounts", "no_new_privs"] {
        assert!(sandbox[name].is_string(), "{name} is missing: {sandbox}");
    }
}

#[tokio::test]
async fn without_root_landlock_keeps_the_keys_from_a_script_of_the_same_user() {
    const UID: u32 = 64_200;
    if !rustix::process::geteuid().is_root() {
        return;
    }
    let (facts, heartbeat) = pry_as(Some(UID)).await;
    assert_eq!(facts[1], UID.to_string());
    assert_eq!(heartbeat["sandbox"]["keys"], "unreadable", "{heartbeat}");
    assert!(heartbeat["sandbox"]["mounts"].as_str().unwrap().starts_with("missing: "), "{heartbeat}");
}

/// Runs a script alone, with a control group of its own where there can be one.
async fn run(dir: &Path, text: &str, group: &str, limits: Limits) -> Result<String, String> {
    let path = dir.join("deploy.sh");
    fs::write(&path, format!("#!/bin/sh\n{text}\n")).unwrap();
    fs::set_permissions(&path, Permissions::from_mode(0o755)).unwrap();
    let name = format!("kernex-test-{}-{group}", std::process::id());
    let sandbox = Sandbox { writable: vec![dir.to_owned()], limits, group: Some(name), ..Sandbox::default() };
    let script = Script {
        what: "deploy script",
        path: "./deploy.sh",
        dir,
        env: [("PATH".to_owned(), "/usr/bin:/bin".to_owned())].into(),
        timeout: Duration::from_secs(3),
        lock: &dir.join(".lock"),
        sandbox,
    };
    let (tail, outcome) = script.run(&RunnerProgram::at(agent_program()), &CancellationToken::new()).await;
    for folder in Hierarchies::find().folders() {
        assert!(
            !folder.join(format!("kernex-test-{}-{group}", std::process::id())).exists(),
            "the group is gone"
        );
    }
    outcome.map(|()| tail.text()).map_err(|failure| failure.message)
}

#[tokio::test]
async fn a_fork_bomb_that_ignores_sigterm_is_gone_at_the_deadline() {
    let dir = tempfile::tempdir().unwrap();
    // Each of fifty leaves its session and its parent, and starts another one when it is the last thing it does.
    let text = r#"
trap '' TERM HUP INT
for number in $(seq 50); do
    (setsid sh -c 'trap "" TERM HUP INT; (sh -c "trap \"\" TERM HUP INT; echo \$\$ >> pids; while :; do sleep 0.1 & wait; done" &)' &)
done
while :; do sleep 1; done"#;
    let message = run(dir.path(), text, "bomb", Limits::default()).await.unwrap_err();
    assert!(message.contains("did not end within 3.0 s"), "{message}");
    let pids = fs::read_to_string(dir.path().join("pids")).unwrap();
    assert!(pids.lines().count() > 10, "they ran: {pids}");
    let alive: Vec<&str> = pids.lines().filter(|pid| is_alive(pid)).collect();
    assert!(alive.is_empty(), "{alive:?} are still there");
}

#[tokio::test]
async fn limits_hold_for_processes_files_and_memory() {
    let dir = tempfile::tempdir().unwrap();
    let limits = Limits { file_size_mb: Some(1), open_files: 64, ..Limits::default() };
    let text = "ulimit -n; dd if=/dev/zero of=big bs=65536 count=32 2>/dev/null; stat -c %s big";
    assert_eq!(run(dir.path(), text, "files", limits).await.unwrap(), "64\n1048576\n");
    let grouped = Hierarchies::find().describe();
    if grouped.contains("pids") {
        let limits = Limits { processes: 8, ..Limits::default() };
        let text = "for n in $(seq 40); do sleep 5 & done 2>/dev/null; echo all of them";
        let outcome = run(dir.path(), text, "pids", limits).await;
        assert!(!format!("{outcome:?}").contains("all of them"), "{outcome:?}");
    }
    let limits = Limits { memory_mb: Some(32), ..Limits::default() };
    let text = "head -c 100000000 /dev/zero | tail -c 99999999 | wc -c";
    let outcome = run(dir.path(), text, "memory", limits).await;
    assert!(!format!("{outcome:?}").contains("99999999"), "{outcome:?}");
}

#[tokio::test]
async fn data_of_an_agent_that_ran_without_a_sandbox_goes_to_the_workloads_user() {
    if !rustix::process::geteuid().is_root() {
        return;
    }
    let plane = Plane::start().await;
    let dir = tempfile::tempdir().unwrap();
    let data = dir.path().join("bundles/default/data");
    fs::create_dir_all(data.join("models")).unwrap();
    fs::write(data.join("models/old"), "x").unwrap();
    let agent = Agent::start(dir.path(), &plane.address());
    let manifest = json!({"version": "1.0.0", "deploy": {"script": "./deploy.sh"}});
    let script = "#!/bin/sh\nset -e\necho new > $KERNEX_DATA_DIR/models/old\n";
    plane.deploy(1, "1.0.0", bundle(manifest, &[("deploy.sh", script)]));
    until("a result", || !plane.results().is_empty()).await;
    assert_eq!(plane.results()[0]["status"], "success", "{}", plane.results()[0]);
    assert_eq!(fs::metadata(data.join("models/old")).unwrap().uid(), 64_123);
    agent.stop().await;
}
