//! Folders of clusters: their names say who owns them, so that those of owners who died at once with their supervisor (a power
//! cut, `kill -9` for both) are found.

use std::{
    fs,
    io::ErrorKind,
    os::unix::fs::DirBuilderExt as _,
    path::{Path, PathBuf},
};

use crate::{Error, account::Account};

const PREFIX: &str = "kernex-testpg-";
/// More clusters than this in one process are a mistake.
const MAX_FOLDERS: u32 = 100;

/// Where the folders are. Root's own temporary folder may be closed to the account that runs PostgreSQL.
pub(crate) fn parent(account: Option<Account>) -> PathBuf {
    if account.is_some() { PathBuf::from("/tmp") } else { std::env::temp_dir() }
}

/// Makes an empty folder that belongs to the account, and that nobody else may look into.
pub(crate) fn make_folder(account: Option<Account>) -> Result<PathBuf, Error> {
    let parent = parent(account);
    for number in 0..MAX_FOLDERS {
        let folder = parent.join(format!("{PREFIX}{}-{number}", std::process::id()));
        match fs::DirBuilder::new().mode(0o700).create(&folder) {
            Ok(()) => {
                if let Some(account) = account {
                    let change = std::os::unix::fs::chown(&folder, Some(account.uid), Some(account.gid));
                    change.map_err(Error::system("give the folder to the account of PostgreSQL"))?;
                }
                return Ok(folder);
            }
            Err(error) if error.kind() == ErrorKind::AlreadyExists => {}
            Err(error) => return Err(Error::system("make a temporary folder")(error)),
        }
    }
    Err(Error::system("make a temporary folder")(ErrorKind::AlreadyExists.into()))
}

/// Removes folders whose owner and whose PostgreSQL are dead.
pub(crate) fn sweep(parent: &Path) {
    for entry in fs::read_dir(parent).into_iter().flatten().flatten() {
        let name = entry.file_name().to_string_lossy().into_owned();
        let owner = name.strip_prefix(PREFIX).and_then(|rest| rest.split('-').next()?.parse().ok());
        let postmaster = || fs::read_to_string(entry.path().join("data/postmaster.pid")).ok();
        let postmaster = || postmaster()?.lines().next()?.trim().parse().ok();
        if owner.is_some_and(|owner| !is_alive(owner)) && !postmaster().is_some_and(is_alive) {
            // Another user's leftovers stay theirs.
            let _ = fs::remove_dir_all(entry.path());
        }
    }
}

fn is_alive(pid: i32) -> bool {
    let Some(pid) = rustix::process::Pid::from_raw(pid) else { return false };
    !matches!(rustix::process::test_kill_process(pid), Err(rustix::io::Errno::SRCH))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_folders_of_dead_owners_are_swept() {
        let parent = std::env::temp_dir().join(format!("kernex-sweep-{}", std::process::id()));
        let mine = parent.join(format!("{PREFIX}{}-0", std::process::id()));
        let dead = parent.join(format!("{PREFIX}{}-0", i32::MAX));
        let foreign = parent.join("something-else");
        for folder in [&mine, &dead, &foreign] {
            fs::create_dir_all(folder).unwrap();
        }
        sweep(&parent);
        assert_eq!([mine.exists(), dead.exists(), foreign.exists()], [true, false, true]);
        fs::remove_dir_all(parent).unwrap();
    }
}
