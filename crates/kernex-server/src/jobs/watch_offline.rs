//! Tells of devices whose heartbeats are missing, and of sites that are gone as a whole.

use anyhow::Context as _;

use crate::AppState;

pub(super) async fn tick(state: &AppState) -> anyhow::Result<()> {
    let found = state.store().watch_offline(&state.settings().site_tag, state.now()).await;
    let found = found.context("looking for missing heartbeats")?;
    if found.offline + found.lost + found.sites_gone + found.sites_back > 0 {
        tracing::info!(
            offline = found.offline,
            lost = found.lost,
            sites_gone = found.sites_gone,
            sites_back = found.sites_back,
            "missing heartbeats"
        );
    }
    Ok(())
}
