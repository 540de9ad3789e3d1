//! Control groups: limits for a whole tree of processes, and an end that nothing escapes.
//!
//! A group is made below the agent's own, in version 2 where that can do what is needed, and beside it in the older
//! hierarchies of version 1. Where no group can be made, limits hold per process and the end goes by who is whose parent.

mod find;

use std::{
    fs, io,
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};

use super::limits::{Grouped, Limits};
pub use find::{Hierarchies, delegate};

/// Period over which processor time is shared out; the kernel's default.
const CPU_PERIOD_MICROS: u64 = 100_000;
/// How long to wait for what is left of an earlier run, whose agent and runner were both killed.
const CLEAR_TIMEOUT: Duration = Duration::from_secs(10);
/// How often to look whether it is gone.
const LOOK_EVERY: Duration = Duration::from_millis(10);

/// The groups of one process tree, one in each hierarchy.
#[derive(Debug, Default)]
pub struct Group {
    folders: Vec<PathBuf>,
    /// What is limited.
    pub grouped: Grouped,
}

impl Group {
    /// Makes a group, empty, with its limits. What cannot be made is left out.
    pub fn create(hierarchies: &Hierarchies, name: &str, limits: &Limits) -> io::Result<Self> {
        let mut group = Self::default();
        for base in hierarchies.folders() {
            let folder = base.join(name);
            match fs::create_dir(&folder) {
                Err(error) if error.kind() != io::ErrorKind::AlreadyExists => continue,
                _ => group.folders.push(folder),
            }
        }
        group.clear()?;
        group.limit(limits);
        Ok(group)
    }

    /// What to write `0` to in order to join.
    pub fn entries(&self) -> Vec<PathBuf> {
        self.folders.iter().map(|folder| folder.join("cgroup.procs")).collect()
    }

    /// Kills everything in it; nothing in it can fork from here on, as far as the kernel can see to that.
    pub fn kill(&self) {
        for folder in &self.folders {
            let _ = fs::write(folder.join("pids.max"), "0");
        }
        for folder in &self.folders {
            if fs::write(folder.join("cgroup.kill"), "1").is_err() {
                members(folder).into_iter().for_each(|pid| {
                    // One that is gone already is what we want.
                    let _ = kill(pid, Signal::SIGKILL);
                });
            }
        }
    }

    /// Whether nothing is in it.
    pub fn is_empty(&self) -> bool {
        self.folders.iter().all(|folder| members(folder).is_empty())
    }

    /// Removes it; it must be empty.
    pub fn remove(&self) {
        for folder in &self.folders {
            // What stays is used again by the next run of the same name.
            let _ = fs::remove_dir(folder);
        }
    }

    /// Ends what an earlier run left.
    fn clear(&self) -> io::Result<()> {
        let deadline = Instant::now() + CLEAR_TIMEOUT;
        while !self.is_empty() {
            if Instant::now() >= deadline {
                return Err(io::Error::new(
                    io::ErrorKind::TimedOut,
                    "processes of an earlier run do not end",
                ));
            }
            self.kill();
            // Nothing tells when the last one of others' children has gone.
            std::thread::park_timeout(LOOK_EVERY);
        }
        Ok(())
    }

    fn limit(&mut self, limits: &Limits) {
        let memory = limits.memory_bytes().map_or_else(|| "max".to_owned(), |bytes| bytes.to_string());
        let old_memory = limits.memory_bytes().map_or_else(|| "-1".to_owned(), |bytes| bytes.to_string());
        let quota = limits.cpu_pct.map(|pct| u64::from(pct) * CPU_PERIOD_MICROS / 100);
        let cpu =
            quota.map_or_else(|| format!("max {CPU_PERIOD_MICROS}"), |q| format!("{q} {CPU_PERIOD_MICROS}"));
        let old_cpu = quota.map_or_else(|| "-1".to_owned(), |quota| quota.to_string());
        let set = |file: &str, value: &str| {
            let mut files = self.folders.iter().map(|folder| folder.join(file)).filter(|path| path.exists());
            files.any(|path| fs::write(path, value).is_ok())
        };
        self.grouped = Grouped {
            memory: set("memory.max", &memory) | set("memory.limit_in_bytes", &old_memory),
            processes: set("pids.max", &limits.processes.to_string()),
            cpu: set("cpu.max", &cpu) | set("cpu.cfs_quota_us", &old_cpu),
        };
    }
}

fn members(folder: &Path) -> Vec<Pid> {
    let text = fs::read_to_string(folder.join("cgroup.procs")).unwrap_or_default();
    text.lines().filter_map(|line| line.parse().ok().filter(|pid| *pid > 0).map(Pid::from_raw)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn limits_go_to_whatever_version_is_there() {
        let dir = tempfile::tempdir().unwrap();
        let (one, two) = (dir.path().join("one"), dir.path().join("two"));
        for (folder, files) in
            [(&one, ["memory.limit_in_bytes", "cpu.cfs_quota_us"]), (&two, ["pids.max", "x"])]
        {
            fs::create_dir(folder).unwrap();
            files.iter().for_each(|file| fs::write(folder.join(file), "").unwrap());
        }
        let mut group = Group { folders: vec![one.clone(), two.clone()], grouped: Grouped::default() };
        group.limit(&Limits { memory_mb: Some(2), cpu_pct: Some(150), processes: 7, ..Limits::default() });
        assert_eq!(group.grouped, Grouped { memory: true, processes: true, cpu: true });
        let read = |path: PathBuf| fs::read_to_string(path).unwrap();
        assert_eq!(read(one.join("memory.limit_in_bytes")), "2097152");
        assert_eq!(read(one.join("cpu.cfs_quota_us")), "150000");
        assert_eq!(read(two.join("pids.max")), "7");
        group.limit(&Limits::default());
        assert_eq!(read(one.join("memory.limit_in_bytes")), "-1");
    }
}
