//! Who belongs to an organisation, with which role, and that somebody stays in charge.

use kernex_core::{OrganizationId, Role, Timestamp, UserId};
use serde_json::json;

use crate::{
    AdminChange, Result, Store, UserRecord,
    audit::Change,
    sql::{Row, Run, Tx, built, sql},
    users,
};

/// What a user may do in an organisation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Standing {
    /// The organisation.
    pub org_id: OrganizationId,
    /// The role there.
    pub role: Role,
    /// The devices at which the rights end, as a selector; `None` for all.
    pub device_selector: Option<String>,
}

/// A user as one organisation sees them.
#[derive(Clone, Debug)]
pub struct MemberRecord {
    /// The account.
    pub user: UserRecord,
    /// What the user may do in the organisation.
    pub standing: Standing,
}

/// An organisation that somebody belongs to.
#[derive(Clone, Debug)]
pub struct OrganizationOfUser {
    /// Its name.
    pub name: String,
    /// What the user may do in it.
    pub standing: Standing,
}

impl Store {
    /// The users of an organisation, in the order in which they came, after one of them.
    pub async fn list_members(
        &self,
        org: OrganizationId,
        after: Option<UserId>,
        limit: u32,
    ) -> Result<Vec<MemberRecord>> {
        let text = format!(
            "SELECT {}, {STANDING} FROM memberships m JOIN users u ON u.id = m.user_id WHERE m.org_id = $1{} \
             ORDER BY m.user_id LIMIT $2",
            users::COLUMNS,
            if after.is_some() { " AND m.user_id > $3" } else { "" },
        );
        let mut query = built(text).bind(org).bind(limit);
        if let Some(after) = after {
            query = query.bind(after);
        }
        self.reader().fetch_all(query).await?.iter().map(member).collect()
    }

    /// One user of an organisation.
    pub async fn find_member(&self, org: OrganizationId, user: UserId) -> Result<Option<MemberRecord>> {
        let text = format!(
            "SELECT {}, {STANDING} FROM memberships m JOIN users u ON u.id = m.user_id WHERE m.org_id = $1 AND m.user_id = $2",
            users::COLUMNS
        );
        let row = self.reader().fetch_optional(built(text).bind(org).bind(user)).await?;
        row.map(|row| member(&row)).transpose()
    }

    /// The organisations that a user belongs to, by name.
    pub async fn organizations_of(&self, user: UserId) -> Result<Vec<OrganizationOfUser>> {
        let text = format!(
            "SELECT o.name, {STANDING} FROM memberships m JOIN organizations o ON o.id = m.org_id \
             WHERE m.user_id = $1 ORDER BY o.name"
        );
        let rows = self.reader().fetch_all(built(text).bind(user)).await?;
        rows.iter()
            .map(|row| Ok(OrganizationOfUser { name: row.get("name")?, standing: standing(row)? }))
            .collect()
    }

    /// Lets a user belong to an organisation, or changes what they may do in it. A change ends the user's sessions there.
    pub async fn put_membership(
        &self,
        org: OrganizationId,
        user: UserId,
        role: Role,
        device_selector: Option<&str>,
        now: Timestamp,
    ) -> Result<AdminChange> {
        let mut tx = self.begin().await?;
        // The organisation is held before the user, as by whoever removes the user: what is read stays true until the end.
        let others_administer = others_administer(&mut tx, org, user).await?;
        let hold = format!("SELECT id FROM users WHERE id = $1{}", tx.dialect().for_update());
        if tx.fetch_optional(built(hold).bind(user)).await?.is_none() {
            return Ok(AdminChange::NotFound);
        }
        if role != Role::Admin && !others_administer {
            return Ok(AdminChange::LastAdmin);
        }
        let query =
            sql("UPDATE memberships SET role = $3, device_selector = $4 WHERE org_id = $1 AND user_id = $2");
        let query = query.bind(org).bind(user).bind(role.as_str()).bind(device_selector);
        if tx.execute(query).await? == 0 {
            insert_membership(&mut tx, user, org, role, device_selector, now).await?;
        } else {
            end_sessions_in(&mut tx, org, user).await?;
        }
        let after = json!({"role": role, "device_selector": device_selector});
        tx.note(Change::of(org, "membership", user).after(after));
        tx.commit().await?;
        Ok(AdminChange::Done)
    }

