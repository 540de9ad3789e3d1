//! The agent replaces itself: a bundle named `kernex-agent` holds the next agent.
//!
//! The running agent stages and verifies it like any bundle, writes a record of the trial, switches `current` and hands
//! over. The launcher (`kernex-agent run` as the machine starts it) starts the new agent, counts its starts on the disk
//! and watches the time. The new agent confirms itself with its first answered heartbeat; when it does not, the launcher
//! returns to the agent before, which reports why. Nothing of this needs the new agent to work, or the power to stay on.

pub mod launcher;
mod running;
mod trial;

pub use running::Running;
pub use trial::{Trial, Verdict};

use std::path::PathBuf;

use kernex_core::BundleName;

use crate::paths::DataDir;

/// The name of the bundle, and of the program at its root.
pub const NAME: &str = "kernex-agent";

/// Whether a bundle is the agent itself.
pub fn is_agent(name: &BundleName) -> bool {
    name.as_str() == NAME
}

impl DataDir {
    /// Everything of the agent's own bundle.
    pub(crate) fn agent_slot(&self) -> PathBuf {
        self.root().join("bundles").join(NAME)
    }

    /// The program of one of the agent's own releases.
    pub(crate) fn agent_program(&self, folder: &str) -> PathBuf {
        self.agent_slot().join("releases").join(folder).join(NAME)
    }

    /// The record of a trial of a new agent.
    pub(crate) fn agent_trial(&self) -> PathBuf {
        self.agent_slot().join("trial.json")
    }

    /// The version of the installed program when a release was confirmed last.
    pub(crate) fn agent_base_version(&self) -> PathBuf {
        self.agent_slot().join("base-version")
    }
}
