//! A small disk of one's own.

use std::{
    path::{Path, PathBuf},
    process::Command,
    time::Duration,
};

use kernex_testkit::wait_for;

/// For programs that are on their way out.
const DEADLINE: Duration = Duration::from_secs(60);

/// A file system in memory, unmounted with this value.
pub(crate) struct SmallDisk(pub(crate) PathBuf);

impl SmallDisk {
    /// Nothing when this user may not mount.
    pub(crate) fn mount(at: &Path, mebibytes: usize) -> Option<Self> {
        let size = format!("size={mebibytes}m,mode=755");
        let mounted =
            Command::new("mount").args(["-t", "tmpfs", "-o", &size, "kernex-test"]).arg(at).output();
        mounted.is_ok_and(|output| output.status.success()).then(|| Self(at.to_owned()))
    }

    /// Makes it read-only (`ro`), or writable again (`rw`), as soon as nobody has a file open to write.
    pub(crate) async fn remount(&self, mode: &str) {
        let options = format!("remount,{mode}");
        wait_for(&format!("the disk to be {mode}"), DEADLINE, async || {
            let mounted = Command::new("mount").args(["-o", &options]).arg(&self.0).output().unwrap();
            mounted.status.success().then_some(())
        })
        .await;
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        // Lazily: a program may not have ended yet when a test fails.
        let _ = Command::new("umount").arg("--lazy").arg(&self.0).status();
    }
}
