//! Where things are in the data folder (protocol, section 5).

use std::path::{Path, PathBuf};

use kernex_core::{BundleName, DeploymentId};

use crate::{Error, disk, state::Release};

/// The data folder.
#[derive(Clone, Debug)]
pub struct DataDir {
    root: PathBuf,
}

impl DataDir {
    /// The data folder at a path; nothing is touched.
    pub fn new(root: impl Into<PathBuf>) -> Self {
        Self { root: root.into() }
    }

    /// Makes every folder that is missing, whatever the umask.
    pub fn create(&self) -> Result<(), Error> {
        let open = [self.root.clone(), self.root.join("bundles")];
        let closed = [
            self.root.join("keys"),
            self.root.join("outbox"),
            self.results(),
            self.staging(),
            self.quarantine(),
            self.logs(),
        ];
        for (paths, mode) in [(&open[..], 0o755), (&closed[..], 0o700)] {
            for path in paths {
                disk::make_dir(path, mode).map_err(Error::file("create", path))?;
            }
        }
        Ok(())
    }

    /// The folder itself.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// `config.json`.
    pub fn config(&self) -> PathBuf {
        self.root.join("config.json")
    }

    /// `keys/device.pem`.
    pub fn key(&self) -> PathBuf {
        self.root.join("keys/device.pem")
    }

    /// `state.json`.
    pub fn state(&self) -> PathBuf {
        self.root.join("state.json")
    }

    /// The lock that one agent holds.
    pub fn lock(&self) -> PathBuf {
        self.root.join("agent.lock")
    }

    /// An empty file; its time is when the control plane answered last.
    pub fn contact(&self) -> PathBuf {
        self.root.join("last-contact")
    }

    /// Space that is given up when the disk is full, so that the state can still be saved.
    pub fn ballast(&self) -> PathBuf {
        self.root.join("ballast")
    }

    /// Results not yet acknowledged.
    pub fn results(&self) -> PathBuf {
        self.root.join("outbox/results")
    }

    /// Lines of log not yet shipped when the agent stopped.
    pub fn pending_logs(&self) -> PathBuf {
        self.root.join("outbox/logs.json")
    }

    /// Downloads and half-unpacked bundles.
    pub fn staging(&self) -> PathBuf {
        self.root.join("staging")
    }

    /// The bytes of a bundle while they arrive.
    pub fn part(&self, deployment: DeploymentId) -> PathBuf {
        self.staging().join(format!("{deployment}.part"))
    }

    /// What is known of a partial download.
    pub fn part_info(&self, deployment: DeploymentId) -> PathBuf {
        self.staging().join(format!("{deployment}.part.json"))
    }

    /// Where a bundle is unpacked before it becomes a release.
    pub fn unpacking(&self, deployment: DeploymentId) -> PathBuf {
        self.staging().join(format!("{deployment}.unpacked"))
    }

    /// Files that could not be used.
    pub fn quarantine(&self) -> PathBuf {
        self.root.join("quarantine")
    }

    /// Output of workloads.
    pub fn logs(&self) -> PathBuf {
        self.root.join("logs")
    }

    /// Everything of one bundle name.
    pub fn slot(&self, name: &BundleName) -> PathBuf {
        self.root.join("bundles").join(name.as_str())
    }

    /// Kept across versions, given to scripts and workload.
    pub fn bundle_data(&self, name: &BundleName) -> PathBuf {
        self.slot(name).join("data")
    }

    /// How often the workload crashed since the switch to it.
    pub fn trial(&self, name: &BundleName) -> PathBuf {
        self.slot(name).join("trial.json")
    }

    /// Where the agent listens for a bundle's programs. Its folder is the agent's, so that nothing can take its place.
    pub fn local_socket(&self, name: &BundleName) -> PathBuf {
        self.slot(name).join("run/agent.sock")
    }

    /// The releases of a bundle name.
    pub fn releases(&self, name: &BundleName) -> PathBuf {
        self.slot(name).join("releases")
    }

    /// A complete, verified, read-only release. That it is there means that it is complete: renaming is the last step.
    pub fn release(&self, name: &BundleName, release: &Release) -> PathBuf {
        self.releases(name).join(release.folder())
    }

    /// The manifest of a release, whether or not the archive held it.
    pub fn manifest(&self, name: &BundleName, release: &Release) -> PathBuf {
        self.slot(name).join("manifests").join(format!("{}.json", release.folder()))
    }

    /// The link to the release in use.
    pub fn current(&self, name: &BundleName) -> PathBuf {
        self.slot(name).join("current")
    }

    /// The link to the release before it.
    pub fn previous(&self, name: &BundleName) -> PathBuf {
        self.slot(name).join("previous")
    }

    /// Held by whoever runs a bundle's workload or script, so that no second copy starts.
    pub fn process_lock(&self, name: &BundleName) -> PathBuf {
        self.slot(name).join(".lock")
    }
}
