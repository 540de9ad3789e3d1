//! What is made around a process tree and goes away with it: its control group and its temporary folder.

use std::{
    fs,
    io::{self, Write as _},
    os::unix::fs::lchown,
    path::PathBuf,
};

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
        if let Some(path) = &sandbox.temporary
            && let Err(error) = make_temporary(path, sandbox)
        {
            // On a disk that takes nothing any more, what is installed runs all the same. This goes where its output goes.
            let _ = writeln!(
                io::stderr(),
                "kernex-agent: there is no temporary folder {}: {error}",
                path.display()
            );
        }
        Ok(Self { group, temporary: sandbox.temporary.clone() })
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

fn make_temporary(path: &PathBuf, sandbox: &Sandbox) -> io::Result<()> {
    remove(path)?;
    fs::create_dir_all(path)?;
    match sandbox.user {
        Some(user) => lchown(path, Some(user.uid), Some(user.gid)),
        None => Ok(()),
    }
}

/// Follows no links.
fn remove(path: &PathBuf) -> io::Result<()> {
    match fs::remove_dir_all(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}
