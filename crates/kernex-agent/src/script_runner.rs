//! The intermediate process around every script and workload: `kernex-agent script-runner`.
//!
//! It makes itself the reaper of everything that descends from it, so that nothing escapes by `setsid` or by forking
//! twice, and does not end before the last descendant has. It keeps the agent's rights, so that what it runs, as another
//! user, cannot end it. It goes by what it reads on standard input, a socket: one line says what to run; the end of the
//! input (the agent died) or a byte means to stop. The outcome, one line, goes back over the socket; standard output
//! and standard error are those of what it runs.

mod group;
mod tree;

use std::{
    collections::BTreeMap,
    io::{self, BufRead as _, BufReader, Read as _, Write as _},
    os::{
        fd::{AsFd as _, OwnedFd},
        unix::{net::UnixStream, process::CommandExt as _},
    },
    path::{Path, PathBuf},
    process::{Command, ExitCode, Stdio},
    sync::mpsc::{self, Receiver, RecvTimeoutError, Sender},
    thread,
    time::{Duration, Instant},
};

use nix::{
    errno::Errno,
    sys::{
        signal::{Signal, kill},
        wait::{WaitStatus, waitpid},
    },
    unistd::Pid,
};
use serde::{Deserialize, Serialize};

use crate::{
    disk,
    sandbox::{Sandbox, enter::Entry},
};
use group::Tree;

/// How long to wait for another runner of the same bundle (of an agent that was killed) to clear its processes away.
const LOCK_TIMEOUT: Duration = Duration::from_secs(30);
/// When the agent is gone, what runs gets no more time than this to end: together with [`KILL_TIMEOUT`] less than the
/// runner of the next agent waits, whatever the manifest says.
const GONE_GRACE: Duration = Duration::from_secs(8);
/// How often what resists is killed again, and the lock is tried again.
const RETRY_EVERY: Duration = Duration::from_millis(20);
/// After this long the runner ends although a process is still there: only one that hangs in the kernel survives SIGKILL.
const KILL_TIMEOUT: Duration = Duration::from_secs(20);

/// The byte by which the agent says to stop.
pub const STOP: u8 = b's';
/// And the one to send the reload signal.
pub const RELOAD: u8 = b'r';

/// What to run.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
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
    /// Standard output has its own pipe; otherwise it goes the way of standard error, so that the order of lines is kept.
    pub has_two_outputs: bool,
    /// The number of the signal that tells it to read its configuration again.
    pub reload_signal: Option<i32>,
    /// What it may do.
    pub sandbox: Sandbox,
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
    /// The agent wants an end.
    Stop,
    /// The agent is gone.
    Gone,
    /// The configuration has changed.
    Reload,
}

/// Runs what standard input says, and tells the outcome there.
pub fn main() -> ExitCode {
    let Ok(channel) = io::stdin().as_fd().try_clone_to_owned() else { return ExitCode::FAILURE };
    let mut channel = UnixStream::from(channel);
    let outcome = run(&channel).unwrap_or_else(|error| Outcome::NotStarted { reason: error.to_string() });
    let Ok(mut line) = serde_json::to_vec(&outcome) else { return ExitCode::FAILURE };
    line.push(b'\n');
    // Nobody reads the line when the agent is gone; the processes are cleared away all the same.
    match channel.write_all(&line) {
        Ok(()) => ExitCode::SUCCESS,
        Err(_) => ExitCode::FAILURE,
    }
}

fn run(channel: &UnixStream) -> io::Result<Outcome> {
    nix::sys::prctl::set_child_subreaper(true)?;
    let mut input = BufReader::new(channel.try_clone()?);
    let mut line = Vec::new();
    input.read_until(b'\n', &mut line)?;
    let spec: Spec = serde_json::from_slice(&line)?;
    let (sender, messages) = mpsc::channel();
    watch_input(input, sender.clone());
    let _lock = match &spec.lock {
        Some(path) => match take_lock(path, &messages)? {
            Some(lock) => Some(lock),
            None => return Ok(Outcome::Stopped),
        },
        None => None,
    };
    let tree = Tree::prepare(&spec.sandbox)?;
    let outcome = match start(&spec, &tree) {
        Ok(main) => {
            thread::spawn(move || reap(main, &sender));
            supervise(main, &spec, &tree, &messages)
        }
        Err(error) => Outcome::NotStarted { reason: error.to_string() },
    };
    tree.clean_up();
    Ok(outcome)
}

