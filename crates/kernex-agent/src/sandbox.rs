//! What scripts and workloads may do: another user, no new privileges, only their own folders, limited resources.
//!
//! A sandbox is described by the agent ([`Sandbox`]), and put on by the process that becomes the program, on itself,
//! before it does ([`enter`]). What the kernel lacks is left out and said ([`report`]); the one property that is always
//! tested is that the agent's keys and state cannot be read.

mod access;
pub mod cgroup;
pub mod enter;
mod limits;
mod mounts;
mod policy;
pub mod report;
pub mod user;

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

pub use limits::Limits;
pub use policy::{Kind, Policy};
pub use user::Ids;

/// Everything about the sandbox of one process.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sandbox {
    /// Whom it runs as; as the agent, if absent.
    pub user: Option<Ids>,
    /// The agent's data folder and whatever else it keeps to itself, an absolute path each.
    pub hidden: Vec<PathBuf>,
    /// The bundle's folder, the one part of the hidden data folder that stays in view.
    pub slot: Option<PathBuf>,
    /// What may be read and run, beside the system's folders.
    pub readable: Vec<PathBuf>,
    /// What may be written, too.
    pub writable: Vec<PathBuf>,
    /// A folder of its own for temporary files: made before it starts and removed when it has ended.
    pub temporary: Option<PathBuf>,
    /// How much it may use.
    pub limits: Limits,
    /// The name of its control group; no group, if absent.
    pub group: Option<String>,
}
