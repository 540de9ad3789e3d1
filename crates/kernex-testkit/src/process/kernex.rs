//! `kernex`, the CLI.

use std::process::Stdio;

use serde_json::Value;
use tempfile::TempDir;
use tokio::io::AsyncWriteExt as _;

use super::{clean_command, program};

/// `kernex` with a login of its own.
#[derive(Debug)]
pub struct Kernex {
    config: TempDir,
}

/// What a command wrote, and how it ended.
#[derive(Debug)]
pub struct KernexOutput {
    /// The exit code.
    pub code: Option<i32>,
    /// Results.
    pub stdout: String,
    /// Everything else.
    pub stderr: String,
}

impl KernexOutput {
    /// The results as JSON.
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.stdout).unwrap_or_else(|error| panic!("{error} in {self:?}"))
    }
}

impl Kernex {
    /// Logs in.
    pub async fn log_in(url: &str, username: &str, password: &str) -> Self {
        let config = tempfile::tempdir().expect("a folder can be made");
        let kernex = Self { config };
        let arguments = ["login", url, "--username", username, "--password-stdin"];
        let output = kernex.run_with_input(&arguments, &format!("{password}\n")).await;
        assert_eq!(output.code, Some(0), "{output:?}");
        kernex
    }

    /// Runs a command and waits for its end.
    pub async fn run(&self, arguments: &[&str]) -> KernexOutput {
        self.run_with_input(arguments, "").await
    }

    /// Runs a command that must succeed, with `--output json`, and gives its result.
    pub async fn ask(&self, arguments: &[&str]) -> Value {
        let output = self.run(&[arguments, &["--output", "json"]].concat()).await;
        assert_eq!(output.code, Some(0), "kernex {arguments:?}: {output:?}");
        output.json()
    }

    async fn run_with_input(&self, arguments: &[&str], input: &str) -> KernexOutput {
        let mut command = clean_command(&program("kernex"));
        command.args(arguments).env("KERNEX_CONFIG_DIR", self.config.path());
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().expect("the program starts");
        let mut stdin = child.stdin.take().expect("it has a pipe");
        // A command that reads nothing may have closed it.
        let _ = stdin.write_all(input.as_bytes()).await;
        drop(stdin);
        let output = child.wait_with_output().await.expect("the program ends");
        KernexOutput {
            code: output.status.code(),
            stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
            stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
        }
    }
}