    /// Takes a user out of an organisation, with the sessions and API keys that they have there. An account that belongs nowhere
    /// any more is removed.
    pub async fn delete_membership(&self, org: OrganizationId, user: UserId) -> Result<AdminChange> {
        let mut tx = self.begin().await?;
        if !others_administer(&mut tx, org, user).await? {
            return Ok(AdminChange::LastAdmin);
        }
        let query = sql("DELETE FROM memberships WHERE org_id = $1 AND user_id = $2");
        if tx.execute(query.bind(org).bind(user)).await? == 0 {
            return Ok(AdminChange::NotFound);
        }
        tx.note(Change::of(org, "membership", user).after(json!({"deleted": true})));
        end_sessions_in(&mut tx, org, user).await?;
        tx.execute(sql("DELETE FROM api_keys WHERE org_id = $1 AND user_id = $2").bind(org).bind(user))
            .await?;
        let rest =
            sql("SELECT org_id FROM memberships WHERE user_id = $1 ORDER BY created_at, org_id LIMIT 1");
        match tx.fetch_optional(rest.bind(user)).await? {
            Some(row) => {
                let home = sql("UPDATE users SET org_id = $3 WHERE id = $1 AND org_id = $2");
                let next: uuid::Uuid = row.get("org_id")?;
                tx.execute(home.bind(user).bind(org).bind(next)).await?;
            }
            None if !others_administer_installation(&mut tx, user).await? => {
                return Ok(AdminChange::LastAdmin);
            }
            None => {
                users::remove_user(&mut tx, user).await?;
            }
        }
        tx.commit().await?;
        Ok(AdminChange::Done)
    }
}

pub(crate) const STANDING: &str = "m.org_id AS member_org_id, m.role, m.device_selector";

pub(crate) fn standing(row: &Row) -> Result<Standing> {
    Ok(Standing {
        org_id: OrganizationId(row.get("member_org_id")?),
        role: row.parse("role")?,
        device_selector: row.get("device_selector")?,
    })
}

fn member(row: &Row) -> Result<MemberRecord> {
    Ok(MemberRecord { user: users::user(row)?, standing: standing(row)? })
}

pub(crate) async fn insert_membership(
    run: &mut impl Run,
    user: UserId,
    org: OrganizationId,
    role: Role,
    device_selector: Option<&str>,
    now: Timestamp,
) -> Result<()> {
    let query = sql(
        "INSERT INTO memberships (user_id, org_id, role, device_selector, created_at) VALUES ($1, $2, $3, $4, $5)",
    );
    run.execute(query.bind(user).bind(org).bind(role.as_str()).bind(device_selector).bind(now)).await?;
    Ok(())
}

async fn end_sessions_in(tx: &mut Tx, org: OrganizationId, user: UserId) -> Result<()> {
    tx.execute(sql("DELETE FROM sessions WHERE user_id = $1 AND org_id = $2").bind(user).bind(org)).await?;
    Ok(())
}

/// Whether an organisation has an admin beside this user, or the user is none of its admins. The organisation's row is held, so
/// that of two who go at the same time one sees that the other has gone.
async fn others_administer(tx: &mut Tx, org: OrganizationId, user: UserId) -> Result<bool> {
    let hold = format!("SELECT id FROM organizations WHERE id = $1{}", tx.dialect().for_update());
    tx.fetch_optional(built(hold).bind(org)).await?;
    let query = sql(
        "SELECT 1 AS found WHERE NOT EXISTS (SELECT 1 FROM memberships m JOIN users u ON u.id = m.user_id \
                     WHERE m.org_id = $1 AND m.user_id = $2 AND m.role = 'admin' AND u.disabled_at IS NULL) \
                     OR EXISTS (SELECT 1 FROM memberships m JOIN users u ON u.id = m.user_id \
                     WHERE m.org_id = $1 AND m.user_id <> $2 AND m.role = 'admin' AND u.disabled_at IS NULL)",
    );
    Ok(tx.fetch_optional(query.bind(org).bind(user)).await?.is_some())
}

/// The same for the installation.
pub(crate) async fn others_administer_installation(tx: &mut Tx, user: UserId) -> Result<bool> {
    let hold = format!("SELECT id FROM organizations WHERE id = $1{}", tx.dialect().for_update());
    tx.fetch_optional(built(hold).bind(OrganizationId::DEFAULT)).await?;
    let query = sql(
        "SELECT 1 AS found WHERE NOT EXISTS (SELECT 1 FROM users WHERE id = $1 AND installation_admin = 1 \
                     AND disabled_at IS NULL) OR EXISTS (SELECT 1 FROM users WHERE id <> $1 AND installation_admin = 1 \
                     AND disabled_at IS NULL)",
    );
    Ok(tx.fetch_optional(query.bind(user)).await?.is_some())
}

/// The same for the installation and every organisation that the user belongs to, in one order for everybody.
pub(crate) async fn others_administer_all_of(tx: &mut Tx, user: UserId) -> Result<bool> {
    if !others_administer_installation(tx, user).await? {
        return Ok(false);
    }
    let query = sql("SELECT org_id FROM memberships WHERE user_id = $1 ORDER BY org_id");
    for row in tx.fetch_all(query.bind(user)).await? {
        if !others_administer(tx, OrganizationId(row.get("org_id")?), user).await? {
            return Ok(false);
        }
    }
    Ok(true)
}
