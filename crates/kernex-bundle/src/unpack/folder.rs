//! A folder that is worked in through its descriptor: nothing is opened through a link, whatever else happens to the
//! file system meanwhile.

use std::{fs::File, io, os::fd::OwnedFd, path::Path};

use rustix::fs::{Mode, OFlags};

const FOLDER_FLAGS: OFlags =
    OFlags::RDONLY.union(OFlags::DIRECTORY).union(OFlags::NOFOLLOW).union(OFlags::CLOEXEC);

pub(super) struct Folder(OwnedFd);

impl Folder {
    /// Opens the destination itself, which the caller chose: links are followed on the way to it.
    pub(super) fn open(path: &Path) -> io::Result<Self> {
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
        Ok(Self(rustix::fs::open(path, flags, Mode::empty())?))
    }

    /// Opens a folder below this one; the empty path is this one.
    pub(super) fn open_below(&self, path: &str) -> io::Result<Self> {
        let path = if path.is_empty() { "." } else { path };
        Ok(Self(open_beneath(&self.0, path, FOLDER_FLAGS)?))
    }

    /// Opens a file below this folder for reading.
    pub(super) fn open_file(&self, path: &str) -> io::Result<File> {
        let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        Ok(File::from(open_beneath(&self.0, path, flags)?))
    }

    /// Makes a folder directly in this one, mode 0755 whatever the umask.
    pub(super) fn make_folder(&self, name: &str) -> io::Result<()> {
        rustix::fs::mkdirat(&self.0, name, Mode::from_raw_mode(0o755))?;
        let made = rustix::fs::openat(&self.0, name, FOLDER_FLAGS, Mode::empty())?;
        Ok(rustix::fs::fchmod(made, Mode::from_raw_mode(0o755))?)
    }

    /// Makes a file directly in this folder, mode 0755 or 0644 whatever the umask.
    pub(super) fn create_file(&self, name: &str, is_executable: bool) -> io::Result<File> {
        let mode = Mode::from_raw_mode(if is_executable { 0o755 } else { 0o644 });
        let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let file = rustix::fs::openat(&self.0, name, flags, mode)?;
        rustix::fs::fchmod(&file, mode)?;
        Ok(File::from(file))
    }

    /// Makes a symbolic link directly in this folder.
    pub(super) fn make_link(&self, name: &str, target: &str) -> io::Result<()> {
        Ok(rustix::fs::symlinkat(target, &self.0, name)?)
    }

    pub(super) fn sync(&self) -> io::Result<()> {
        Ok(rustix::fs::fsync(&self.0)?)
    }
}

#[cfg(target_os = "linux")]
fn open_beneath(folder: &OwnedFd, path: &str, flags: OFlags) -> rustix::io::Result<OwnedFd> {
    use rustix::{fs::ResolveFlags, io::Errno};

    let resolve = ResolveFlags::BENEATH | ResolveFlags::NO_SYMLINKS | ResolveFlags::NO_MAGICLINKS;
    match rustix::fs::openat2(folder, path, flags, Mode::empty(), resolve) {
        // Linux before 5.6 does not know the call, and some container filters answer it with EPERM.
        Err(Errno::NOSYS | Errno::PERM) => open_by_component(folder, path, flags),
        other => other,
    }
}

#[cfg(not(target_os = "linux"))]
fn open_beneath(folder: &OwnedFd, path: &str, flags: OFlags) -> rustix::io::Result<OwnedFd> {
    open_by_component(folder, path, flags)
}

/// The same, one component after the other. Paths come from `EntryPath` and hold no `..`.
fn open_by_component(folder: &OwnedFd, path: &str, flags: OFlags) -> rustix::io::Result<OwnedFd> {
    let Some((parents, name)) = path.rsplit_once('/') else {
        return rustix::fs::openat(folder, path, flags, Mode::empty());
    };
    let mut current: Option<OwnedFd> = None;
    for component in parents.split('/') {
        let next =
            rustix::fs::openat(current.as_ref().unwrap_or(folder), component, FOLDER_FLAGS, Mode::empty())?;
        current = Some(next);
    }
    rustix::fs::openat(current.as_ref().unwrap_or(folder), name, flags, Mode::empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Both ways to open, on a folder with a link in the middle and one at the end.
    fn check(open: fn(&OwnedFd, &str, OFlags) -> rustix::io::Result<OwnedFd>) {
        let outside = tempfile::tempdir().unwrap();
        let dest = tempfile::tempdir().unwrap();
        std::fs::create_dir_all(dest.path().join("a/b")).unwrap();
        std::fs::create_dir(outside.path().join("b")).unwrap();
        std::os::unix::fs::symlink(outside.path(), dest.path().join("link")).unwrap();
        std::os::unix::fs::symlink(outside.path(), dest.path().join("a/link")).unwrap();
        std::os::unix::fs::symlink("a", dest.path().join("inner")).unwrap();
        let folder = Folder::open(dest.path()).unwrap();
        for good in [".", "a", "a/b"] {
            assert!(open(&folder.0, good, FOLDER_FLAGS).is_ok(), "{good}");
        }
        for bad in ["link", "link/b", "a/link", "a/link/b", "inner", "inner/b", "missing"] {
            assert!(open(&folder.0, bad, FOLDER_FLAGS).is_err(), "{bad}");
        }
    }

    #[test]
    fn nothing_is_opened_through_a_link() {
        check(open_beneath);
    }

    #[test]
    fn nothing_is_opened_through_a_link_on_old_kernels() {
        check(open_by_component);
    }

    #[test]
    fn a_file_is_never_created_over_something() {
        let dest = tempfile::tempdir().unwrap();
        let target = dest.path().join("target");
        std::os::unix::fs::symlink(&target, dest.path().join("link")).unwrap();
        let folder = Folder::open(dest.path()).unwrap();
        assert!(folder.create_file("link", false).is_err());
        assert!(!target.exists());
        assert!(folder.create_file("file", false).is_ok());
        assert!(folder.create_file("file", false).is_err());
    }
}
