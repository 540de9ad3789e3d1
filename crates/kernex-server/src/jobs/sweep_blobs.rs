//! Removes the bytes of bundles that were deleted: a crash between marking the row and removing the bytes leaves such.
//!
//! Bytes without any row are left alone. They come from a crash between storing the bytes and storing the row, but also from a
//! server that was started with another database by mistake, and then they are the only copy.

use anyhow::Context as _;
use kernex_core::BundleId;

use crate::AppState;

/// Ids that are asked for at once.
const BATCH: usize = 500;

pub(super) async fn tick(state: &AppState) -> anyhow::Result<()> {
    let blobs = state.blobs().clone();
    let stored = tokio::task::spawn_blocking(move || blobs.list()).await?.context("listing bundle bytes")?;
    let stored: Vec<BundleId> = stored.into_iter().map(BundleId).collect();
    for batch in stored.chunks(BATCH) {
        for id in state.store().deleted_bundles(batch).await.context("looking deleted bundles up")? {
            state.blobs().delete(id.0).await.context("removing bundle bytes")?;
            tracing::info!(bundle.id = %id, "removed the bytes of a deleted bundle");
        }
    }
    Ok(())
}
