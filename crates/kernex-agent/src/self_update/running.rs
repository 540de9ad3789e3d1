//! Which agent this process is: the installed program, or a release that a launcher started.

use std::{
    env,
    ffi::OsString,
    path::{Path, PathBuf},
    process::Command,
};

use nix::{
    sys::{prctl::set_pdeathsig, signal::Signal},
    unistd::getppid,
};

use crate::AGENT_VERSION;

/// The release's folder that this process runs from.
const RELEASE: &str = "KERNEX_AGENT_RELEASE";
/// The installed program, and its version.
const BASE: &str = "KERNEX_AGENT_BASE";
const BASE_VERSION: &str = "KERNEX_AGENT_BASE_VERSION";
/// The launcher that waits for this process; absent when it became this process.
const LAUNCHER: &str = "KERNEX_AGENT_LAUNCHER";

/// What a launcher told this process.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Running {
    /// The release's folder; `None` is the installed program.
    pub release: Option<String>,
    /// The installed program.
    pub base: PathBuf,
    /// Its version.
    pub base_version: String,
    /// The launcher that waits for this process.
    pub launcher: Option<i32>,
}

impl Running {
    /// What this process is.
    pub fn here() -> Self {
        let text = |key: &str| env::var(key).ok().filter(|text| !text.is_empty());
        Self {
            release: text(RELEASE),
            base: env::var_os(BASE).map_or_else(this_program, PathBuf::from),
            base_version: text(BASE_VERSION).unwrap_or_else(|| AGENT_VERSION.to_owned()),
            launcher: text(LAUNCHER).and_then(|text| text.parse().ok()),
        }
    }

    /// Whether a launcher has decided already what is to run.
    pub fn is_launched(&self) -> bool {
        self.release.is_some()
    }

    /// Ends with the launcher that waits for this process; `false` when that has ended already.
    pub fn follow_launcher(&self) -> bool {
        let Some(launcher) = self.launcher else { return true };
        set_pdeathsig(Signal::SIGTERM).is_ok() && getppid().as_raw() == launcher
    }

    /// A command for a release's program that knows what it is.
    pub(super) fn command(program: &Path, folder: &str, launcher: Option<u32>) -> Command {
        let mut command = Command::new(program);
        command.args(arguments()).env(RELEASE, folder).env(BASE, this_program());
        command.env(BASE_VERSION, AGENT_VERSION);
        match launcher {
            Some(pid) => command.env(LAUNCHER, pid.to_string()),
            None => command.env_remove(LAUNCHER),
        };
        command
    }

    /// A command for the installed program, which decides anew what is to run.
    pub fn launcher_command(&self) -> Command {
        let base = if self.base.exists() { self.base.clone() } else { PathBuf::from("/proc/self/exe") };
        let mut command = Command::new(base);
        command.args(arguments());
        for key in [RELEASE, BASE, BASE_VERSION, LAUNCHER] {
            command.env_remove(key);
        }
        command
    }
}

fn arguments() -> impl Iterator<Item = OsString> {
    env::args_os().skip(1)
}

fn this_program() -> PathBuf {
    env::current_exe().unwrap_or_else(|_| PathBuf::from("/proc/self/exe"))
}
