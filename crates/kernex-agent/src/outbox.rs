//! Results that the control plane has not acknowledged: a file each, written before anything is sent, sent in order.

use std::{fs, io, path::PathBuf};

use crate::{Error, disk, paths::DataDir, state::Report};

/// Largest report: its message is cut to a few KiB.
const MAX_REPORT_BYTES: u64 = 256 * 1024;

/// `outbox/results/`.
#[derive(Clone, Debug)]
pub struct Outbox {
    dir: PathBuf,
}

impl Outbox {
    /// The outbox of a data folder.
    pub fn new(data: &DataDir) -> Self {
        Self { dir: data.results() }
    }

    /// Puts a report in; does nothing when the same one is there.
    pub fn write(&self, report: &Report) -> Result<(), Error> {
        let path = self.path(report.seq);
        let failed = |source| Error::File { action: "write", path: path.clone(), source };
        let bytes = serde_json::to_vec_pretty(report).map_err(|error| failed(error.into()))?;
        if fs::read(&path).is_ok_and(|present| present == bytes) {
            return Ok(());
        }
        disk::write_atomic(&path, &bytes).map_err(failed)
    }

    /// Takes a report out.
    pub fn delete(&self, seq: u64) -> Result<(), Error> {
        let path = self.path(seq);
        disk::remove_file_if_there(&path).map_err(Error::file("remove", path))
    }

    /// The reports that wait, oldest first. A file that is no report is skipped with a line in the log.
    pub fn list(&self) -> Vec<Report> {
        let Ok(entries) = fs::read_dir(&self.dir) else { return Vec::new() };
        let mut reports: Vec<Report> = entries.filter_map(|entry| Self::read(entry.ok()?.path())).collect();
        reports.sort_by_key(|report| report.seq);
        reports
    }

    /// How many wait.
    pub fn len(&self) -> usize {
        self.list().len()
    }

    /// Whether none waits.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    fn read(path: PathBuf) -> Option<Report> {
        if path.extension()? != "json" {
            return None;
        }
        let report = disk::read_limited(&path, MAX_REPORT_BYTES)
            .and_then(|bytes| serde_json::from_slice(&bytes).map_err(io::Error::from));
        report
            .inspect_err(
                |error| tracing::warn!(path = %path.display(), %error, "a file of the outbox is no report"),
            )
            .ok()
    }

    fn path(&self, seq: u64) -> PathBuf {
        self.dir.join(format!("{seq:020}.json"))
    }
}

#[cfg(test)]
mod tests {
    use kernex_core::{DeploymentId, ResultStatus, Timestamp};

    use super::*;

    fn report(seq: u64) -> Report {
        Report {
            seq,
            deployment_id: DeploymentId::generate(Timestamp::from_millis(1)),
            attempt: 1,
            status: ResultStatus::Success,
            failure: None,
            duration_secs: 1.5,
        }
    }

    #[test]
    fn reports_come_back_in_order_until_they_are_deleted() {
        let dir = tempfile::tempdir().unwrap();
        let data = DataDir::new(dir.path());
        data.create().unwrap();
        let outbox = Outbox::new(&data);
        for seq in [10, 9, 100] {
            outbox.write(&report(seq)).unwrap();
        }
        fs::write(data.results().join("00000000000000000001.json"), "{").unwrap();
        let order = |outbox: &Outbox| outbox.list().iter().map(|report| report.seq).collect::<Vec<_>>();
        assert_eq!(order(&outbox), [9, 10, 100]);
        outbox.delete(9).unwrap();
        outbox.delete(9).unwrap();
        assert_eq!(order(&outbox), [10, 100]);
    }
}
