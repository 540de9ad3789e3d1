//! The record of a trial: on the disk before the new agent starts, so that a power cut cannot forget it.

use std::io;

use kernex_core::{DeploymentId, FailureCode};
use serde::{Deserialize, Serialize};

use crate::{
    disk,
    paths::DataDir,
    state::{Failure, StateFile},
};

/// Larger than any record.
const MAX_BYTES: u64 = 64 * 1024;

/// A new agent that has to prove itself.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Trial {
    /// The deployment that brought it.
    pub deployment_id: DeploymentId,
    /// Its release's folder.
    pub release: String,
    /// The agent before: its release's folder; absent when that is the installed program.
    pub previous: Option<String>,
    /// Seconds that each start may take until the first answered heartbeat.
    pub deadline_secs: u64,
    /// How often it was started.
    pub starts: u32,
    /// What came of it.
    pub verdict: Verdict,
}

/// What came of a trial.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// Nothing yet.
    Pending,
    /// A heartbeat was answered.
    Confirmed,
    /// The agent before has to come back.
    Failed(Failure),
}

impl Trial {
    /// The record, if there is one that can be read.
    pub fn load(data: &DataDir) -> Option<Self> {
        let bytes = disk::read_limited(&data.agent_trial(), MAX_BYTES).ok()?;
        serde_json::from_slice(&bytes).ok()
    }

    /// Writes the record; when this returns it survives a power cut.
    pub fn save(&self, data: &DataDir) -> io::Result<()> {
        disk::write_atomic(&data.agent_trial(), &serde_json::to_vec_pretty(self)?)
    }

    /// The new agent has proven itself.
    pub fn confirm(mut self, data: &DataDir, base_version: &str) -> io::Result<()> {
        disk::write_atomic(&data.agent_base_version(), base_version.as_bytes())?;
        self.verdict = Verdict::Confirmed;
        self.save(data)
    }

    /// The agent before has to come back; the first reason stands.
    pub fn fail(&mut self, data: &DataDir, code: FailureCode, message: String) -> io::Result<()> {
        if self.verdict == Verdict::Pending {
            self.verdict = Verdict::Failed(Failure::new(code, message));
            self.save(data)?;
        }
        Ok(())
    }

    /// Forgets the trial.
    pub fn remove(data: &DataDir) -> io::Result<()> {
        disk::remove_file_if_there(&data.agent_trial())?;
        // Nothing is lost when this stays behind; it is only read when a newer agent's state cannot be.
        StateFile::new(data.state()).forget_copy()
    }
}
