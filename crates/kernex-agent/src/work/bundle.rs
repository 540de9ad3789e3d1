//! The release of an attempt, and manifests of releases.

use std::{path::PathBuf, time::Duration};

use kernex_bundle::{MAX_MANIFEST_BYTES, Manifest};
use kernex_core::{BundleName, FailureCode};

use super::{Job, local_failure};
use crate::{
    context::Context,
    disk,
    local_api::{self, LocalApi},
    paths::DataDir,
    sandbox::{Kind, Limits, Sandbox},
    script::{Belongs, environment},
    state::{Failure, Release},
    workload::{HealthWatch, Trial, WorkloadSpec},
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
    // It was in order when the release was made: what cannot be read now is a trouble of this machine.
    let bytes =
        disk::read_limited(&data.manifest(name, release), MAX_MANIFEST_BYTES as u64).map_err(|error| {
            local_failure(&format!("the manifest of version {} cannot be read", release.version), &error)
        })?;
    Manifest::parse(&bytes).map_err(|error| failed(error.to_string()))
}

/// Whether crashes count against the switch to a release.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Recent {
    /// From now on.
    FromNow,
    /// As when the agent stopped, or from now on.
    Resumed,
    /// If they did when the agent stopped.
    AsSaved,
}

/// What to keep running of a release, if its manifest names a workload.
pub(super) fn workload_spec(
    context: &Context,
    belongs: &Belongs<'_>,
    manifest: &Manifest,
    recent: Recent,
) -> Option<WorkloadSpec> {
    let workload = manifest.workload.clone()?;
    let (data, name, digest) = (belongs.data, belongs.name, &belongs.release.digest);
    let dir = data.release(name, belongs.release);
    let sandbox = context.policy.sandbox(data, name, Kind::Workload, &dir, Limits::of(manifest));
    let window = Duration::from_secs(u64::from(workload.crash_window_secs));
    let saved = Trial::resume(data.trial(name), digest, window);
    Some(WorkloadSpec {
        workload,
        dir,
        digest: digest.clone(),
        env: environment(belongs, &manifest.env, &sandbox),
        log: data.logs().join(format!("{name}.log")),
        sink: context.logs.sink(name),
        lock: data.process_lock(name),
        sandbox,
        trial: match recent {
            Recent::FromNow => Some(Trial::begin(data.trial(name), digest, window)),
            Recent::Resumed => saved.or_else(|| Some(Trial::begin(data.trial(name), digest, window))),
            Recent::AsSaved => saved,
        },
    })
}

/// What to check from now on, if the manifest says how.
pub(super) fn health_watch(
    context: &Context,
    belongs: &Belongs<'_>,
    manifest: &Manifest,
) -> Option<HealthWatch> {
    let health = manifest.health.clone()?;
    let dir = belongs.data.release(belongs.name, belongs.release);
    let sandbox =
        context.policy.sandbox(belongs.data, belongs.name, Kind::Health, &dir, Limits::of(manifest));
    let env = environment(belongs, &manifest.env, &sandbox);
    Some(HealthWatch { health, http: context.http.clone(), dir, env, sandbox })
}

/// What is offered to a release's programs.
pub(super) fn local_api(context: &Context, belongs: &Belongs<'_>) -> LocalApi {
    let dir = belongs.data.release(belongs.name, belongs.release);
    let data_dir = belongs.data.bundle_data(belongs.name);
    LocalApi {
        socket: belongs.data.local_socket(belongs.name),
        user: context.policy.user,
        name: belongs.name.clone(),
        about: local_api::about(belongs.name, belongs.release.version.as_str(), &dir, &data_dir),
        snapshot: context.snapshot.subscribe(),
    }
}
