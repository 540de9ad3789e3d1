//! The release of an attempt, and manifests of releases.

use std::path::PathBuf;

use kernex_bundle::{MAX_MANIFEST_BYTES, Manifest};
use kernex_core::{BundleName, FailureCode};

use super::Job;
use crate::{
    context::Context,
    disk,
    paths::DataDir,
    sandbox::{Kind, Limits, Sandbox},
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

    /// What the attempt's processes may do.
    pub(super) fn sandbox(&self, manifest: &Manifest, kind: Kind) -> Sandbox {
        let (data, name) = (&self.context.data, &self.attempt.bundle_name);
        self.context.policy.sandbox(data, name, kind, &self.release_dir(), Limits::of(manifest))
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
pub(super) fn workload_spec(
    context: &Context,
    belongs: &Belongs<'_>,
    manifest: &Manifest,
) -> Option<WorkloadSpec> {
    let dir = belongs.data.release(belongs.name, belongs.release);
    let limits = Limits::of(manifest);
    let sandbox = context.policy.sandbox(belongs.data, belongs.name, Kind::Workload, &dir, limits);
    Some(WorkloadSpec {
        workload: manifest.workload.clone()?,
        dir,
        env: environment(belongs, &manifest.env, &sandbox),
        log: belongs.data.logs().join(format!("{}.log", belongs.name)),
        lock: belongs.data.process_lock(belongs.name),
        sandbox,
    })
}
