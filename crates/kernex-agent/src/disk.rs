//! Bytes on disk: temporary name, fsync, rename, fsync the folder.

use std::{
    fs::{self, DirBuilder, File, OpenOptions, Permissions},
    io::{self, Read as _, Write as _},
    os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _, PermissionsExt as _, symlink},
    path::{Path, PathBuf},
    time::{Duration, UNIX_EPOCH},
};

use kernex_core::Timestamp;

/// Replaces a file as a whole: after a power cut there is the old content or the new one. Mode 0600.
pub fn write_atomic(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let temporary = temporary(path);
    let written = write_synced(&temporary, bytes).and_then(|()| fs::rename(&temporary, path));
    if written.is_err() {
        // What is half written helps nobody, least of all on a full disk.
        let _ = fs::remove_file(&temporary);
    }
    written?;
    sync_parent(path)
}

/// Writes a file for its owner's eyes only and waits until it is on the disk.
pub fn write_synced(path: &Path, bytes: &[u8]) -> io::Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)?;
    file.write_all(bytes)?;
    file.sync_all()
}

/// Creates a file that must not exist yet, as a whole or not at all. Mode 0600 under any umask.
pub fn create_atomic(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let temporary = temporary(path);
    write_synced(&temporary, bytes)?;
    fs::set_permissions(&temporary, Permissions::from_mode(0o600))?;
    let linked = fs::hard_link(&temporary, path);
    fs::remove_file(&temporary)?;
    linked?;
    sync_parent(path)
}

/// Waits until a folder's entries are on the disk.
pub fn sync_dir(path: &Path) -> io::Result<()> {
    File::open(path)?.sync_all()
}

/// Waits until the entry of a path is on the disk.
pub fn sync_parent(path: &Path) -> io::Result<()> {
    path.parent().map_or(Ok(()), sync_dir)
}

/// Makes a folder with exactly this mode; one that is there keeps its mode unless it is open to more.
pub fn make_dir(path: &Path, mode: u32) -> io::Result<()> {
    // A disk that is full, or cannot be written, says so before it looks whether the folder is there.
    if path.is_dir() {
        return close(path, mode);
    }
    if let Some(parent) = path.parent().filter(|parent| !parent.as_os_str().is_empty() && !parent.exists()) {
        make_dir(parent, 0o755)?;
    }
    match DirBuilder::new().mode(mode).create(path) {
        Ok(()) => fs::set_permissions(path, Permissions::from_mode(mode)),
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
            Err(io::Error::new(io::ErrorKind::NotADirectory, "it is not a folder"))
        }
        Err(error) => Err(error),
    }
}

/// Takes a folder's rights away from others, if they are to have none.
fn close(path: &Path, mode: u32) -> io::Result<()> {
    let present = fs::metadata(path)?.permissions().mode() & 0o777;
    if mode == 0o700 && present & 0o077 != 0 {
        return fs::set_permissions(path, Permissions::from_mode(present & 0o700));
    }
    Ok(())
}

/// Opens a file to be locked, making it if it is missing. One that cannot be written can still be locked: what is installed
/// goes on running on a disk that has become read-only.
pub fn open_to_lock(path: &Path) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.create(true).truncate(false).write(true).mode(0o600);
    options.open(path).or_else(|error| File::open(path).map_err(|_| error))
}

/// Reads a file of at most `limit` bytes.
pub fn read_limited(path: &Path, limit: u64) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    File::open(path)?.take(limit + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > limit {
        return Err(io::Error::new(io::ErrorKind::FileTooLarge, "it is larger than expected"));
    }
    Ok(bytes)
}

/// Gives a file this time, making it if it is missing. Forces nothing to the disk: for what is only looked at.
pub fn touch(path: &Path, at: Timestamp) -> io::Result<()> {
    let file = OpenOptions::new().create(true).truncate(false).write(true).mode(0o600).open(path)?;
    let since_epoch = Duration::from_millis(u64::try_from(at.as_millis()).unwrap_or(0));
    file.set_modified(UNIX_EPOCH + since_epoch)
}

/// The time that a file was given.
pub fn touched_at(path: &Path) -> Option<Timestamp> {
    let since_epoch = fs::metadata(path).ok()?.modified().ok()?.duration_since(UNIX_EPOCH).ok()?;
    Some(Timestamp::from_millis(i64::try_from(since_epoch.as_millis()).ok()?))
}

/// Points a link at a target, atomically; nothing happens when it points there already.
pub fn switch_link(link: &Path, target: &Path) -> io::Result<()> {
    if fs::read_link(link).is_ok_and(|present| present == target) {
        return Ok(());
    }
    let temporary = temporary(link);
    remove_file_if_there(&temporary)?;
    symlink(target, &temporary)?;
    fs::rename(&temporary, link)?;
    sync_parent(link)
}

