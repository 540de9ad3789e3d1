//! Accounts of people, and the secret of the bootstrap link while there are none. What somebody may do in an organisation is in
//! [`crate::Standing`].

use kernex_core::{ActorKind, OrganizationId, Role, SessionId, Timestamp, UserId};
use serde_json::json;

use crate::{
    AuditCaller, AuditScope, Result, Store,
    audit::Change,
    memberships::{self, insert_membership},
    sql::{Row, Run, Tx, built, sql},
};

const BOOTSTRAP: &str = "bootstrap_sha256";

/// A user to be made.
#[derive(Clone, Debug)]
pub struct NewUser {
    /// The unique name.
    pub username: String,
    /// Where to reach the person.
    pub email: Option<String>,
    /// The password's argon2id hash; `None` for somebody who logs in elsewhere.
    pub password_hash: Option<String>,
    /// What the user may do in the organisation.
    pub role: Role,
    /// The devices at which the user's rights end, as a selector; `None` for all.
    pub device_selector: Option<String>,
    /// Whether the user looks after the whole installation.
    pub installation_admin: bool,
    /// Whether the password is one that somebody else chose.
    pub must_change_password: bool,
}

/// One account.
#[derive(Clone, Debug)]
pub struct UserRecord {
    /// The user's id.
    pub id: UserId,
    /// The organisation in which a login begins.
    pub org_id: OrganizationId,
    /// The unique name.
    pub username: String,
    /// Where to reach the person.
    pub email: Option<String>,
    /// The password's argon2id hash.
    pub password_hash: Option<String>,
    /// Whether the user looks after the whole installation.
    pub installation_admin: bool,
    /// Since when the user may not log in.
    pub disabled_at: Option<Timestamp>,
    /// Whether the password is one that somebody else chose.
    pub must_change_password: bool,
    /// The sealed secret of the second factor, from the beginning of enrolling.
    pub totp_secret: Option<String>,
    /// Since when the second factor is asked for.
    pub totp_enabled_at: Option<Timestamp>,
    /// Since when.
    pub created_at: Timestamp,
}

pub(crate) const COLUMNS: &str = "u.id, u.org_id, u.username, u.email, u.password_hash, u.installation_admin, \
     u.disabled_at, u.must_change_password, u.totp_secret, u.totp_enabled_at, u.created_at";

/// How a change that could leave nobody in charge ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AdminChange {
    /// It is done.
    Done,
    /// There is no such user, or not in the organisation.
    NotFound,
    /// Nobody else could administer the organisation or the installation; nothing was changed.
    LastAdmin,
}

impl Store {
    /// Makes a user of an organisation; [`crate::Error::Exists`] when the name is taken.
    pub async fn create_user(
        &self,
        org: OrganizationId,
        new: &NewUser,
        now: Timestamp,
    ) -> Result<UserRecord> {
        let mut tx = self.begin().await?;
        let user = insert_user(&mut tx, org, new, now).await?;
        tx.note(created(&user, new.role));
        tx.commit().await?;
        Ok(user)
    }

    /// Makes the first user, an admin of the default organisation and of the installation, for whoever knows the bootstrap
    /// secret. `None`: the secret is wrong or used up, or there are users already.
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
        tx.note(created(&user, new.role));
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

    /// The account of a name.
    pub async fn find_user_by_name(&self, username: &str) -> Result<Option<UserRecord>> {
        let text = format!("SELECT {COLUMNS} FROM users u WHERE u.username = $1");
        let row = self.reader().fetch_optional(built(text).bind(username)).await?;
        row.map(|row| user(&row)).transpose()
    }

    /// The account of an id.
    pub async fn find_user(&self, id: UserId) -> Result<Option<UserRecord>> {
        let text = format!("SELECT {COLUMNS} FROM users u WHERE u.id = $1");
        let row = self.reader().fetch_optional(built(text).bind(id)).await?;
        row.map(|row| user(&row)).transpose()
    }

    /// Sets a password and ends every session of the user but one.
    pub async fn set_password(
        &self,
        id: UserId,
        password_hash: &str,
        must_change: bool,
        keep: Option<SessionId>,
    ) -> Result<bool> {
        let mut tx = self.begin().await?;
        let query = sql("UPDATE users SET password_hash = $2, must_change_password = $3 WHERE id = $1");
        if tx.execute(query.bind(id).bind(password_hash).bind(i64::from(must_change))).await? == 0 {
            return Ok(false);
        }
        let query = sql("DELETE FROM sessions WHERE user_id = $1 AND id <> COALESCE($2, $1)");
        tx.execute(query.bind(id).bind(keep.map(|session| session.0))).await?;
        let query = sql("DELETE FROM login_challenges WHERE user_id = $1");
        tx.execute(query.bind(id)).await?;
        note(&mut tx, id, json!({"password": "set", "must_change_password": must_change})).await?;
        tx.commit().await?;
        Ok(true)
    }

    /// Changes where to reach a person; whether there is such a user.
    pub async fn set_email(&self, id: UserId, email: Option<&str>) -> Result<bool> {
        let mut tx = self.begin().await?;
        let query = sql("UPDATE users SET email = $2 WHERE id = $1");
        if tx.execute(query.bind(id).bind(email)).await? == 0 {
            return Ok(false);
        }
        note(&mut tx, id, json!({"email": email})).await?;
        tx.commit().await?;
        Ok(true)
    }

