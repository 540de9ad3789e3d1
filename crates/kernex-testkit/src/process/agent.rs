//! `kernex-agent run` as a process.

use std::{
    fs,
    path::{Path, PathBuf},
    process::ExitStatus,
};

use kernex_tracer::Orders;
use rustix::process::{Pid, Signal, kill_process};

use super::{Spawned, clean_command, program};

/// A running agent; killed with this value, and its workload with it.
#[derive(Debug)]
pub struct AgentProcess {
    data_dir: PathBuf,
    process: Spawned,
    is_traced: bool,
}

/// How an agent is started.
#[derive(Clone, Debug, Default)]
pub struct AgentOptions {
    /// For a device that is not registered yet.
    pub token: Option<String>,
    /// More arguments of `run`.
    pub arguments: Vec<String>,
    /// It runs under a tracer with these orders.
    pub orders: Option<Orders>,
}

impl AgentProcess {
    /// Starts an agent with an Ed25519 key that sends a heartbeat every second.
    pub fn start(url: &str, data_dir: &Path, token: Option<&str>) -> Self {
        let quick = ["--key-algorithm", "ed25519", "--polling-interval", "1"];
        let options = AgentOptions {
            token: token.map(ToOwned::to_owned),
            arguments: quick.map(ToOwned::to_owned).to_vec(),
            orders: None,
        };
        Self::start_with(url, data_dir, options)
    }

    /// Starts an agent with its default settings.
    pub fn start_as_installed(url: &str, data_dir: &Path, token: &str) -> Self {
        Self::start_with(
            url,
            data_dir,
            AgentOptions { token: Some(token.to_owned()), ..AgentOptions::default() },
        )
    }

    /// Starts an agent.
    pub fn start_with(url: &str, data_dir: &Path, options: AgentOptions) -> Self {
        fs::create_dir_all(data_dir).expect("the folder can be made");
        let agent = program("kernex-agent");
        let mut command = match &options.orders {
            Some(orders) => {
                let mut command = clean_command(&program("kernex-tracer"));
                command.args(orders.command(Path::new("")).get_args()).arg(&agent);
                command
            }
            None => clean_command(&agent),
        };
        command.args(["run", "--control-plane", url, "--data-dir"]).arg(data_dir).args(&options.arguments);
        if let Some(token) = &options.token {
            command.env("KERNEX_REGISTRATION_TOKEN", token);
        }
        let process = Spawned::start(&mut command, data_dir.with_extension("log"));
        Self { data_dir: data_dir.to_owned(), process, is_traced: options.orders.is_some() }
    }

    /// Its data folder.
    pub fn data_dir(&self) -> &Path {
        &self.data_dir
    }

    /// What it wrote.
    pub fn log_text(&self) -> String {
        self.process.log_text()
    }

    /// Its process id. Under a tracer it is the tracer's child.
    pub fn pid(&self) -> i32 {
        let pid = self.process.pid();
        if !self.is_traced {
            return pid;
        }
        let children = fs::read_to_string(format!("/proc/{pid}/task/{pid}/children")).unwrap_or_default();
        let child = children.split_whitespace().next().and_then(|child| child.parse().ok());
        child.expect("the traced agent runs")
    }

    /// Whether it still runs.
    pub fn is_running(&mut self) -> bool {
        self.process.child.try_wait().is_ok_and(|status| status.is_none())
    }

    /// Kills it as a power cut would, and waits until it is gone.
    pub async fn kill(mut self) {
        self.process.signal(Signal::KILL);
        self.process.wait().await;
    }

    /// Asks it to stop, and waits until it and its workload have.
    pub async fn stop(mut self) -> ExitStatus {
        let pid = Pid::from_raw(self.pid()).expect("a process id is not 0");
        kill_process(pid, Signal::TERM).expect("the agent can be signalled");
        self.process.wait().await
    }
}
