//! Logins. A token is good only while its session's row is there.

use kernex_core::{OrganizationId, SessionId, Timestamp, UserId};
use serde_json::json;

use crate::{
    Result, Store, UserRecord,
    audit::Change,
    sql::{Run, sql},
    users,
};

/// Who is behind a session.
#[derive(Clone, Debug)]
pub struct SessionUser {
    /// The session.
    pub session_id: SessionId,
    /// The user.
    pub user: UserRecord,
}

impl Store {
    /// Begins a session, and forgets those of the user that have ended.
    pub async fn create_session(
        &self,
        org: OrganizationId,
        user: UserId,
        expires_at: Timestamp,
        now: Timestamp,
    ) -> Result<SessionId> {
        let id = SessionId::generate(now);
        let mut tx = self.begin().await?;
        tx.execute(sql("DELETE FROM sessions WHERE user_id = $1 AND expires_at <= $2").bind(user).bind(now))
            .await?;
        let query = sql(
            "INSERT INTO sessions (id, org_id, user_id, created_at, expires_at) VALUES ($1, $2, $3, $4, $5)",
        );
        tx.execute(query.bind(id).bind(org).bind(user).bind(now).bind(expires_at)).await?;
        tx.note(Change::of(org, "session", id).after(json!({"user_id": user, "expires_at": expires_at})));
        tx.commit().await?;
        Ok(id)
    }

    /// The user behind a session that has not ended.
    pub async fn find_session(&self, id: SessionId, now: Timestamp) -> Result<Option<SessionUser>> {
        let query = sql("SELECT u.id, u.org_id, u.username, u.email, u.password_hash, u.role, u.created_at \
                         FROM sessions s JOIN users u ON u.id = s.user_id WHERE s.id = $1 AND s.expires_at > $2");
        let row = self.reader().fetch_optional(query.bind(id).bind(now)).await?;
        row.map(|row| Ok(SessionUser { session_id: id, user: users::user(&row)? })).transpose()
    }

    /// Ends a session.
    pub async fn delete_session(&self, id: SessionId) -> Result<()> {
        let mut tx = self.begin().await?;
        tx.execute(sql("DELETE FROM sessions WHERE id = $1").bind(id)).await?;
        tx.commit().await
    }
}
