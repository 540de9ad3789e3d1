//! The agent as a process, under `strace` or not.

use std::{
    fs::File,
    path::{Path, PathBuf},
    process::{ExitStatus, Stdio},
    time::Duration,
};

use anyhow::{Context as _, bail};
use kernex_testkit::program;
use rustix::process::{Pid, Signal, kill_process};
use tokio::{
    process::{Child, Command},
    time::{Instant, sleep, timeout},
};

use crate::plan::{Point, WRITING_CALLS};

/// How long an agent may take to end after SIGTERM.
const END_DEADLINE: Duration = Duration::from_secs(40);
/// How often a condition is looked at.
const LOOK_EVERY: Duration = Duration::from_millis(25);

/// Where a device's agent keeps its data, and whom it calls.
#[derive(Clone, Debug)]
pub(crate) struct Device {
    pub(crate) url: String,
    pub(crate) data_dir: PathBuf,
    pub(crate) token: String,
    /// Finds the device in the control plane's list: `sweep=NUMBER`.
    pub(crate) tag: String,
}

/// A running agent, killed with this value.
pub(crate) struct Agent(Child);

/// How an agent is run.
pub(crate) enum Mode<'a> {
    Plain,
    Trace(&'a Path),
    KillAt(&'a Point),
}

impl Agent {
    pub(crate) fn start(device: &Device, mode: &Mode<'_>) -> anyhow::Result<Self> {
        let agent = program("kernex-agent");
        let mut command = match mode {
            Mode::Plain => Command::new(&agent),
            Mode::Trace(file) => strace(&agent, file, &format!("trace={}", WRITING_CALLS.join(",")), None),
            Mode::KillAt(point) => {
                let inject = format!("inject={}:signal=SIGKILL:when={}", point.call, point.ordinal);
                strace(&agent, Path::new("/dev/null"), &format!("trace={}", point.call), Some(&inject))
            }
        };
        command
            .args([
                "run",
                "--key-algorithm",
                "ed25519",
                "--polling-interval",
                "1",
                "--control-plane",
                &device.url,
            ])
            .args(["--tag", &device.tag, "--data-dir"])
            .arg(&device.data_dir)
            .env_clear()
            .envs(std::env::var_os("PATH").map(|path| ("PATH", path)))
            .env("KERNEX_REGISTRATION_TOKEN", &device.token);
        let log = File::options().create(true).append(true).open(device.data_dir.with_extension("log"))?;
        let child =
            command.stdin(Stdio::null()).stdout(log.try_clone()?).stderr(log).kill_on_drop(true).spawn();
        Ok(Self(child.context(
            "cannot start the agent; under a kill point it needs strace, which `cargo xtask test` installs",
        )?))
    }

    /// Waits until a condition holds or the agent ends, whichever comes first: `None` when the condition holds.
    pub(crate) async fn until(
        &mut self,
        what: &str,
        deadline: Duration,
        mut holds: impl AsyncFnMut() -> anyhow::Result<bool>,
    ) -> anyhow::Result<Option<ExitStatus>> {
        let end = Instant::now() + deadline;
        loop {
            if let Some(status) = self.0.try_wait()? {
                return Ok(Some(status));
            }
            if holds().await? {
                return Ok(None);
            }
            if Instant::now() > end {
                bail!("{what}: not within {deadline:?}");
            }
            sleep(LOOK_EVERY).await;
        }
    }

    /// Asks the agent to stop, and waits for its end.
    pub(crate) async fn stop(mut self) -> anyhow::Result<ExitStatus> {
        if let Some(pid) = self.agent_pid() {
            let _ = kill_process(pid, Signal::TERM); // it may end at this moment
        }
        timeout(END_DEADLINE, self.0.wait())
            .await
            .context("the agent did not stop")?
            .context("waiting for the agent")
    }

    /// The agent itself: under strace it is strace's child.
    fn agent_pid(&self) -> Option<Pid> {
        let pid = self.0.id()?;
        let children =
            std::fs::read_to_string(format!("/proc/{pid}/task/{pid}/children")).unwrap_or_default();
        let name = std::fs::read_to_string(format!("/proc/{pid}/comm")).unwrap_or_default();
        let target = match children.split_whitespace().next() {
            Some(child) if name.trim() == "strace" => child.parse().ok()?,
            _ => i32::try_from(pid).ok()?,
        };
        Pid::from_raw(target)
    }
}

fn strace(agent: &Path, output: &Path, trace: &str, inject: Option<&str>) -> Command {
    let mut command = Command::new("strace");
    command.args(["-f", "-qq", "-o"]).arg(output).args(["-e", trace]);
    if let Some(inject) = inject {
        command.args(["-e", inject]);
    }
    command.arg(agent);
    command
}
