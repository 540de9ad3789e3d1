//! What a tracer may be told to do with the program that it runs. The tracer itself is this crate's program, `kernex-tracer`.
//!
//! It exists because `strace` counts calls for each thread by itself and injects into whatever process makes them. A power cut
//! takes an agent as a whole, at one of the moments that its threads and processes pass one after the other; a full disk fails
//! calls on the disk and never those on a socket; and a clock is wrong for the whole program. So this one counts over all
//! threads and processes of the agent, only calls that matter, lets scripts and workloads alone, and can do all three.

use std::{path::PathBuf, process::Command};

use serde::{Deserialize, Serialize};

/// The tracer ends with this when it has killed the program.
pub const KILLED_CODE: i32 = 137;

/// What to do with the program.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Orders {
    /// Calls on files count when they are below this folder.
    pub folder: PathBuf,
    /// Gets a line for each call that counts, or for what was done.
    pub report: PathBuf,
    /// What is done when.
    pub act: Act,
    /// A file with the number of seconds by which the program's clock is wrong; right while there is none.
    pub clock: Option<PathBuf>,
}

/// What is done when. Ordinals count from 1.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub enum Act {
    /// Nothing.
    Nothing,
    /// Every call that writes is reported.
    ListWrites,
    /// Every call that a fault could hit is reported.
    ListFor(Fault),
    /// The program, all processes of it, is killed right before it makes a call that writes.
    KillBefore(u32),
    /// A call fails.
    Fail {
        /// How.
        fault: Fault,
        /// Which call.
        ordinal: u32,
        /// All that follow fail, too, until this file exists; only the one does when absent.
        until: Option<PathBuf>,
    },
}

/// How a call on the folder fails.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Fault {
    /// ENOSPC: the disk is full.
    NoSpace,
    /// EIO: the disk is broken.
    InputOutput,
    /// EROFS: the file system was made read-only.
    ReadOnly,
    /// EMFILE: the program has too many files open.
    TooManyFiles,
    /// Half of the bytes are written.
    ShortWrite,
}

impl Fault {
    /// All of them.
    pub const ALL: [Self; 5] =
        [Self::NoSpace, Self::InputOutput, Self::ReadOnly, Self::TooManyFiles, Self::ShortWrite];

    /// Its name on command lines and in tables.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::NoSpace => "ENOSPC",
            Self::InputOutput => "EIO",
            Self::ReadOnly => "EROFS",
            Self::TooManyFiles => "EMFILE",
            Self::ShortWrite => "short-write",
        }
    }
}

impl Orders {
    /// A command that runs `kernex-tracer` (`tracer` is its path); the program and its arguments are to be added.
    pub fn command(&self, tracer: &std::path::Path) -> Command {
        let mut command = Command::new(tracer);
        command.arg(serde_json::to_string(self).unwrap_or_default());
        command
    }
}

impl std::str::FromStr for Fault {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        let known = Self::ALL.into_iter().find(|fault| fault.as_str().eq_ignore_ascii_case(text));
        known.ok_or_else(|| format!("there is no fault `{text}`"))
    }
}
