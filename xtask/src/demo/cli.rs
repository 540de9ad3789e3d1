//! Speaking to the control plane: with the real `kernex`, as an operator would.

use std::{
    path::{Path, PathBuf},
    process::Stdio,
};

use anyhow::{Context as _, Result, bail};
use serde_json::Value;
use tokio::{io::AsyncWriteExt as _, process::Command};

/// `kernex` with a login of its own.
pub(super) struct Kernex<'a> {
    pub(super) program: &'a Path,
    /// Where the login is kept, apart from that of the user.
    pub(super) config: PathBuf,
}

impl Kernex<'_> {
    /// Logs in.
    pub(super) async fn login(&self, url: &str, password: &str) -> Result<()> {
        let mut command = self.command(&["login", url, "--username", "admin", "--password-stdin"]);
        pass_line(&mut command, password).await.context("`kernex login` failed")
    }

    /// Runs a command that writes to the terminal; shown as a person would type it.
    pub(super) async fn show(&self, arguments: &[&str]) -> Result<()> {
        println!("$ kernex {}", arguments.join(" "));
        let status = self.command(arguments).status().await.context("cannot start kernex")?;
        if !status.success() {
            bail!("`kernex {}` failed: {status}", arguments.join(" "));
        }
        Ok(())
    }

    /// Runs a command and gives its result.
    pub(super) async fn ask(&self, arguments: &[&str]) -> Result<Value> {
        let mut command = self.command(arguments);
        let output = command.args(["--output", "json"]).output().await.context("cannot start kernex")?;
        if !output.status.success() {
            let reason = String::from_utf8_lossy(&output.stderr);
            bail!("`kernex {}` failed: {}", arguments.join(" "), reason.trim());
        }
        serde_json::from_slice(&output.stdout)
            .with_context(|| format!("`kernex {} --output json` does not print JSON", arguments.join(" ")))
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(self.program);
        command.args(arguments).env("KERNEX_CONFIG_DIR", &self.config).kill_on_drop(true);
        // A login of the user's must not be taken for the demo's.
        for variable in ["KERNEX_URL", "KERNEX_TOKEN", "KERNEX_TOKEN_FILE"] {
            command.env_remove(variable);
        }
        command
    }
}

/// Runs a command that reads one line; fails with what it says.
pub(super) async fn pass_line(command: &mut Command, line: &str) -> Result<()> {
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).kill_on_drop(true);
    let mut child = command.spawn().context("cannot be started")?;
    let mut input = child.stdin.take().context("a pipe is missing")?;
    input.write_all(format!("{line}\n").as_bytes()).await?;
    drop(input);
    let output = child.wait_with_output().await?;
    if !output.status.success() {
        bail!("{}", String::from_utf8_lossy(&output.stderr).trim());
    }
    Ok(())
}
