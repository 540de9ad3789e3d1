//! Waiting for things, with a limit; and the agent as a process.

use std::{
    path::{Path, PathBuf},
    process::Stdio,
    time::{Duration, Instant},
};

use tokio::process::{Child, Command};

/// Far more than anything here takes on a slow machine.
pub(crate) const LIMIT: Duration = Duration::from_secs(60);

pub(crate) fn agent_program() -> PathBuf {
    PathBuf::from(env!("CARGO_BIN_EXE_kernex-agent"))
}

/// Waits until a condition holds.
pub(crate) async fn until(what: &str, mut condition: impl FnMut() -> bool) {
    let deadline = Instant::now() + LIMIT;
    while !condition() {
        assert!(Instant::now() < deadline, "{what} did not happen within {LIMIT:?}");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

/// An agent that works on a data folder.
pub(crate) struct Agent {
    child: Child,
}

impl Agent {
    pub(crate) fn start(data_dir: &Path, control_plane: &str) -> Self {
        Self::spawn(Command::new(agent_program()), data_dir, control_plane)
    }

    /// An agent of another user; that user must be able to read the program.
    pub(crate) fn start_as(uid: u32, program: &Path, data_dir: &Path, control_plane: &str) -> Self {
        let mut command = Command::new(program);
        command.uid(uid).gid(uid);
        Self::spawn(command, data_dir, control_plane)
    }

    fn spawn(mut command: Command, data_dir: &Path, control_plane: &str) -> Self {
        command.args([
            "run",
            "--key-algorithm",
            "ed25519",
            "--polling-interval",
            "1",
            "--control-plane",
            control_plane,
        ]);
        command.arg("--data-dir").arg(data_dir).env_clear().kill_on_drop(true);
        let log =
            std::fs::OpenOptions::new().create(true).append(true).open(data_dir.join("test.log")).unwrap();
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::from(log));
        Self { child: command.spawn().unwrap() }
    }

    /// The power goes.
    pub(crate) async fn kill(mut self) {
        self.child.kill().await.unwrap();
    }

    /// SIGTERM; the agent must end well, and in time.
    pub(crate) async fn stop(mut self) {
        let pid = i32::try_from(self.child.id().unwrap()).unwrap();
        nix::sys::signal::kill(nix::unistd::Pid::from_raw(pid), nix::sys::signal::Signal::SIGTERM).unwrap();
        let status = tokio::time::timeout(Duration::from_secs(15), self.child.wait()).await;
        assert!(status.expect("the agent ends within 15 s").unwrap().success());
    }
}

/// Whether a process exists and is no zombie.
pub(crate) fn is_alive(pid: &str) -> bool {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    stat.rsplit_once(')').is_some_and(|(_, rest)| !rest.trim_start().starts_with('Z'))
}

/// The content of a file that a script writes its process id to.
pub(crate) fn pid_in(path: &Path) -> Option<String> {
    let text = std::fs::read_to_string(path).ok()?;
    let pid = text.strip_suffix('\n')?;
    (!pid.is_empty()).then(|| pid.to_owned())
}
