//! Staging: unpacks beside what runs, checks the manifest, and makes a release of it, read-only, by one rename.

use std::{fs, io::BufReader, path::Path, time::Duration};

use kernex_bundle::{ArchiveError, Limits, Manifest, Platform, Unpacked, check_references, unpack};
use kernex_core::FailureCode;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::{Done, Job, blocking, interruptible::Interruptible, local_failure, space::reserve};
use crate::{
    AGENT_VERSION,
    backoff::Backoff,
    disk,
    self_update::{NAME, is_agent},
    state::Failure,
};

/// Delays between tries to fetch a manifest.
const FIRST_RETRY: Duration = Duration::from_secs(1);
const LONGEST_RETRY: Duration = Duration::from_secs(30);

/// Unpacks and checks; the release is there completely or not at all.
pub(super) async fn stage(job: &Job) -> Result<Done, Failure> {
    if job.is_staged() {
        return Ok(Done::Completed);
    }
    let archive = job.context.data.part(job.attempt.deployment_id);
    let dest = job.context.data.unpacking(job.attempt.deployment_id);
    let stop = job.stop.clone();
    let unpacking = blocking(move || unpack_archive(&archive, &dest, &stop));
    let unpacked = tokio::select! {
        outcome = unpacking => outcome?,
        () = job.stop.cancelled() => return Err(Failure::new(FailureCode::Cancelled, "unpacking was stopped")),
    };
    let manifest = match &unpacked.inspection.manifest {
        Some(manifest) => manifest.clone(),
        None => fetch_manifest(job, &unpacked).await?,
    };
    check_manifest(job, &manifest)?;
    if is_agent(&job.attempt.bundle_name) {
        check_program(&unpacked)?;
    }
    let (release, stored) =
        (job.release_dir(), job.context.data.manifest(&job.attempt.bundle_name, &job.attempt.release));
    blocking(move || {
        put_in_place(&unpacked.root, &release, &stored, &manifest)
            .map_err(|error| local_failure("the release cannot be put in place", &error))
    })
    .await?;
    Ok(Done::Completed)
}

fn unpack_archive(archive: &Path, dest: &Path, stop: &CancellationToken) -> Result<Unpacked, Failure> {
    let failed = |error: std::io::Error| local_failure("the bundle cannot be unpacked", &error);
    disk::remove_tree(dest).map_err(failed)?;
    let reader = BufReader::new(Interruptible::new(fs::File::open(archive).map_err(failed)?, stop));
    let space = disk::space(archive).map_err(failed)?;
    // The control plane has bounded the size already; here the disk does.
    let room = space.free_bytes.saturating_sub(reserve(space));
    let limits = Limits { max_unpacked_bytes: room, ..Limits::default() };
    unpack(reader, dest, &limits).map_err(|error| {
        let code = match &error {
            ArchiveError::DiskFull | ArchiveError::TooLarge { .. } => FailureCode::DiskFull,
            ArchiveError::Manifest(_) | ArchiveError::MissingFile(_) => FailureCode::Manifest,
            ArchiveError::Read(_) | ArchiveError::Write { .. } | ArchiveError::DestinationNotEmpty { .. } => {
                FailureCode::Internal
            }
            _ => FailureCode::Unpack,
        };
        let figures = match code {
            FailureCode::DiskFull => format!(
                "; the disk had {} bytes free before, and {} must stay free",
                space.free_bytes,
                reserve(space)
            ),
            _ => String::new(),
        };
        Failure::new(code, format!("the bundle cannot be unpacked: {error}{figures}"))
    })
}

/// The archive holds no manifest: the control plane has the one that came with the upload.
async fn fetch_manifest(job: &Job, unpacked: &Unpacked) -> Result<Manifest, Failure> {
    let failed =
        |error: String| Failure::new(FailureCode::Manifest, format!("the manifest cannot be used: {error}"));
    let bytes = tokio::select! {
        bytes = manifest_bytes(job) => bytes?,
        () = job.stop.cancelled() => return Err(Failure::new(FailureCode::Cancelled, "staging was stopped")),
    };
    let manifest = Manifest::parse(&bytes);
    let manifest = manifest.map_err(|error| failed(error.to_string()))?;
    check_references(&manifest, &unpacked.inspection.files).map_err(|error| failed(error.to_string()))?;
    Ok(manifest)
}

/// Tries until the attempt's time is up: the link may be away for a while.
async fn manifest_bytes(job: &Job) -> Result<Vec<u8>, Failure> {
    let mut backoff = Backoff::new(FIRST_RETRY, LONGEST_RETRY);
    loop {
        let error = match job.context.client.bundle_manifest(job.attempt.release.bundle_id).await {
            Ok(bytes) => return Ok(bytes),
            Err(error) => error,
        };
        let wait = backoff.next_wait(error.retry_after());
        let is_final = error.status().is_some_and(|status| matches!(status, 400 | 403 | 404 | 410));
        if is_final || Instant::now() + wait >= job.deadline {
            let message = format!("the manifest cannot be fetched: {error}");
            return Err(Failure::new(FailureCode::Download, message));
        }
        tracing::warn!(%error, wait_secs = wait.as_secs_f64(), "the manifest cannot be fetched now");
        tokio::time::sleep(wait).await;
    }
}

fn check_manifest(job: &Job, manifest: &Manifest) -> Result<(), Failure> {
    let (name, version) = (&job.attempt.bundle_name, &job.attempt.release.version);
    if manifest.name != *name || manifest.version != *version {
        let message = format!(
            "the manifest is of {} {}, expected was {name} {version}",
            manifest.name, manifest.version
        );
        return Err(Failure::new(FailureCode::Manifest, message));
    }
    let platform = Platform {
        arch: std::env::consts::ARCH,
        device_type: job.context.device_type.as_deref(),
        agent_version: AGENT_VERSION,
    };
    manifest
        .check_compatible(&platform)
        .map_err(|error| Failure::new(FailureCode::Incompatible, error.to_string()))
}

/// A bundle of the agent holds its program.
fn check_program(unpacked: &Unpacked) -> Result<(), Failure> {
    match unpacked.inspection.files.get(NAME) {
        Some(file) if file.is_executable => Ok(()),
        Some(_) => {
            Err(Failure::new(FailureCode::Manifest, format!("`{NAME}` in the bundle is not executable")))
        }
        None => Err(Failure::new(
            FailureCode::Manifest,
            format!("the bundle holds no program `{NAME}` at its root"),
        )),
    }
}

/// The manifest first, the release's name last: a folder under that name is complete.
fn put_in_place(root: &Path, release: &Path, stored: &Path, manifest: &Manifest) -> std::io::Result<()> {
    for folder in [release.parent(), stored.parent()].into_iter().flatten() {
        disk::make_dir(folder, 0o755)?;
        disk::sync_parent(folder)?;
    }
    disk::write_atomic(stored, &serde_json::to_vec(manifest.json())?)?;
    if release.exists() {
        return Ok(());
    }
    disk::make_content_read_only(root)?;
    disk::sync_dir(root)?;
    fs::rename(root, release)?;
    disk::make_read_only(release)?;
    disk::sync_parent(release)
}