/// Removes a file or link, if it is there.
pub fn remove_file_if_there(path: &Path) -> io::Result<()> {
    match fs::remove_file(path) {
        // A read-only disk says so before it looks whether the file is there.
        Err(error) if error.kind() != io::ErrorKind::NotFound && is_there(path) => Err(error),
        _ => Ok(()),
    }
}

fn is_there(path: &Path) -> bool {
    !matches!(fs::symlink_metadata(path), Err(error) if error.kind() == io::ErrorKind::NotFound)
}

/// Removes a folder with everything in it, read-only or not, if it is there. Follows no links.
pub fn remove_tree(path: &Path) -> io::Result<()> {
    match fs::symlink_metadata(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(error),
        Ok(_) => {}
    }
    for_each_dir(path, &mut |dir| fs::set_permissions(dir, Permissions::from_mode(0o700)))?;
    fs::remove_dir_all(path)
}

/// Takes the right to write away from everything below a folder, but not from the folder itself.
pub fn make_content_read_only(path: &Path) -> io::Result<()> {
    for entry in fs::read_dir(path)? {
        let entry = entry?;
        let kind = entry.file_type()?;
        if kind.is_dir() {
            make_content_read_only(&entry.path())?;
        }
        if kind.is_dir() || kind.is_file() {
            make_read_only(&entry.path())?;
        }
    }
    Ok(())
}

/// Takes the right to write away from a file or folder.
pub fn make_read_only(path: &Path) -> io::Result<()> {
    let mode = fs::metadata(path)?.permissions().mode() & 0o555;
    fs::set_permissions(path, Permissions::from_mode(mode))
}

/// Space of a file system.
#[derive(Clone, Copy, Debug)]
pub struct Space {
    /// Bytes that this process may still write.
    pub free_bytes: u64,
    /// Bytes in all.
    pub total_bytes: u64,
}

/// The space of the file system that a path is on.
pub fn space(path: &Path) -> io::Result<Space> {
    let stat = rustix::fs::statvfs(path)?;
    let bytes = |blocks: u64| blocks.saturating_mul(stat.f_frsize);
    Ok(Space { free_bytes: bytes(stat.f_bavail), total_bytes: bytes(stat.f_blocks) })
}

/// Takes up space with a file of this size, unless it is there.
pub fn take_space(path: &Path, bytes: u64) -> io::Result<()> {
    let file = OpenOptions::new().create(true).truncate(false).write(true).mode(0o600).open(path)?;
    if file.metadata()?.len() < bytes {
        rustix::fs::fallocate(&file, rustix::fs::FallocateFlags::empty(), 0, bytes)?;
    }
    Ok(())
}

/// Whether an error means that there is no space.
pub fn is_disk_full(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded)
}

fn temporary(path: &Path) -> PathBuf {
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push(".tmp");
    path.with_file_name(name)
}

fn for_each_dir(path: &Path, act: &mut dyn FnMut(&Path) -> io::Result<()>) -> io::Result<()> {
    act(path)?;
    for entry in fs::read_dir(path)? {
        let entry = entry?;
        if entry.file_type()?.is_dir() {
            for_each_dir(&entry.path(), act)?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_replaced_as_a_whole_and_a_created_one_is_never_overwritten() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a");
        write_atomic(&path, b"one").unwrap();
        write_atomic(&path, b"two").unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"two");
        assert_eq!(create_atomic(&path, b"three").unwrap_err().kind(), io::ErrorKind::AlreadyExists);
        assert_eq!(fs::read(&path).unwrap(), b"two");
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1, "no temporary file stays");
    }

    #[test]
    fn a_link_is_switched_and_a_read_only_tree_is_removed() {
        let dir = tempfile::tempdir().unwrap();
        let release = dir.path().join("releases/1");
        fs::create_dir_all(release.join("sub")).unwrap();
        fs::write(release.join("sub/file"), "x").unwrap();
        let link = dir.path().join("current");
        switch_link(&link, Path::new("releases/0")).unwrap();
        switch_link(&link, Path::new("releases/1")).unwrap();
        assert!(link.join("sub/file").exists());
        make_content_read_only(&release).unwrap();
        make_read_only(&release).unwrap();
        assert_eq!(fs::metadata(release.join("sub")).unwrap().permissions().mode() & 0o222, 0);
        remove_tree(&release).unwrap();
        remove_tree(&release).unwrap();
        assert!(!release.exists());
    }

    #[test]
    fn a_file_larger_than_expected_is_not_read() {
        let dir = tempfile::tempdir().unwrap();
        fs::write(dir.path().join("a"), "12345").unwrap();
        assert!(read_limited(&dir.path().join("a"), 4).is_err());
        assert_eq!(read_limited(&dir.path().join("a"), 5).unwrap(), b"12345");
    }
}
