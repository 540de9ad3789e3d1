//! How much of the machine a process and its descendants may use.

use kernex_bundle::Manifest;
use nix::sys::resource::{RLIM_INFINITY, Resource, getrlimit, setrlimit};
use serde::{Deserialize, Serialize};

/// Processes and threads of a bundle that says nothing: far more than a service needs, far fewer than a fork bomb makes.
const DEFAULT_PROCESSES: u32 = 512;
/// Open files of a bundle that says nothing; the usual limit of 1,024 is small for a server, and no limit is none.
const DEFAULT_OPEN_FILES: u32 = 4_096;
const BYTES_PER_MIB: u64 = 1024 * 1024;

/// Limits; what is absent is not limited.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Limits {
    /// Memory, MiB.
    pub memory_mb: Option<u32>,
    /// Share of one processor, percent; 200 are two processors.
    pub cpu_pct: Option<u32>,
    /// Processes and threads.
    pub processes: u32,
    /// Open files of each process.
    pub open_files: u32,
    /// Size of each file that is written, MiB.
    pub file_size_mb: Option<u32>,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            memory_mb: None,
            cpu_pct: None,
            processes: DEFAULT_PROCESSES,
            open_files: DEFAULT_OPEN_FILES,
            file_size_mb: None,
        }
    }
}

/// Which limits a control group takes care of already.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Grouped {
    /// Memory.
    pub memory: bool,
    /// Number of processes.
    pub processes: bool,
    /// Processor time.
    pub cpu: bool,
}

impl Limits {
    /// What a manifest says, and defaults.
    pub fn of(manifest: &Manifest) -> Self {
        let given = &manifest.limits;
        Self {
            memory_mb: given.memory_mb,
            cpu_pct: given.cpu_pct,
            processes: given.processes.unwrap_or(DEFAULT_PROCESSES),
            open_files: given.open_files.unwrap_or(DEFAULT_OPEN_FILES),
            file_size_mb: given.file_size_mb,
        }
    }

    /// The memory in bytes.
    pub(super) fn memory_bytes(&self) -> Option<u64> {
        self.memory_mb.map(|mb| u64::from(mb) * BYTES_PER_MIB)
    }

    /// Puts limits on this process; those of a group are left to it.
    ///
    /// Without a group, memory is limited per process and by what it writes to (`RLIMIT_DATA`): an address space would
    /// count a mapped model, too. Processes are limited only for a user of their own, because the kernel counts a user's.
    pub(super) fn apply(&self, grouped: Grouped, has_own_user: bool) -> nix::Result<()> {
        lower(Resource::RLIMIT_CORE, 0)?;
        lower(Resource::RLIMIT_NOFILE, u64::from(self.open_files))?;
        if let Some(mb) = self.file_size_mb {
            lower(Resource::RLIMIT_FSIZE, u64::from(mb) * BYTES_PER_MIB)?;
        }
        if let Some(bytes) = self.memory_bytes().filter(|_| !grouped.memory) {
            lower(Resource::RLIMIT_DATA, bytes)?;
        }
        if has_own_user && !grouped.processes {
            lower(Resource::RLIMIT_NPROC, u64::from(self.processes))?;
        }
        Ok(())
    }
}

/// Sets a limit, but never above the one that holds already.
fn lower(resource: Resource, value: u64) -> nix::Result<()> {
    let (_, hard) = getrlimit(resource)?;
    let value = if hard == RLIM_INFINITY { value } else { value.min(hard) };
    setrlimit(resource, value, value)
}
