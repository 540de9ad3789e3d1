//! Starting a script or workload inside its own runner process, and hearing how it ended.

use std::{ffi::OsString, io, path::PathBuf, process::Stdio, time::Duration};

use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    process::{Child, ChildStderr, ChildStdin, ChildStdout, Command},
    time::timeout,
};
use tokio_util::sync::CancellationToken;

use crate::script_runner::{Outcome, Spec};

/// Beyond its own limits, a runner gets this long to say how it ended.
const RUNNER_SLACK: Duration = Duration::from_secs(30);
/// Longest line with an outcome.
const MAX_OUTCOME_BYTES: u64 = 64 * 1024;

/// How to start the runner: this very program with a hidden command.
#[derive(Clone, Debug)]
pub struct RunnerProgram(OsString);

impl Default for RunnerProgram {
    /// The running executable, also when its file has been replaced meanwhile.
    fn default() -> Self {
        Self("/proc/self/exe".into())
    }
}

impl RunnerProgram {
    /// Another executable of the agent, for tests.
    pub fn at(path: impl Into<PathBuf>) -> Self {
        Self(path.into().into_os_string())
    }
}

/// A process with all its descendants. Dropping it makes the runner stop them.
#[derive(Debug)]
pub struct Process {
    runner: Child,
    input: ChildStdin,
    answer: ChildStdout,
    output: Option<ChildStderr>,
    grace: Duration,
}

impl Process {
    /// Starts it.
    pub async fn start(program: &RunnerProgram, spec: &Spec) -> io::Result<Self> {
        let mut command = Command::new(&program.0);
        command.arg0("kernex-agent").arg("script-runner").env_clear().process_group(0);
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut runner = command.spawn()?;
        let missing = || io::Error::other("a pipe is missing");
        let mut input = runner.stdin.take().ok_or_else(missing)?;
        let answer = runner.stdout.take().ok_or_else(missing)?;
        let output = runner.stderr.take();
        let mut line = serde_json::to_vec(spec)?;
        line.push(b'\n');
        input.write_all(&line).await?;
        Ok(Self { runner, input, answer, output, grace: Duration::from_millis(spec.grace_millis) })
    }

    /// What it writes to standard output and standard error; once.
    pub fn take_output(&mut self) -> Option<ChildStderr> {
        self.output.take()
    }

    /// Waits until it and all its descendants have ended; stops them when asked to.
    pub async fn wait(mut self, stop: &CancellationToken) -> Outcome {
        let mut answer = Vec::new();
        let ended = {
            let mut limited = (&mut self.answer).take(MAX_OUTCOME_BYTES);
            tokio::select! {
                result = limited.read_to_end(&mut answer) => Some(result),
                () = stop.cancelled() => None,
            }
        };
        if ended.is_none() {
            let _ = self.input.write_all(b"s").await;
            let mut limited = (&mut self.answer).take(MAX_OUTCOME_BYTES);
            let _ = timeout(self.grace + RUNNER_SLACK, limited.read_to_end(&mut answer)).await;
        }
        let status = timeout(RUNNER_SLACK, self.runner.wait()).await;
        serde_json::from_slice(&answer).unwrap_or_else(|_| Outcome::NotStarted {
            reason: match status {
                Ok(Ok(status)) => format!("the process around it ended without an outcome ({status})"),
                _ => "the process around it does not end".to_owned(),
            },
        })
    }
}
