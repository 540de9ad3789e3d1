//! What is made around a process tree and goes away with it: its control group and its temporary folder.

use std::{fs, io, os::unix::fs::lchown, path::PathBuf};

use nix::sys::signal::Signal;

use super::tree;
use crate::sandbox::{
    Sandbox,
    cgroup::{Group, Hierarchies},
};

pub(super) struct Tree {
    pub(super) group: Group,
    temporary: Option<PathBuf>,
}

impl Tree {
    /// Clears away what an earlier run may have left, and makes both anew.
    pub(super) fn prepare(sandbox: &Sandbox) -> io::Result<Self> {
        let group = match &sandbox.group {
            Some(name) => Group::create(&Hierarchies::find(), name, &sandbox.limits)?,
            None => Group::default(),
        };
        let temporary = sandbox.temporary.clone();
        if let Some(path) = &temporary {
            remove(path)?;
            fs::create_dir_all(path)?;
            if let Some(user) = sandbox.user {
                lchown(path, Some(user.uid), Some(user.gid))?;
            }
        }
        Ok(Self { group, temporary })
    }

    /// Kills everything. First nothing may go on, so that nothing can be forked away from under it.
    pub(super) fn kill(&self) {
        tree::signal_all(Signal::SIGSTOP);
        self.group.kill();
        tree::signal_all(Signal::SIGKILL);
    }

    /// When everything has ended.
    pub(super) fn clean_up(&self) {
        self.group.remove();
        if let Some(path) = &self.temporary {
            // The next run removes what cannot be removed now.
            let _ = remove(path);
        }
    }
}

/// Follows no links.
fn remove(path: &PathBuf) -> io::Result<()> {
    match fs::remove_dir_all(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}
