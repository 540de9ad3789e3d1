//! Takes keys that were changed on the disk or in Vault, and wraps the keys of bundles with the present storage key.

use std::time::Duration;

use anyhow::Context as _;
use kernex_core::Timestamp;

use crate::AppState;

/// How often Vault is asked for a new version of its key, and to renew the token.
const ASK_VAULT_EVERY: Duration = Duration::from_secs(300);

/// What is left to do.
#[derive(Debug)]
pub(super) struct RefreshKeys {
    must_rewrap: bool,
    asked_vault_at: Option<Timestamp>,
}

impl Default for RefreshKeys {
    /// After a start: a server that was stopped meanwhile finishes it.
    fn default() -> Self {
        Self { must_rewrap: true, asked_vault_at: None }
    }
}

impl RefreshKeys {
    pub(super) async fn tick(&mut self, state: &AppState) -> anyhow::Result<()> {
        let (secrets, now) = (state.secrets().clone(), state.now());
        let changed =
            tokio::task::spawn_blocking(move || secrets.refresh(now)).await?.context("reading the keys")?;
        if changed {
            tracing::info!("took a key that was changed");
            self.must_rewrap = true;
        }
        self.ask_vault(state, now).await?;
        if self.must_rewrap {
            rewrap(state).await?;
            self.must_rewrap = false;
        }
        Ok(())
    }

    async fn ask_vault(&mut self, state: &AppState, now: Timestamp) -> anyhow::Result<()> {
        let every = i64::try_from(ASK_VAULT_EVERY.as_millis()).unwrap_or(i64::MAX);
        let Some(vault) = state.secrets().vault() else { return Ok(()) };
        if self.asked_vault_at.is_some_and(|at| now.millis_since(at) < every) {
            return Ok(());
        }
        self.asked_vault_at = Some(now);
        vault.refresh().await?;
        self.must_rewrap = true;
        if let Err(error) = vault.renew().await {
            tracing::debug!(error = %format!("{error:#}"), "the token of Vault was not renewed");
        }
        Ok(())
    }
}

/// Only the small key files are rewritten; bundles themselves are not read.
async fn rewrap(state: &AppState) -> anyhow::Result<()> {
    let blobs = state.blobs().clone();
    let work = move || -> kernex_blobs::Result<u64> {
        let mut wrapped = 0;
        for id in blobs.list()? {
            wrapped += u64::from(blobs.rewrap(id)?);
        }
        Ok(wrapped)
    };
    let wrapped = tokio::task::spawn_blocking(work).await?.context("wrapping the keys of bundles anew")?;
    if wrapped > 0 {
        tracing::info!(bundles = wrapped, "wrapped the keys of bundles with the new storage key");
    }
    Ok(())
}
