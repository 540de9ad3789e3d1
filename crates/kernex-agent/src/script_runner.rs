//! The intermediate process around every script and workload: `kernex-agent script-runner`.
//!
//! It makes itself the reaper of everything that descends from it, so that nothing escapes by `setsid` or by forking
//! twice, and does not end before the last descendant has. It goes by what it reads on standard input: one line says what
//! to run; the end of the input (the agent stopped it, or died) or the byte `s` means to stop. Standard output carries
//! one line, the outcome; standard error is the output of what it runs.

mod tree;

use std::{
    collections::BTreeMap,
    fs::OpenOptions,
    io::{BufRead as _, Read as _, Write as _},
    os::{fd::AsFd as _, unix::process::CommandExt as _},
    path::PathBuf,
    process::{Command, ExitCode, Stdio},
    sync::mpsc::{self, Receiver, RecvTimeoutError, Sender},
    thread,
    time::{Duration, Instant},
};

use nix::{
    errno::Errno,
    sys::wait::{WaitStatus, waitpid},
    unistd::Pid,
};
use serde::{Deserialize, Serialize};

/// How long to wait for another runner of the same bundle (of an agent that was killed) to clear its processes away.
const LOCK_TIMEOUT: Duration = Duration::from_secs(30);
/// How often what resists is killed again, and the lock is tried again.
const RETRY_EVERY: Duration = Duration::from_millis(20);
/// After this long the runner ends although a process is still there: only one that hangs in the kernel survives SIGKILL.
const KILL_TIMEOUT: Duration = Duration::from_secs(20);

/// What to run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Spec {
    /// The program, looked up in `PATH` of `env` unless it has a slash; then it is relative to `dir`.
    pub program: String,
    /// Its arguments.
    pub args: Vec<String>,
    /// Its working folder.
    pub dir: PathBuf,
    /// Its whole environment.
    pub env: BTreeMap<String, String>,
    /// When it is stopped; never, if absent.
    pub timeout_millis: Option<u64>,
    /// How long it may take to end after SIGTERM.
    pub grace_millis: u64,
    /// A file to hold locked as long as anything runs.
    pub lock: Option<PathBuf>,
}

/// How it ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "ended", rename_all = "snake_case")]
pub enum Outcome {
    /// With an exit code.
    Exited {
        /// The code.
        code: i32,
    },
    /// By a signal that was not ours.
    Signalled {
        /// The signal's number.
        signal: i32,
    },
    /// It was stopped at its deadline.
    TimedOut,
    /// The agent stopped it.
    Stopped,
    /// It could not be started.
    NotStarted {
        /// Why.
        reason: String,
    },
}

enum Message {
    /// The process that was started has ended, as `waitpid` says.
    Ended(WaitStatus),
    /// No descendant is left.
    NoneLeft,
    /// The agent wants an end, or is gone.
    Stop,
}

/// Runs what standard input says; the outcome goes to standard output.
pub fn main() -> ExitCode {
    let outcome = run().unwrap_or_else(|error| Outcome::NotStarted { reason: error.to_string() });
    let Ok(mut line) = serde_json::to_vec(&outcome) else { return ExitCode::FAILURE };
    line.push(b'\n');
    // Nobody reads the line when the agent is gone; the processes are cleared away all the same.
    match std::io::stdout().write_all(&line) {
        Ok(()) => ExitCode::SUCCESS,
        Err(_) => ExitCode::FAILURE,
    }
}

fn run() -> std::io::Result<Outcome> {
    nix::sys::prctl::set_child_subreaper(true)?;
    let mut line = Vec::new();
    std::io::stdin().lock().read_until(b'\n', &mut line)?;
    let spec: Spec = serde_json::from_slice(&line)?;
    let (sender, messages) = mpsc::channel();
    watch_input(sender.clone());
    let _lock = match &spec.lock {
        Some(path) => match take_lock(path, &messages)? {
            Some(lock) => Some(lock),
            None => return Ok(Outcome::Stopped),
        },
        None => None,
    };
    let child = start(&spec)?;
    let pid = Pid::from_raw(i32::try_from(child).map_err(std::io::Error::other)?);
    thread::spawn(move || reap(pid, &sender));
    Ok(supervise(&spec, &messages))
}

