//! Signs the ends of the audit chains.

use crate::{AppState, audit};

pub(super) async fn tick(state: &AppState) -> anyhow::Result<()> {
    audit::sign_checkpoints(state).await.map(drop)
}
