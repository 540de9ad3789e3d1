//! Users, and the secret of the bootstrap link while there are none.

use kernex_core::{ActorKind, OrganizationId, Role, Timestamp, UserId};
use serde_json::json;

use crate::{
    AuditCaller, AuditScope, Result, Store,
    audit::Change,
    sql::{Row, Run, built, sql},
};

const BOOTSTRAP: &str = "bootstrap_sha256";

/// A user to be made.
#[derive(Clone, Debug)]
pub struct NewUser {
    /// The unique name.
    pub username: String,
    /// Where to reach the person.
    pub email: Option<String>,
    /// The password's argon2id hash.
    pub password_hash: String,
    /// What the user may do.
    pub role: Role,
}

/// One user.
#[derive(Clone, Debug)]
pub struct UserRecord {
    /// The user's id.
    pub id: UserId,
    /// The user's organisation.
    pub org_id: OrganizationId,
    /// The unique name.
    pub username: String,
    /// Where to reach the person.
    pub email: Option<String>,
    /// The password's argon2id hash.
    pub password_hash: String,
    /// What the user may do.
    pub role: Role,
    /// Since when.
    pub created_at: Timestamp,
}

const COLUMNS: &str = "id, org_id, username, email, password_hash, role, created_at";

impl Store {
    /// Makes a user; [`crate::Error::Exists`] when the name is taken.
    pub async fn create_user(
        &self,
        org: OrganizationId,
        new: &NewUser,
        now: Timestamp,
    ) -> Result<UserRecord> {
        let mut tx = self.begin().await?;
        let user = insert_user(&mut tx, org, new, now).await?;
        tx.note(created(&user));
        tx.commit().await?;
        Ok(user)
    }

    /// Makes the first user, an admin of the default organisation, for whoever knows the bootstrap secret. `None`: the secret is
    /// wrong or used up, or there are users already.
    pub async fn create_first_user(
        &self,
        new: &NewUser,
        bootstrap_sha256: &str,
        now: Timestamp,
    ) -> Result<Option<UserRecord>> {
        let mut tx = self.begin().await?;
        let take = sql("DELETE FROM installation WHERE key = $1 AND value = $2")
            .bind(BOOTSTRAP)
            .bind(bootstrap_sha256);
        if tx.execute(take).await? == 0 {
            return Ok(None);
        }
        if tx.fetch_optional(sql("SELECT id FROM users LIMIT 1")).await?.is_some() {
            return Ok(None);
        }
        let user = insert_user(&mut tx, OrganizationId::DEFAULT, new, now).await?;
        AuditScope::identify(AuditCaller {
            org_id: user.org_id,
            kind: ActorKind::User,
            id: Some(user.id.to_string()),
            name: Some(user.username.clone()),
            credential: Some("bootstrap".to_owned()),
        });
        tx.note(created(&user));
        tx.commit().await?;
        Ok(Some(user))
    }

    /// Sets the digest of the bootstrap link's secret; a secret that was set before is void. Whether there are no users yet,
    /// which is when it is set.
    pub async fn set_bootstrap(&self, bootstrap_sha256: &str) -> Result<bool> {
        let mut tx = self.begin().await?;
        if tx.fetch_optional(sql("SELECT id FROM users LIMIT 1")).await?.is_some() {
            return Ok(false);
        }
        let query = sql("INSERT INTO installation (key, value) VALUES ($1, $2) \
                         ON CONFLICT (key) DO UPDATE SET value = excluded.value");
        tx.execute(query.bind(BOOTSTRAP).bind(bootstrap_sha256)).await?;
        tx.commit_unrecorded().await?;
        Ok(true)
    }

    /// The user of a name.
    pub async fn find_user_by_name(&self, username: &str) -> Result<Option<UserRecord>> {
        let text = format!("SELECT {COLUMNS} FROM users WHERE username = $1");
        let row = self.reader().fetch_optional(built(text).bind(username)).await?;
        row.map(|row| user(&row)).transpose()
    }
}

fn created(user: &UserRecord) -> Change {
    let after = json!({"username": user.username, "email": user.email, "role": user.role});
    Change::of(user.org_id, "user", user.id).after(after)
}

async fn insert_user(
    run: &mut impl Run,
    org: OrganizationId,
    new: &NewUser,
    now: Timestamp,
) -> Result<UserRecord> {
    let text =
        format!("INSERT INTO users ({COLUMNS}) VALUES ($1, $2, $3, $4, $5, $6, $7) RETURNING {COLUMNS}");
    let query = built(text).bind(UserId::generate(now)).bind(org).bind(new.username.as_str());
    let query =
        query.bind(new.email.clone()).bind(new.password_hash.as_str()).bind(new.role.as_str()).bind(now);
    user(&run.fetch_one(query).await?)
}

pub(crate) fn user(row: &Row) -> Result<UserRecord> {
    Ok(UserRecord {
        id: UserId(row.get("id")?),
        org_id: OrganizationId(row.get("org_id")?),
        username: row.get("username")?,
        email: row.get("email")?,
        password_hash: row.get("password_hash")?,
        role: row.parse("role")?,
        created_at: row.time("created_at")?,
    })
}
