//! Registration tokens. The database keeps only the digest of a secret.

use std::collections::BTreeMap;

use kernex_core::{OrganizationId, RegistrationTokenId, Timestamp};
use serde_json::json;

use crate::{
    Result, Store,
    audit::Change,
    sql::{Row, Run, Tx, sql, to_json},
};

/// Most tokens that a list gives.
const MAX_LISTED: u32 = 1_000;

/// A token to be made.
#[derive(Clone, Debug)]
pub struct NewRegistrationToken {
    /// SHA-256 of the secret, hex.
    pub secret_sha256: String,
    /// How many devices may register with it.
    pub uses: u32,
    /// When it ends.
    pub expires_at: Timestamp,
    /// Tags that a device which registers with it gets.
    pub tags: BTreeMap<String, String>,
    /// Who makes it.
    pub created_by: String,
}

/// One token.
#[derive(Clone, Debug)]
pub struct RegistrationTokenRecord {
    /// Its id.
    pub id: RegistrationTokenId,
    /// The organisation that devices join with it.
    pub org_id: OrganizationId,
    /// How many devices may still register with it.
    pub uses_left: u64,
    /// When it ends.
    pub expires_at: Timestamp,
    /// Tags that a device which registers with it gets.
    pub tags: BTreeMap<String, String>,
    /// Who made it.
    pub created_by: String,
    /// When it was made.
    pub created_at: Timestamp,
}

impl Store {
    /// Makes a token, and forgets those that have ended.
    pub async fn create_registration_token(
        &self,
        org: OrganizationId,
        new: &NewRegistrationToken,
        now: Timestamp,
    ) -> Result<RegistrationTokenId> {
        let id = RegistrationTokenId::generate(now);
        let mut tx = self.begin().await?;
        let ended =
            sql("DELETE FROM registration_tokens WHERE org_id = $1 AND (expires_at <= $2 OR uses_left = 0)");
        tx.execute(ended.bind(org).bind(now)).await?;
        let query = sql(
            "INSERT INTO registration_tokens (id, org_id, secret_sha256, uses_left, expires_at, tags, created_by, \
                         created_at) VALUES ($1, $2, $3, $4, $5, $6, $7, $8)",
        );
        let query =
            query.bind(id).bind(org).bind(new.secret_sha256.as_str()).bind(new.uses).bind(new.expires_at);
        tx.execute(query.bind(to_json(&new.tags)?).bind(new.created_by.as_str()).bind(now)).await?;
        let after = json!({"uses": new.uses, "expires_at": new.expires_at, "tags": new.tags});
        tx.note(Change::of(org, "registration_token", id).after(after));
        tx.commit().await?;
        Ok(id)
    }

    /// The tokens that have not ended, newest first.
    pub async fn list_registration_tokens(
        &self,
        org: OrganizationId,
        now: Timestamp,
    ) -> Result<Vec<RegistrationTokenRecord>> {
        let query = sql(
            "SELECT id, org_id, uses_left, expires_at, tags, created_by, created_at FROM registration_tokens \
                         WHERE org_id = $1 AND expires_at > $2 AND uses_left > 0 ORDER BY id DESC LIMIT $3",
        );
        let rows = self.reader().fetch_all(query.bind(org).bind(now).bind(MAX_LISTED)).await?;
        rows.iter().map(token).collect()
    }

    /// Ends a token; whether there was one.
    pub async fn delete_registration_token(
        &self,
        org: OrganizationId,
        id: RegistrationTokenId,
    ) -> Result<bool> {
        let mut tx = self.begin().await?;
        let query = sql("DELETE FROM registration_tokens WHERE org_id = $1 AND id = $2 \
                         RETURNING id, org_id, uses_left, expires_at, tags, created_by, created_at");
        let Some(row) = tx.fetch_optional(query.bind(org).bind(id)).await? else { return Ok(false) };
        let token = token(&row)?;
        let before =
            json!({"uses_left": token.uses_left, "expires_at": token.expires_at, "tags": token.tags});
        tx.note(Change::of(org, "registration_token", id).before(before));
        tx.commit().await?;
        Ok(true)
    }
}

/// Uses a token up by one, if it is still good and, where one is named, of this organisation.
pub(crate) async fn take_use(
    tx: &mut Tx,
    secret_sha256: &str,
    org: Option<OrganizationId>,
    now: Timestamp,
) -> Result<Option<RegistrationTokenRecord>> {
    let query = sql("UPDATE registration_tokens SET uses_left = uses_left - 1 \
                     WHERE secret_sha256 = $1 AND uses_left > 0 AND expires_at > $2 AND org_id = COALESCE($3, org_id) \
                     RETURNING id, org_id, uses_left, expires_at, tags, created_by, created_at");
    let query = query.bind(secret_sha256).bind(now).bind(org.map(|org| org.0));
    let row = tx.fetch_optional(query).await?;
    row.map(|row| token(&row)).transpose()
}

fn token(row: &Row) -> Result<RegistrationTokenRecord> {
    Ok(RegistrationTokenRecord {
        id: RegistrationTokenId(row.get("id")?),
        org_id: OrganizationId(row.get("org_id")?),
        uses_left: row.count("uses_left")?,
        expires_at: row.time("expires_at")?,
        tags: row.json("tags")?,
        created_by: row.get("created_by")?,
        created_at: row.time("created_at")?,
    })
}