    /// Shuts a user out, or lets them in again. Shutting out ends every session at once.
    pub async fn set_disabled(&self, id: UserId, disabled_at: Option<Timestamp>) -> Result<AdminChange> {
        let mut tx = self.begin().await?;
        if disabled_at.is_some() && !memberships::others_administer_all_of(&mut tx, id).await? {
            return Ok(AdminChange::LastAdmin);
        }
        let query = sql("UPDATE users SET disabled_at = $2 WHERE id = $1");
        if tx.execute(query.bind(id).bind(disabled_at)).await? == 0 {
            return Ok(AdminChange::NotFound);
        }
        if disabled_at.is_some() {
            end_sessions(&mut tx, id).await?;
        }
        note(&mut tx, id, json!({"disabled": disabled_at.is_some()})).await?;
        tx.commit().await?;
        Ok(AdminChange::Done)
    }

    /// Removes a user with sessions, API keys and memberships. Records keep the name.
    pub async fn delete_user(&self, id: UserId) -> Result<AdminChange> {
        let mut tx = self.begin().await?;
        if !memberships::others_administer_all_of(&mut tx, id).await? {
            return Ok(AdminChange::LastAdmin);
        }
        note(&mut tx, id, json!({"deleted": true})).await?;
        if !remove_user(&mut tx, id).await? {
            return Ok(AdminChange::NotFound);
        }
        tx.commit().await?;
        Ok(AdminChange::Done)
    }

    /// Makes somebody look after the installation, or no longer.
    pub async fn set_installation_admin(&self, id: UserId, is_admin: bool) -> Result<AdminChange> {
        let mut tx = self.begin().await?;
        if !is_admin && !memberships::others_administer_installation(&mut tx, id).await? {
            return Ok(AdminChange::LastAdmin);
        }
        let query = sql("UPDATE users SET installation_admin = $2 WHERE id = $1");
        if tx.execute(query.bind(id).bind(i64::from(is_admin))).await? == 0 {
            return Ok(AdminChange::NotFound);
        }
        end_sessions(&mut tx, id).await?;
        note(&mut tx, id, json!({"installation_admin": is_admin})).await?;
        tx.commit().await?;
        Ok(AdminChange::Done)
    }
}

fn created(user: &UserRecord, role: Role) -> Change {
    let after = json!({"username": user.username, "email": user.email, "role": role});
    Change::of(user.org_id, "user", user.id).after(after)
}

/// Notes what changes of an account, in the organisation in which its logins begin.
pub(crate) async fn note(tx: &mut Tx, id: UserId, after: serde_json::Value) -> Result<()> {
    let query = sql("SELECT org_id FROM users WHERE id = $1");
    if let Some(row) = tx.fetch_optional(query.bind(id)).await? {
        tx.note(Change::of(OrganizationId(row.get("org_id")?), "user", id).after(after));
    }
    Ok(())
}

/// Ends every session of a user, and every login that is under way.
pub(crate) async fn end_sessions(tx: &mut Tx, id: UserId) -> Result<()> {
    tx.execute(sql("DELETE FROM sessions WHERE user_id = $1").bind(id)).await?;
    tx.execute(sql("DELETE FROM login_challenges WHERE user_id = $1").bind(id)).await?;
    Ok(())
}

/// Removes the account itself; what else is the user's goes with it.
pub(crate) async fn remove_user(tx: &mut Tx, id: UserId) -> Result<bool> {
    end_sessions(tx, id).await?;
    Ok(tx.execute(sql("DELETE FROM users WHERE id = $1").bind(id)).await? > 0)
}

pub(crate) async fn insert_user(
    run: &mut impl Run,
    org: OrganizationId,
    new: &NewUser,
    now: Timestamp,
) -> Result<UserRecord> {
    let id = UserId::generate(now);
    let query = sql(
        "INSERT INTO users (id, org_id, username, email, password_hash, installation_admin, must_change_password, created_at) \
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8)",
    );
    // An empty hash fits no password.
    let hash = new.password_hash.clone().unwrap_or_default();
    let query = query.bind(id).bind(org).bind(new.username.as_str()).bind(new.email.clone()).bind(hash);
    let query = query.bind(i64::from(new.installation_admin)).bind(i64::from(new.must_change_password));
    run.execute(query.bind(now)).await?;
    insert_membership(run, id, org, new.role, new.device_selector.as_deref(), now).await?;
    let text = format!("SELECT {COLUMNS} FROM users u WHERE u.id = $1");
    user(&run.fetch_one(built(text).bind(id)).await?)
}

pub(crate) fn user(row: &Row) -> Result<UserRecord> {
    let hash: String = row.get("password_hash")?;
    Ok(UserRecord {
        id: UserId(row.get("id")?),
        org_id: OrganizationId(row.get("org_id")?),
        username: row.get("username")?,
        email: row.get("email")?,
        password_hash: (!hash.is_empty()).then_some(hash),
        installation_admin: row.get::<i64>("installation_admin")? != 0,
        disabled_at: row.time_if_any("disabled_at")?,
        must_change_password: row.get::<i64>("must_change_password")? != 0,
        totp_secret: row.get("totp_secret")?,
        totp_enabled_at: row.time_if_any("totp_enabled_at")?,
        created_at: row.time("created_at")?,
    })
}
