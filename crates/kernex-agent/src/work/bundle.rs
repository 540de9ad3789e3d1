//! The release of an attempt, and manifests of releases.

use std::path::PathBuf;

use kernex_bundle::{MAX_MANIFEST_BYTES, Manifest};
use kernex_core::{BundleName, FailureCode};

use super::Job;
use crate::{
    disk,
    paths::DataDir,
    script::{Belongs, environment},
    state::{Failure, Release},
    workload::WorkloadSpec,
};

impl Job {
    /// The folder of the release that is to be in use.
    pub(super) fn release_dir(&self) -> PathBuf {
        self.context.data.release(&self.attempt.bundle_name, &self.attempt.release)
    }

    /// Whether the release is on the disk, complete: its folder is renamed into place as the last step.
    pub(super) fn is_staged(&self) -> bool {
        let manifest = self.context.data.manifest(&self.attempt.bundle_name, &self.attempt.release);
        self.release_dir().is_dir() && manifest.is_file()
    }

    /// The manifest of the release that is to be in use.
    pub(super) fn manifest(&self) -> Result<Manifest, Failure> {
        read_manifest(&self.context.data, &self.attempt.bundle_name, &self.attempt.release)
    }

    /// Whom the attempt's scripts and workload belong to.
    pub(super) fn belongs(&self) -> Belongs<'_> {
        Belongs {
            data: &self.context.data,
            name: &self.attempt.bundle_name,
            release: &self.attempt.release,
            previous: self.slot.current.as_ref(),
            deployment: Some(self.attempt.deployment_id),
        }
    }
}

/// Reads a release's manifest.
pub(super) fn read_manifest(
    data: &DataDir,
    name: &BundleName,
    release: &Release,
) -> Result<Manifest, Failure> {
    let failed = |error: String| {
        Failure::new(
            FailureCode::Manifest,
            format!("the manifest of version {} cannot be used: {error}", release.version),
        )
    };
    let bytes = disk::read_limited(&data.manifest(name, release), MAX_MANIFEST_BYTES as u64);
    Manifest::parse(&bytes.map_err(|error| failed(error.to_string()))?)
        .map_err(|error| failed(error.to_string()))
}

/// What to keep running of a release, if its manifest names a workload.
pub(super) fn workload_spec(belongs: &Belongs<'_>, manifest: &Manifest) -> Option<WorkloadSpec> {
    Some(WorkloadSpec {
        workload: manifest.workload.clone()?,
        dir: belongs.data.release(belongs.name, belongs.release),
        env: environment(belongs, &manifest.env),
        log: belongs.data.logs().join(format!("{}.log", belongs.name)),
        lock: belongs.data.process_lock(belongs.name),
    })
}
