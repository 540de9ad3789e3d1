//! A log file with a limit: when it is full it becomes `NAME.1`, and that one goes away.

use std::{
    fs::{self, File, OpenOptions},
    io::{self, Write as _},
    os::unix::fs::OpenOptionsExt as _,
    path::PathBuf,
};

/// A workload's log and the one before it take at most twice this.
const MAX_BYTES: u64 = 5 * 1024 * 1024;

/// Where a workload's output goes.
pub(super) struct LogFile {
    path: PathBuf,
    open: Option<(File, u64)>,
    max_bytes: u64,
    failed: bool,
}

impl LogFile {
    pub(super) fn new(path: PathBuf) -> Self {
        Self { path, open: None, max_bytes: MAX_BYTES, failed: false }
    }

    /// Adds bytes. A log that cannot be written never stops a workload; the first failure is logged.
    pub(super) fn write(&mut self, bytes: &[u8]) {
        if let Err(error) = self.try_write(bytes) {
            self.open = None;
            if !std::mem::replace(&mut self.failed, true) {
                tracing::warn!(path = %self.path.display(), %error, "the workload's log cannot be written");
            }
        }
    }

    fn try_write(&mut self, bytes: &[u8]) -> io::Result<()> {
        let (mut file, mut size) = match self.open.take() {
            Some(open) => open,
            None => {
                let file = OpenOptions::new().create(true).append(true).mode(0o600).open(&self.path)?;
                let size = file.metadata()?.len();
                (file, size)
            }
        };
        file.write_all(bytes)?;
        size += bytes.len() as u64;
        if size >= self.max_bytes {
            fs::rename(&self.path, self.path.with_extension("log.1"))?;
        } else {
            self.open = Some((file, size));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_full_log_is_rotated_once_and_goes_on() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a.b.log");
        let mut log = LogFile { max_bytes: 10, ..LogFile::new(path.clone()) };
        for text in ["12345", "67890", "abc", "defghijk", "z"] {
            log.write(text.as_bytes());
        }
        assert_eq!(fs::read_to_string(&path).unwrap(), "z");
        assert_eq!(fs::read_to_string(dir.path().join("a.b.log.1")).unwrap(), "abcdefghijk");
    }
}
