//! Starting a script or workload inside its own runner process, and hearing how it ended.

use std::{
    ffi::OsString,
    io,
    os::{fd::OwnedFd, unix::net::UnixStream as StdUnixStream},
    path::PathBuf,
    process::Stdio,
    sync::Arc,
    time::Duration,
};

use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::UnixStream,
    process::{Child, ChildStderr, ChildStdout, Command},
    sync::Notify,
    time::timeout,
};
use tokio_util::sync::CancellationToken;

use crate::{
    sandbox::{
        Sandbox,
        enter::{Entry, Findings},
    },
    script_runner::{Outcome, RELOAD, STOP, Spec},
};

/// Beyond its own limits, a runner gets this long to say how it ended.
const RUNNER_SLACK: Duration = Duration::from_secs(30);
/// Longest line with an outcome.
const MAX_OUTCOME_BYTES: u64 = 64 * 1024;
/// Trying out the sandbox takes milliseconds.
const PROBE_TIMEOUT: Duration = Duration::from_secs(10);

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
    channel: UnixStream,
    stdout: Option<ChildStdout>,
    stderr: Option<ChildStderr>,
    grace: Duration,
    reload: Arc<Notify>,
}

impl Process {
    /// Starts it.
    pub async fn start(program: &RunnerProgram, spec: &Spec) -> io::Result<Self> {
        let (mut runner, mut channel) = spawn(program, "script-runner")?;
        let (stdout, stderr) = (runner.stdout.take(), runner.stderr.take());
        send(&mut channel, spec).await?;
        let grace = Duration::from_millis(spec.grace_millis);
        Ok(Self { runner, channel, stdout, stderr, grace, reload: Arc::default() })
    }

    /// What it writes to standard error, and to standard output unless that has its own; once.
    pub fn take_output(&mut self) -> Option<ChildStderr> {
        self.stderr.take()
    }

    /// What it writes to standard output, if that has its own; once.
    pub fn take_stdout(&mut self) -> Option<ChildStdout> {
        self.stdout.take()
    }

    /// While it is waited for, a notification sends it its reload signal.
    pub fn reloader(&self) -> Arc<Notify> {
        self.reload.clone()
    }

    /// Waits until it and all its descendants have ended; stops them when asked to.
    pub async fn wait(mut self, stop: &CancellationToken) -> Outcome {
        let mut answer = Vec::new();
        let (reader, mut writer) = self.channel.split();
        let mut limited = reader.take(MAX_OUTCOME_BYTES);
        let is_stopped = loop {
            tokio::select! {
                // What was read stays in `answer` when another branch is taken.
                read = limited.read_buf(&mut answer) => if !matches!(read, Ok(1..)) { break false },
                () = self.reload.notified() => { let _ = writer.write_all(&[RELOAD]).await; }
                () = stop.cancelled() => break true,
            }
        };
        if is_stopped {
            let _ = writer.write_all(&[STOP]).await;
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

/// Tries what a sandbox gives and which of some files can be read in it.
pub(crate) async fn probe(
    program: &RunnerProgram,
    sandbox: Sandbox,
    files: Vec<PathBuf>,
) -> io::Result<Findings> {
    let (mut child, mut channel) = spawn(program, "sandbox-entry")?;
    let spec = Spec { sandbox, ..Spec::default() };
    let entry = Entry { spec, groups: Vec::new(), grouped: Default::default(), probe: files };
    send(&mut channel, &entry).await?;
    let mut answer = Vec::new();
    let mut limited = (&mut channel).take(MAX_OUTCOME_BYTES);
    timeout(PROBE_TIMEOUT, limited.read_to_end(&mut answer)).await??;
    timeout(PROBE_TIMEOUT, child.wait()).await??;
    serde_json::from_slice(&answer)
        .map_err(|_| io::Error::other(String::from_utf8_lossy(&answer).into_owned()))
}

/// Starts a hidden command of this program; the other end of its standard input is a socket.
fn spawn(program: &RunnerProgram, hidden: &str) -> io::Result<(Child, UnixStream)> {
    let (own, theirs) = StdUnixStream::pair()?;
    own.set_nonblocking(true)?;
    let mut command = Command::new(&program.0);
    command.arg0("kernex-agent").arg(hidden).env_clear().process_group(0);
    command.stdin(Stdio::from(OwnedFd::from(theirs))).stdout(Stdio::piped()).stderr(Stdio::piped());
    Ok((command.spawn()?, UnixStream::from_std(own)?))
}

async fn send(channel: &mut UnixStream, value: &impl serde::Serialize) -> io::Result<()> {
    let mut line = serde_json::to_vec(value)?;
    line.push(b'\n');
    channel.write_all(&line).await
}