/// Waits for the lock; `None` when the agent does not want it any more.
fn take_lock(path: &Path, messages: &Receiver<Message>) -> io::Result<Option<std::fs::File>> {
    let file = disk::open_to_lock(path).map_err(|error| {
        io::Error::new(error.kind(), format!("the lock of its processes cannot be opened: {error}"))
    })?;
    let deadline = Instant::now() + LOCK_TIMEOUT;
    loop {
        if file.try_lock().is_ok() {
            return Ok(Some(file));
        }
        if Instant::now() >= deadline {
            let reason = "processes of an earlier run are still there";
            return Err(io::Error::new(io::ErrorKind::TimedOut, reason));
        }
        match messages.recv_timeout(RETRY_EVERY) {
            Err(RecvTimeoutError::Timeout) | Ok(Message::Reload) => {}
            _ => return Ok(None),
        }
    }
}

/// Starts the process that becomes the program, and waits until it has.
fn start(spec: &Spec, tree: &Tree) -> io::Result<Pid> {
    let (mut own, theirs) = UnixStream::pair()?;
    let mut command = Command::new("/proc/self/exe");
    command.arg0("kernex-agent").arg("sandbox-entry").env_clear().process_group(0);
    command.stdin(Stdio::from(OwnedFd::from(theirs)));
    let child = command.spawn()?.id();
    // The command holds on to the other end.
    drop(command);
    let entry = Entry {
        spec: spec.clone(),
        groups: tree.group.entries(),
        grouped: tree.group.grouped,
        probe: Vec::new(),
    };
    let mut line = serde_json::to_vec(&entry)?;
    line.push(b'\n');
    own.write_all(&line)?;
    let mut reason = String::new();
    own.read_to_string(&mut reason)?;
    match reason.as_str() {
        "" => Ok(Pid::from_raw(i32::try_from(child).map_err(io::Error::other)?)),
        reason => Err(io::Error::other(reason)),
    }
}

/// Passes the agent's wishes on; the end of the input is one to stop.
fn watch_input(mut input: impl io::Read + Send + 'static, sender: Sender<Message>) {
    thread::spawn(move || {
        let mut byte = [0];
        while matches!(input.read(&mut byte), Ok(1)) {
            let _ = sender.send(if byte[0] == RELOAD { Message::Reload } else { Message::Stop });
        }
        let _ = sender.send(Message::Gone);
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

fn supervise(main: Pid, spec: &Spec, tree: &Tree, messages: &Receiver<Message>) -> Outcome {
    let deadline = spec.timeout_millis.map(|millis| Instant::now() + Duration::from_millis(millis));
    let mut grace = Duration::from_millis(spec.grace_millis);
    let outcome = loop {
        let left =
            deadline.map_or(Duration::MAX, |deadline| deadline.saturating_duration_since(Instant::now()));
        match messages.recv_timeout(left) {
            Ok(Message::Ended(status)) => {
                let outcome = from_status(status);
                kill_all(tree, messages);
                return outcome;
            }
            Ok(Message::Reload) => reload(main, spec.reload_signal),
            Err(RecvTimeoutError::Timeout) => break Outcome::TimedOut,
            Ok(Message::Gone) => {
                grace = grace.min(GONE_GRACE);
                break Outcome::Stopped;
            }
            _ => break Outcome::Stopped,
        }
    };
    tree::signal_all(Signal::SIGTERM);
    if !wait_until_none_left(messages, grace, || {}) {
        kill_all(tree, messages);
    }
    outcome
}

/// The program itself is told; it knows which of its processes need to be.
fn reload(main: Pid, signal: Option<i32>) {
    if let Some(signal) = signal.and_then(|number| Signal::try_from(number).ok()) {
        // One that has ended meanwhile reads its configuration when it starts.
        let _ = kill(main, signal);
    }
}

fn kill_all(tree: &Tree, messages: &Receiver<Message>) {
    let kill = || tree.kill();
    kill();
    wait_until_none_left(messages, KILL_TIMEOUT, kill);
}

fn wait_until_none_left(messages: &Receiver<Message>, limit: Duration, again: impl Fn()) -> bool {
    let mut deadline = Instant::now() + limit;
    while Instant::now() < deadline {
        match messages.recv_timeout(RETRY_EVERY) {
            Ok(Message::NoneLeft) | Err(RecvTimeoutError::Disconnected) => return true,
            Ok(Message::Gone) => deadline = deadline.min(Instant::now() + GONE_GRACE),
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
