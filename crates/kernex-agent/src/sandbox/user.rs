//! The user that scripts and workloads run as when the agent is root.

use std::{
    fs, io,
    os::unix::fs::{MetadataExt as _, lchown},
    path::Path,
};

use nix::unistd::{Gid, Uid, User, setgroups, setresgid, setresuid};
use serde::{Deserialize, Serialize};

/// The user that is looked for.
pub const USER_NAME: &str = "kernex";
/// Whom they run as when there is no such user: far above the numbers that distributions give to people and services, and
/// below `nobody` (65534).
pub const DEFAULT_UID: u32 = 64_123;

/// A user and its group.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ids {
    /// The user.
    pub uid: u32,
    /// The group.
    pub gid: u32,
}

impl Ids {
    /// Whom to run as: nobody else unless the agent is root.
    pub fn find(uid: Option<u32>) -> Option<Self> {
        if !rustix::process::geteuid().is_root() {
            return None;
        }
        if let Some(uid) = uid {
            return Some(Self { uid, gid: uid });
        }
        let named = User::from_name(USER_NAME).ok().flatten().filter(|user| !user.uid.is_root());
        Some(match named {
            Some(user) => Self { uid: user.uid.as_raw(), gid: user.gid.as_raw() },
            None => Self { uid: DEFAULT_UID, gid: DEFAULT_UID },
        })
    }

    /// Becomes this user for good; supplementary groups are given up, too.
    pub(super) fn become_them(self) -> nix::Result<()> {
        let (uid, gid) = (Uid::from_raw(self.uid), Gid::from_raw(self.gid));
        setgroups(&[])?;
        setresgid(gid, gid, gid)?;
        setresuid(uid, uid, uid)
    }

    /// Gives a folder and everything in it to this user, unless the folder is theirs already.
    ///
    /// Links are not followed, and files with more than one name are left alone: what is below may have been made by
    /// somebody who wants another file's owner changed.
    pub fn own_tree(self, path: &Path) -> io::Result<()> {
        if fs::symlink_metadata(path)?.uid() == self.uid {
            return Ok(());
        }
        self.own_below(path)?;
        lchown(path, Some(self.uid), Some(self.gid))
    }

    fn own_below(self, path: &Path) -> io::Result<()> {
        for entry in fs::read_dir(path)? {
            let entry = entry?;
            let metadata = entry.metadata()?;
            if metadata.is_dir() {
                self.own_below(&entry.path())?;
            }
            if metadata.is_dir() || metadata.nlink() == 1 {
                lchown(entry.path(), Some(self.uid), Some(self.gid))?;
            }
        }
        Ok(())
    }

    /// Whether this user may enter a folder.
    pub(super) fn may_enter(self, path: &Path) -> io::Result<bool> {
        let metadata = fs::metadata(path)?;
        let bit = match (metadata.uid() == self.uid, metadata.gid() == self.gid) {
            (true, _) => 0o100,
            (false, true) => 0o010,
            (false, false) => 0o001,
        };
        Ok(metadata.mode() & bit != 0)
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::{PermissionsExt as _, symlink};

    use super::*;

    #[test]
    fn a_tree_changes_its_owner_but_nothing_outside_does() {
        if !rustix::process::geteuid().is_root() {
            return;
        }
        let dir = tempfile::tempdir().unwrap();
        let (tree, outside) = (dir.path().join("data"), dir.path().join("shadow"));
        fs::create_dir_all(tree.join("sub")).unwrap();
        for path in [outside.clone(), tree.join("sub/own")] {
            fs::write(path, "x").unwrap();
        }
        fs::hard_link(&outside, tree.join("hard")).unwrap();
        symlink(&outside, tree.join("soft")).unwrap();
        Ids { uid: 4_711, gid: 4_712 }.own_tree(&tree).unwrap();
        let owner = |path: &Path| fs::symlink_metadata(path).unwrap().uid();
        assert_eq!(owner(&tree), 4_711);
        assert_eq!(owner(&tree.join("sub/own")), 4_711);
        assert_eq!(owner(&tree.join("soft")), 4_711, "the link itself");
        assert_eq!(owner(&outside), 0);
    }

    #[test]
    fn who_may_enter_goes_by_owner_group_and_others_in_this_order() {
        let dir = tempfile::tempdir().unwrap();
        let metadata = fs::metadata(dir.path()).unwrap();
        let may = |mode: u32, ids: Ids| {
            fs::set_permissions(dir.path(), fs::Permissions::from_mode(mode)).unwrap();
            ids.may_enter(dir.path()).unwrap()
        };
        let owner = Ids { uid: metadata.uid(), gid: 1 };
        let stranger = Ids { uid: 4_711, gid: 4_712 };
        assert!(may(0o700, owner) && !may(0o700, stranger));
        assert!(may(0o711, stranger) && !may(0o611, owner));
    }
}