/// Waits for the lock; `None` when the agent does not want it any more.
fn take_lock(path: &PathBuf, messages: &Receiver<Message>) -> std::io::Result<Option<std::fs::File>> {
    let file = OpenOptions::new().create(true).truncate(false).write(true).open(path)?;
    let deadline = Instant::now() + LOCK_TIMEOUT;
    loop {
        if file.try_lock().is_ok() {
            return Ok(Some(file));
        }
        if Instant::now() >= deadline {
            let reason = "processes of an earlier run are still there";
            return Err(std::io::Error::new(std::io::ErrorKind::TimedOut, reason));
        }
        match messages.recv_timeout(RETRY_EVERY) {
            Err(RecvTimeoutError::Timeout) => {}
            _ => return Ok(None),
        }
    }
}

fn start(spec: &Spec) -> std::io::Result<u32> {
    let output = || std::io::stderr().as_fd().try_clone_to_owned().map(Stdio::from);
    let program =
        if spec.program.contains('/') { spec.dir.join(&spec.program) } else { spec.program.clone().into() };
    let mut command = Command::new(program);
    command.args(&spec.args).current_dir(&spec.dir).env_clear().envs(&spec.env);
    command.stdin(Stdio::null()).stdout(output()?).stderr(output()?).process_group(0);
    Ok(command.spawn()?.id())
}

/// Passes the agent's wish to stop on; the end of the input is one, too.
fn watch_input(sender: Sender<Message>) {
    thread::spawn(move || {
        let mut byte = [0];
        let _ = std::io::stdin().read(&mut byte);
        let _ = sender.send(Message::Stop);
    });
}

/// Reaps every descendant that ends, until none is left.
fn reap(main: Pid, sender: &Sender<Message>) {
    loop {
        match waitpid(None, None) {
            Ok(status) if status.pid() == Some(main) => {
                if sender.send(Message::Ended(status)).is_err() {
                    return;
                }
            }
            Ok(_) | Err(Errno::EINTR) => {}
            Err(_) => {
                let _ = sender.send(Message::NoneLeft);
                return;
            }
        }
    }
}

fn supervise(spec: &Spec, messages: &Receiver<Message>) -> Outcome {
    let wait = spec.timeout_millis.map_or(Duration::MAX, Duration::from_millis);
    let outcome = match messages.recv_timeout(wait) {
        Ok(Message::Ended(status)) => {
            let outcome = from_status(status);
            kill_all(messages);
            return outcome;
        }
        Err(RecvTimeoutError::Timeout) => Outcome::TimedOut,
        _ => Outcome::Stopped,
    };
    tree::signal_all(nix::sys::signal::Signal::SIGTERM);
    if !wait_until_none_left(messages, Duration::from_millis(spec.grace_millis), || {}) {
        kill_all(messages);
    }
    outcome
}

fn kill_all(messages: &Receiver<Message>) {
    let kill = || tree::signal_all(nix::sys::signal::Signal::SIGKILL);
    kill();
    wait_until_none_left(messages, KILL_TIMEOUT, kill);
}

fn wait_until_none_left(messages: &Receiver<Message>, limit: Duration, again: impl Fn()) -> bool {
    let deadline = Instant::now() + limit;
    while Instant::now() < deadline {
        match messages.recv_timeout(RETRY_EVERY) {
            Ok(Message::NoneLeft) | Err(RecvTimeoutError::Disconnected) => return true,
            Ok(_) => {}
            Err(RecvTimeoutError::Timeout) => again(),
        }
    }
    false
}

fn from_status(status: WaitStatus) -> Outcome {
    match status {
        WaitStatus::Exited(_, code) => Outcome::Exited { code },
        WaitStatus::Signaled(_, signal, _) => Outcome::Signalled { signal: signal as i32 },
        other => Outcome::NotStarted { reason: format!("unexpected state {other:?}") },
    }
}
