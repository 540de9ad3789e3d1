//! The agent as a process, under the tracer or not.

use std::{
    fs::{self, File},
    path::PathBuf,
    process::{ExitStatus, Stdio},
    time::Duration,
};

use anyhow::{Context as _, bail};
use kernex_testkit::program;
use kernex_tracer::{Act, KILLED_CODE, Orders};
use rustix::process::{Pid, Signal, kill_process};
use tokio::{
    process::{Child, Command},
    time::{Instant, sleep, timeout},
};

/// How long an agent may take to end after SIGTERM.
const END_DEADLINE: Duration = Duration::from_secs(40);
/// How often a condition is looked at. Often enough; every look costs the control plane some requests.
const LOOK_EVERY: Duration = Duration::from_millis(200);

/// Where a device's agent keeps its data, and whom it calls.
#[derive(Clone, Debug)]
pub(crate) struct Device {
    pub(crate) url: String,
    pub(crate) data_dir: PathBuf,
    pub(crate) token: String,
    /// Finds the device in the control plane's list: `sweep=NUMBER`.
    pub(crate) tag: String,
}

impl Device {
    /// Everything that its agents wrote.
    pub(crate) fn log(&self) -> String {
        let bytes = fs::read(self.data_dir.with_extension("log")).unwrap_or_default();
        String::from_utf8_lossy(&bytes).into_owned()
    }

    /// Where the tracer writes.
    pub(crate) fn report(&self) -> PathBuf {
        self.data_dir.with_extension("trace")
    }

    /// A file that ends a lasting fault.
    pub(crate) fn end_of_fault(&self) -> PathBuf {
        self.data_dir.with_extension("end")
    }

    /// The orders for a tracer of its agent.
    pub(crate) fn orders(&self, act: Act) -> Orders {
        Orders { folder: self.data_dir.clone(), report: self.report(), act, clock: None }
    }
}

/// A running agent, killed with this value.
pub(crate) struct Agent {
    child: Child,
    is_traced: bool,
}

impl Agent {
    /// Starts it, under a tracer with orders or alone.
    pub(crate) fn start(device: &Device, act: Option<Act>) -> anyhow::Result<Self> {
        let agent = program("kernex-agent");
        let is_traced = act.is_some();
        let mut command = match act {
            Some(act) => {
                let mut command = Command::from(device.orders(act).command(&program("kernex-tracer")));
                command.arg(&agent);
                command
            }
            None => Command::new(&agent),
        };
        command.args(["run", "--key-algorithm", "ed25519", "--polling-interval", "1"]);
        command.args(["--control-plane", &device.url, "--tag", &device.tag, "--data-dir"]);
        command.arg(&device.data_dir).env_clear();
        command.envs(std::env::var_os("PATH").map(|path| ("PATH", path)));
        command.env("KERNEX_REGISTRATION_TOKEN", &device.token);
        let log = File::options().create(true).append(true).open(device.data_dir.with_extension("log"))?;
        command.stdin(Stdio::null()).stdout(log.try_clone()?).stderr(log).kill_on_drop(true);
        let child = command.spawn().context("cannot start the agent")?;
        Ok(Self { child, is_traced })
    }

    pub(crate) fn is_running(&mut self) -> anyhow::Result<bool> {
        Ok(self.child.try_wait()?.is_none())
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
            if let Some(status) = self.child.try_wait()? {
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
        if let Some(pid) = self.pid() {
            let _ = kill_process(pid, Signal::TERM); // it may end at this moment
        }
        let ended = timeout(END_DEADLINE, self.child.wait()).await;
        ended.context("the agent did not stop")?.context("waiting for the agent")
    }

    /// The agent itself: under a tracer it is the tracer's child.
    fn pid(&self) -> Option<Pid> {
        let pid = self.child.id()?;
        if !self.is_traced {
            return Pid::from_raw(i32::try_from(pid).ok()?);
        }
        let children = fs::read_to_string(format!("/proc/{pid}/task/{pid}/children")).ok()?;
        Pid::from_raw(children.split_whitespace().next()?.parse().ok()?)
    }
}

/// Whether the tracer killed the agent, as it was told to.
pub(crate) fn was_killed(status: ExitStatus) -> bool {
    status.code() == Some(KILLED_CODE)
}
