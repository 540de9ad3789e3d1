//! From what the agent knows to a sandbox for one process.

use std::path::{Path, PathBuf};

use kernex_bundle::Digest;
use kernex_core::BundleName;

use super::{Ids, Limits, Sandbox, report::Report};
use crate::{disk, paths::DataDir, process::RunnerProgram};

/// Digits that tell one agent's control groups from another's on the same machine.
const GROUP_DIGITS: usize = 8;

/// What is the same for all sandboxes of this agent.
#[derive(Clone, Debug, Default)]
pub struct Policy {
    /// Whom scripts and workloads run as.
    pub user: Option<Ids>,
    hidden: Vec<PathBuf>,
    /// What the kernel gives of it.
    pub report: Report,
}

/// What a sandbox is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A deploy or rollback script.
    Script,
    /// What keeps running.
    Workload,
    /// The command of a health check, beside the workload.
    Health,
}

impl Kind {
    const fn name(self) -> &'static str {
        match self {
            Self::Script => "script",
            Self::Workload => "workload",
            Self::Health => "health",
        }
    }
}

impl Policy {
    /// Finds out whom to run as, hides the data folder and the files given, and tries whether that holds.
    pub async fn new(uid: Option<u32>, data: &DataDir, files: &[&Path], program: &RunnerProgram) -> Self {
        let hidden = std::iter::once(data.root()).chain(files.iter().copied());
        let hidden = hidden.map(|path| path.canonicalize().unwrap_or_else(|_| path.to_owned())).collect();
        let mut policy = Self { user: Ids::find(uid), hidden, report: Report::default() };
        policy.report = Report::find(&policy, data, files, program).await;
        policy.report.log();
        policy
    }

    /// The sandbox of a bundle's process.
    pub fn sandbox(
        &self,
        data: &DataDir,
        name: &BundleName,
        kind: Kind,
        release: &Path,
        limits: Limits,
    ) -> Sandbox {
        let slot = data.slot(name);
        let agent = Digest::of(data.root().as_os_str().as_encoded_bytes()).to_string();
        let agent: String = agent.chars().take(GROUP_DIGITS).collect();
        let suffix = if kind == Kind::Health { "-health" } else { "" };
        Sandbox {
            user: self.user,
            hidden: self.hidden.clone(),
            readable: vec![release.to_owned(), slot.join("run")],
            writable: vec![data.bundle_data(name)],
            temporary: Some(slot.join("tmp").join(kind.name())),
            limits,
            group: Some(format!("kernex-{agent}-{name}{suffix}")),
            slot: Some(slot),
        }
    }

    /// A sandbox in which there is nothing but the system.
    pub(super) fn empty(&self) -> Sandbox {
        Sandbox { user: self.user, hidden: self.hidden.clone(), ..Sandbox::default() }
    }

    /// Makes a bundle's data folder, for its user; and lets them on the way there through the agent's own folders.
    pub fn prepare(&self, data: &DataDir, name: &BundleName) -> std::io::Result<()> {
        let (slot, folder) = (data.slot(name), data.bundle_data(name));
        disk::make_dir(&folder, 0o755)?;
        for own in [slot.join("tmp"), slot.join("run")] {
            disk::make_dir(&own, 0o755)?;
        }
        self.user.map_or(Ok(()), |user| user.own_tree(&folder))
    }
}
