//! Heads of chains, and the checkpoints that are signed over them.

use kernex_core::{OrganizationId, audit::AuditCheckpoint};

use crate::{
    Result, Store,
    sql::{Row, Run, sql},
};

/// Most checkpoints that one call gives.
const MAX_CHECKPOINTS: u32 = 10_000;

/// Where a chain ends.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ChainHead {
    /// The organisation whose chain it is.
    pub org_id: OrganizationId,
    /// The last record.
    pub sequence: u64,
    /// Its hash.
    pub hash: String,
    /// The last record that was archived, 0 for none.
    pub archived_sequence: u64,
    /// Its hash.
    pub archived_hash: String,
}

impl Store {
    /// Every chain that has records.
    pub async fn audit_heads(&self) -> Result<Vec<ChainHead>> {
        let query = sql(
            "SELECT org_id, sequence, hash, archived_sequence, archived_hash FROM audit_heads ORDER BY org_id",
        );
        self.reader().fetch_all(query).await?.iter().map(head).collect()
    }

    /// The end of one chain, if it has begun.
    pub async fn find_audit_head(&self, org: OrganizationId) -> Result<Option<ChainHead>> {
        let query = sql(
            "SELECT org_id, sequence, hash, archived_sequence, archived_hash FROM audit_heads WHERE org_id = $1",
        );
        let row = self.reader().fetch_optional(query.bind(org)).await?;
        row.map(|row| head(&row)).transpose()
    }

    /// The chains that have grown since their last checkpoint.
    pub async fn audit_heads_to_sign(&self) -> Result<Vec<ChainHead>> {
        let query =
            sql("SELECT org_id, sequence, hash, archived_sequence, archived_hash FROM audit_heads h \
                         WHERE sequence > 0 AND NOT EXISTS (SELECT 1 FROM audit_checkpoints c \
                         WHERE c.org_id = h.org_id AND c.sequence = h.sequence) ORDER BY org_id");
        self.reader().fetch_all(query).await?.iter().map(head).collect()
    }

    /// Keeps a checkpoint; whether another replica had not signed the same record before.
    pub async fn add_audit_checkpoint(&self, checkpoint: &AuditCheckpoint) -> Result<bool> {
        let query =
            sql("INSERT INTO audit_checkpoints (org_id, sequence, hash, signed_at, key_id, signature) \
                         VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT (org_id, sequence) DO NOTHING");
        let query = query.bind(checkpoint.org_id).bind(checkpoint.sequence).bind(checkpoint.hash.as_str());
        let query = query.bind(checkpoint.signed_at).bind(checkpoint.key_id.as_str());
        let mut tx = self.begin().await?;
        let added = tx.execute(query.bind(checkpoint.signature.as_str())).await? > 0;
        tx.commit_unrecorded().await?;
        Ok(added)
    }

    /// Checkpoints of a chain after a record, oldest first, a bounded number at a time.
    pub async fn list_audit_checkpoints(
        &self,
        org: OrganizationId,
        after: u64,
        limit: u32,
    ) -> Result<Vec<AuditCheckpoint>> {
        let query =
            sql("SELECT org_id, sequence, hash, signed_at, key_id, signature FROM audit_checkpoints \
                         WHERE org_id = $1 AND sequence > $2 ORDER BY sequence LIMIT $3");
        let query = query.bind(org).bind(after).bind(limit.min(MAX_CHECKPOINTS));
        self.reader().fetch_all(query).await?.iter().map(checkpoint).collect()
    }
}

fn head(row: &Row) -> Result<ChainHead> {
    Ok(ChainHead {
        org_id: OrganizationId(row.get("org_id")?),
        sequence: row.count("sequence")?,
        hash: row.get("hash")?,
        archived_sequence: row.count("archived_sequence")?,
        archived_hash: row.get("archived_hash")?,
    })
}

fn checkpoint(row: &Row) -> Result<AuditCheckpoint> {
    Ok(AuditCheckpoint {
        org_id: OrganizationId(row.get("org_id")?),
        sequence: row.count("sequence")?,
        hash: row.get("hash")?,
        signed_at: row.time("signed_at")?,
        key_id: row.get("key_id")?,
        signature: row.get("signature")?,
    })
}
