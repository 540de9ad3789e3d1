//! Signing checkpoints: in the database, in a file, and in the program's log, so that whoever cuts a chain off would have to
//! reach all three.

use std::{
    fs::OpenOptions,
    io::Write as _,
    os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _},
    path::Path,
};

use anyhow::Context as _;
use kernex_core::audit::AuditCheckpoint;

use crate::AppState;

/// The file of checkpoints in the data folder, a JSON object per line.
pub const CHECKPOINTS_FILE: &str = "audit-checkpoints.jsonl";

/// Signs the end of every chain that has grown since its last checkpoint; how many.
pub async fn sign_checkpoints(state: &AppState) -> anyhow::Result<usize> {
    let mut signed = 0;
    for head in state.store().audit_heads_to_sign().await.context("reading the ends of the audit chains")? {
        let checkpoint = state.secrets().audit_signer().sign(&head, state.now())?;
        if !state.store().add_audit_checkpoint(&checkpoint).await.context("keeping an audit checkpoint")? {
            continue; // another server signed this record
        }
        tracing::info!(org.id = %checkpoint.org_id, audit.sequence = checkpoint.sequence, audit.hash = checkpoint.hash,
            audit.key_id = checkpoint.key_id, audit.signature = checkpoint.signature, "audit checkpoint");
        let path = state.settings().data_dir.join(CHECKPOINTS_FILE);
        tokio::task::spawn_blocking(move || append(&path, &checkpoint)).await??;
        signed += 1;
    }
    Ok(signed)
}

fn append(path: &Path, checkpoint: &AuditCheckpoint) -> anyhow::Result<()> {
    let line = format!("{}\n", serde_json::to_string(checkpoint)?);
    let write = || -> std::io::Result<()> {
        let mut file = OpenOptions::new().append(true).create(true).mode(0o600).open(path)?;
        file.set_permissions(std::fs::Permissions::from_mode(0o600))?;
        file.write_all(line.as_bytes())?;
        file.sync_all()
    };
    write().with_context(|| format!("cannot write the checkpoint to {}", path.display()))
}

/// The checkpoints that were written to a file.
pub fn read_checkpoints(path: &Path) -> anyhow::Result<Vec<AuditCheckpoint>> {
    let text = match std::fs::read_to_string(path) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
        text => text.with_context(|| format!("cannot read {}", path.display()))?,
    };
    // A line that a power cut tore is followed by whole ones; each checkpoint proves itself by its signature.
    Ok(text.lines().filter_map(|line| serde_json::from_str(line).ok()).collect())
}
