//! `kernex-agent run` as a process.

use std::{
    path::{Path, PathBuf},
    process::ExitStatus,
};

use rustix::process::Signal;

use super::{Spawned, clean_command, program};

/// A running agent; killed with this value, and its workload with it.
#[derive(Debug)]
pub struct AgentProcess {
    data_dir: PathBuf,
    process: Spawned,
}

impl AgentProcess {
    /// Starts an agent with an Ed25519 key that sends a heartbeat every second.
    pub fn start(url: &str, data_dir: &Path, token: Option<&str>) -> Self {
        let quick = ["--key-algorithm", "ed25519", "--polling-interval", "1"];
        Self::start_with(url, data_dir, token, &quick)
    }

    /// Starts an agent with its default settings.
    pub fn start_as_installed(url: &str, data_dir: &Path, token: &str) -> Self {
        Self::start_with(url, data_dir, Some(token), &[])
    }

    fn start_with(url: &str, data_dir: &Path, token: Option<&str>, further: &[&str]) -> Self {
        std::fs::create_dir_all(data_dir).expect("the folder can be made");
        let mut command = clean_command(&program("kernex-agent"));
        command.args(["run", "--control-plane", url]).args(further);
        command.arg("--data-dir").arg(data_dir);
        if let Some(token) = token {
            command.env("KERNEX_REGISTRATION_TOKEN", token);
        }
        let process = Spawned::start(&mut command, data_dir.with_extension("log"));
        Self { data_dir: data_dir.to_owned(), process }
    }

    /// Its data folder.
    pub fn data_dir(&self) -> &Path {
        &self.data_dir
    }

    /// What it wrote.
    pub fn log_text(&self) -> String {
        self.process.log_text()
    }

    /// Its process id.
    pub fn pid(&self) -> i32 {
        self.process.pid()
    }

    /// Asks it to stop, and waits until it and its workload have.
    pub async fn stop(mut self) -> ExitStatus {
        self.process.signal(Signal::TERM);
        self.process.wait().await
    }
}
