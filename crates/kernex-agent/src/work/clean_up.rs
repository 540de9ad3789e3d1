//! What is left behind: staging, releases that nothing needs; and what must be there at start.

use std::{collections::BTreeSet, ffi::OsString, fs, io, path::Path};

use kernex_core::BundleName;

use super::activate::{point, run_current};
use crate::{
    context::Context,
    disk,
    paths::DataDir,
    quarantine,
    self_update::{Trial, is_agent},
    state::{AgentState, Slot},
};

/// Enough for several generations of the state and reports on the way back from a bundle that filled the disk.
const BALLAST_BYTES: u64 = 1024 * 1024;

/// Removes from staging what does not belong to the attempt in work, and releases that are too many.
///
/// Failing to clean up is logged and tried again after the next attempt and at the next start.
pub async fn clean_up(context: &Context, state: &AgentState) {
    let (data, state, count) = (context.data.clone(), state.clone(), context.keep_releases);
    let now = context.client.corrected_now();
    let cleaned = tokio::task::spawn_blocking(move || {
        sync_links(&data, &state, None)?;
        end_trial(&data, &state)?;
        clean_staging(&data, &state)?;
        disk::take_space(&data.ballast(), BALLAST_BYTES)?;
        quarantine::limit(&data, now)?;
        prune_all(&data, &state, count)
    });
    match cleaned.await {
        Ok(Err(error)) => tracing::warn!(%error, "cleaning up failed"),
        Err(error) => tracing::warn!(%error, "cleaning up was interrupted"),
        Ok(Ok(())) => {}
    }
}

/// At start: links agree with the state and workloads run, except for a bundle that is being worked on.
pub async fn restore(context: &Context, state: &AgentState, except: Option<&BundleName>) {
    if let Err(error) = sync_links(&context.data, state, except) {
        tracing::error!(%error, "the links to releases cannot be restored");
    }
    if let Err(error) = end_trial(&context.data, state).and_then(|()| clean_staging(&context.data, state)) {
        tracing::warn!(%error, "cleaning up failed");
    }
    let pruned = prune_all(&context.data, state, context.keep_releases);
    if let Err(error) = pruned.and_then(|()| quarantine::limit(&context.data, context.client.corrected_now()))
    {
        tracing::warn!(%error, "cleaning up failed");
    }
    // Not every file system can; without it a full disk holds the agent up until there is space.
    let _ = disk::take_space(&context.data.ballast(), BALLAST_BYTES);
    for (name, slot) in state.slots.iter().filter(|(name, _)| Some(*name) != except) {
        if let Err(failure) = run_current(context, name, slot).await {
            tracing::error!(bundle.name = %name, reason = failure.message, "the workload cannot be started");
        }
    }
}

fn sync_links(data: &DataDir, state: &AgentState, except: Option<&BundleName>) -> io::Result<()> {
    for (name, slot) in state.slots.iter().filter(|(name, _)| Some(*name) != except) {
        if data.slot(name).is_dir() {
            point(&data.current(name), slot.current.as_ref())?;
            point(&data.previous(name), slot.previous.as_ref())?;
        }
    }
    Ok(())
}

/// Forgets the trial of a new agent that has come to its end.
fn end_trial(data: &DataDir, state: &AgentState) -> io::Result<()> {
    let is_on_trial = state.attempt.as_ref().is_some_and(|attempt| is_agent(&attempt.bundle_name));
    if is_on_trial || !data.agent_trial().exists() { Ok(()) } else { Trial::remove(data) }
}

/// Gives up space, so that the state can be saved although the disk is full.
pub fn make_room(context: &Context, state: &AgentState) {
    let cleaned = disk::remove_file_if_there(&context.data.ballast());
    let cleaned = cleaned.and_then(|()| match state.attempt {
        None => quarantine::clear(&context.data).and_then(|()| clean_staging(&context.data, state)),
        Some(_) => Ok(()),
    });
    if let Err(error) = cleaned {
        tracing::debug!(%error, "no room could be made");
    }
}

/// Removes from staging what does not belong to the attempt in work.
fn clean_staging(data: &DataDir, state: &AgentState) -> io::Result<()> {
    let keep = state.attempt.as_ref().map(|attempt| attempt.deployment_id.to_string());
    for entry in fs::read_dir(data.staging())? {
        let entry = entry?;
        let is_needed = keep.as_ref().is_some_and(|id| entry.file_name().to_string_lossy().starts_with(id));
        if !is_needed {
            remove(&entry.path())?;
        }
    }
    Ok(())
}

/// Every bundle but the one that is being worked on, whose new release is not in the state yet.
fn prune_all(data: &DataDir, state: &AgentState, count: usize) -> io::Result<()> {
    let working = state.attempt.as_ref().map(|attempt| &attempt.bundle_name);
    let others = state.slots.iter().filter(|(name, _)| Some(*name) != working);
    others.into_iter().try_for_each(|(name, slot)| prune(data, name, slot, count))
}

/// Removes releases of a bundle: `count` stay, current and previous in any case.
pub(super) fn prune(data: &DataDir, name: &BundleName, slot: &Slot, count: usize) -> io::Result<()> {
    let needed: BTreeSet<OsString> =
        slot.needed(count).into_iter().map(|release| release.folder().into()).collect();
    let releases = data.releases(name);
    if !releases.is_dir() {
        return Ok(());
    }
    for entry in fs::read_dir(&releases)? {
        let folder = entry?.file_name();
        if needed.contains(&folder) {
            continue;
        }
        // The manifest goes first: a release without it does not count as complete.
        let mut manifest = folder.clone();
        manifest.push(".json");
        disk::remove_file_if_there(&data.slot(name).join("manifests").join(manifest))?;
        disk::remove_tree(&releases.join(folder))?;
    }
    Ok(())
}

fn remove(path: &Path) -> io::Result<()> {
    if path.is_dir() { disk::remove_tree(path) } else { disk::remove_file_if_there(path) }
}
