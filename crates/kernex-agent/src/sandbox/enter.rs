//! The process that becomes the program: `kernex-agent sandbox-entry`.
//!
//! It reads one line from standard input, a socket, which says what to become; joins the control groups, puts the
//! sandbox on itself, and replaces itself by the program. Nothing of the manifest, its environment least of all, has an
//! influence before the sandbox is on. What goes wrong is written to the socket, which closes when the program starts.
//! With files to try instead of a program it says what it could do and read, as a [`Findings`].

use std::{
    fs,
    io::{self, BufRead as _, BufReader, Write as _},
    os::{
        fd::AsFd as _,
        unix::{net::UnixStream, process::CommandExt as _},
    },
    path::PathBuf,
    process::{Command, ExitCode, Stdio},
};

use nix::sys::{
    prctl::{set_no_new_privs, set_pdeathsig},
    signal::Signal,
};
use rustix::fs::Mode;
use serde::{Deserialize, Serialize};

use super::{access, limits::Grouped, mounts};
use crate::script_runner::Spec;

/// What to become.
#[derive(Debug, Serialize, Deserialize)]
pub struct Entry {
    /// The program.
    pub spec: Spec,
    /// Files to write one's own id to, which puts one into a control group.
    pub groups: Vec<PathBuf>,
    /// What those groups limit.
    pub grouped: Grouped,
    /// Files to try to read instead of becoming the program.
    pub probe: Vec<PathBuf>,
}

/// What a probe found.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Findings {
    /// The mount namespace: `private`, `missing: …`.
    pub mounts: String,
    /// Landlock: `abi 7`, `missing: …`.
    pub landlock: String,
    /// The files that could be read.
    pub readable: Vec<PathBuf>,
}

/// Becomes what standard input says.
pub fn main() -> ExitCode {
    let Ok(channel) = io::stdin().as_fd().try_clone_to_owned() else { return ExitCode::FAILURE };
    let mut channel = UnixStream::from(channel);
    let text = match enter(&channel) {
        Ok(findings) => serde_json::to_string(&findings).unwrap_or_default(),
        Err(error) => error.to_string(),
    };
    // Nobody is left to be told when this fails.
    let _ = channel.write_all(text.as_bytes());
    ExitCode::FAILURE
}

/// Comes back only with an error, or from a probe.
fn enter(channel: &UnixStream) -> io::Result<Findings> {
    let mut line = Vec::new();
    BufReader::new(channel).read_until(b'\n', &mut line)?;
    let entry: Entry = serde_json::from_slice(&line)?;
    for group in &entry.groups {
        fs::write(group, "0").map_err(|error| about("the control group cannot be joined", &error))?;
    }
    let mut findings = confine(&entry)?;
    if !entry.probe.is_empty() {
        findings.readable = entry.probe.into_iter().filter(can_read).collect();
        return Ok(findings);
    }
    Err(become_program(&entry.spec))
}

/// Puts the sandbox on this process. The order matters: each step needs what a later one gives up.
fn confine(entry: &Entry) -> io::Result<Findings> {
    let sandbox = &entry.spec.sandbox;
    rustix::process::umask(Mode::empty());
    let mut findings =
        Findings { mounts: "missing: only root can have one".to_owned(), ..Findings::default() };
    if let Some(user) = sandbox.user {
        findings.mounts = mounts::hide(sandbox, user)
            .map_err(|error| about("the agent's files cannot be hidden", &error))?;
        let (uid, gid) = (rustix::process::Uid::from_raw(user.uid), rustix::process::Gid::from_raw(user.gid));
        // So that `/dev/stdout` and `/dev/stderr` can be opened by name. Not everything that they lead to has an owner.
        let _ = rustix::fs::fchown(io::stdout(), Some(uid), Some(gid));
        let _ = rustix::fs::fchown(io::stderr(), Some(uid), Some(gid));
    }
    sandbox
        .limits
        .apply(entry.grouped, sandbox.user.is_some())
        .map_err(|error| about("the limits cannot be set", &error.into()))?;
    if let Some(user) = sandbox.user {
        user.become_them().map_err(|error| about("the user cannot be changed", &error.into()))?;
    }
    set_no_new_privs()?;
    findings.landlock = access::confine(sandbox).map_err(io::Error::other)?;
    rustix::process::umask(Mode::from_raw_mode(0o077));
    // The parent ends only after its descendants; if it is killed all the same, this one goes, too. Changing the user
    // would have undone it.
    set_pdeathsig(Signal::SIGKILL)?;
    Ok(findings)
}

fn can_read(path: &PathBuf) -> bool {
    // Opening a folder only to look through it would not count as reading it.
    if path.is_dir() { fs::read_dir(path).is_ok() } else { fs::File::open(path).is_ok() }
}

fn become_program(spec: &Spec) -> io::Error {
    let program =
        if spec.program.contains('/') { spec.dir.join(&spec.program) } else { spec.program.clone().into() };
    let mut command = Command::new(program);
    command.args(&spec.args).current_dir(&spec.dir).env_clear().envs(&spec.env).stdin(Stdio::null());
    if !spec.has_two_outputs {
        match io::stderr().as_fd().try_clone_to_owned() {
            Ok(output) => command.stdout(output),
            Err(error) => return error,
        };
    }
    command.exec()
}

fn about(what: &str, error: &io::Error) -> io::Error {
    io::Error::new(error.kind(), format!("{what}: {error}"))
}
