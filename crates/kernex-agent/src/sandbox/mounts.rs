//! A view of the file system of its own, in which the agent's data folder is empty but for the bundle's folder.
//!
//! Only root can make one (`CAP_SYS_ADMIN`, which containers lack as a rule). It also lets the other user reach the
//! bundle's folder where a folder above is closed to it, `/root/kernex` for instance.

use std::{
    fs::{self, DirBuilder, File},
    io,
    os::{fd::AsRawFd as _, unix::fs::DirBuilderExt as _},
    path::{Path, PathBuf},
};

use nix::{
    mount::{MsFlags, mount},
    sched::{CloneFlags, unshare},
};

use super::{Ids, Sandbox};

/// Enough for the few folders that lead to the bundle's.
const SIZE: &str = "mode=0755,size=64k,nr_inodes=64";
const NOTHING: Option<&str> = None;

/// Hides the data folder. Gives how far: `private`, or `missing: …`.
pub(super) fn hide(sandbox: &Sandbox, user: Ids) -> io::Result<String> {
    let Some(root) = sandbox.hidden.first() else {
        return Ok("missing: there is nothing to hide".to_owned());
    };
    let closed = closed_above(root, user)?;
    match unshare(CloneFlags::CLONE_NEWNS) {
        Ok(()) => {
            cover(closed.as_deref().unwrap_or(root), sandbox.slot.as_deref()).map(|()| "private".to_owned())
        }
        Err(error) => match closed {
            None => Ok(format!("missing: {}", error.desc())),
            Some(folder) => Err(io::Error::other(format!(
                "user {} may not enter {}; choose another data folder, or let others enter (chmod o+x)",
                user.uid,
                folder.display()
            ))),
        },
    }
}

/// The first folder on the way that the user may not enter.
fn closed_above(root: &Path, user: Ids) -> io::Result<Option<PathBuf>> {
    let mut above: Vec<&Path> = root.ancestors().collect();
    above.reverse();
    for folder in above {
        if !user.may_enter(folder)? {
            return Ok(Some(folder.to_owned()));
        }
    }
    Ok(None)
}

/// Puts an empty folder over one, and the bundle's folder back in its place.
fn cover(folder: &Path, slot: Option<&Path>) -> io::Result<()> {
    // What is mounted from here on must not be seen by others; what others mount, a disk perhaps, may be seen here.
    mount(NOTHING, "/", NOTHING, MsFlags::MS_REC | MsFlags::MS_SLAVE, NOTHING)?;
    let open = slot.map(File::open).transpose()?;
    let flags = MsFlags::MS_NOSUID | MsFlags::MS_NODEV;
    mount(Some("tmpfs"), folder, Some("tmpfs"), flags, Some(SIZE))?;
    let (Some(open), Some(slot)) = (open, slot) else { return Ok(()) };
    DirBuilder::new().recursive(true).mode(0o755).create(slot)?;
    let source = format!("/proc/self/fd/{}", open.as_raw_fd());
    mount(Some(source.as_str()), slot, NOTHING, MsFlags::MS_BIND, NOTHING)?;
    fs::metadata(slot).map(drop)
}
