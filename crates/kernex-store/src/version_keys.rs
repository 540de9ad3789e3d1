//! Catching up with the keys by which versions are compared: rows that a program wrote before there were keys have none.

use kernex_core::version::sort_key;

use crate::{
    Result, Store,
    sql::{Run, Tx, built},
};

/// What a text is compared by; empty when it has no place in the order of versions.
pub(crate) fn key_of(text: &str) -> String {
    sort_key(text).unwrap_or_default()
}

/// Tables with a text and its key, and what else a row without a key must fulfil.
const COLUMNS: [(&str, &str, &str, &str); 3] = [
    ("device_bundles", "version", "version_key", ""),
    ("device_tags", "value", "value_key", ""),
    ("devices", "agent_version", "agent_version_key", " AND agent_version IS NOT NULL"),
];
/// Texts at a time.
const BATCH: u32 = 500;
/// Batches at a time; the rest waits for the next call.
const MAX_BATCHES: usize = 2_000;

impl Store {
    /// Computes the keys that are missing, a bounded number at a time; how many texts were looked at.
    pub async fn fill_version_keys(&self) -> Result<usize> {
        let mut filled = 0;
        for (table, text, key, condition) in COLUMNS {
            for _ in 0..MAX_BATCHES {
                let missing = format!(
                    "SELECT DISTINCT found.text FROM (SELECT {text} AS text FROM {table} \
                     WHERE {key} IS NULL{condition} LIMIT {BATCH}) found"
                );
                let rows = self.reader().fetch_all(built(missing)).await?;
                if rows.is_empty() {
                    break;
                }
                let mut tx = self.begin().await?;
                for row in &rows {
                    fill(&mut tx, (table, text, key), &row.get::<String>("text")?).await?;
                }
                tx.commit().await?;
                filled += rows.len();
            }
        }
        Ok(filled)
    }
}

async fn fill(tx: &mut Tx, (table, column, key): (&str, &str, &str), text: &str) -> Result<()> {
    let update = format!("UPDATE {table} SET {key} = $2 WHERE {key} IS NULL AND {column} = $1");
    tx.execute(built(update).bind(text).bind(key_of(text))).await?;
    Ok(())
}
