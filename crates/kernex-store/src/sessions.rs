//! Logins. A token or a cookie is good only while its session's row is there.

use kernex_core::{OrganizationId, SessionId, Timestamp, UserId};
use serde_json::json;

use crate::{
    Result, Standing, Store, UserRecord,
    audit::Change,
    memberships::{STANDING, standing},
    sql::{Query, Row, Run, built, sql},
    users,
};

/// Most sessions of a user; the oldest make room.
const MAX_SESSIONS: u32 = 100;
/// The time of the last use is kept to this many milliseconds.
const USE_MILLIS: i64 = 60_000;

/// What a login is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SessionKind {
    /// A program, with access tokens and a secret that renews them.
    Token,
    /// A browser, with a cookie.
    Browser,
}

impl SessionKind {
    /// As the database spells it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Token => "token",
            Self::Browser => "browser",
        }
    }
}

/// A login to be made.
#[derive(Clone, Debug)]
pub struct NewSession {
    /// What for.
    pub kind: SessionKind,
    /// SHA-256 of the cookie or of the secret that renews tokens, hex.
    pub secret_sha256: String,
    /// When it ends, used or not.
    pub expires_at: Timestamp,
    /// Where the login came from.
    pub address: Option<String>,
    /// Which program it was, as it says itself.
    pub user_agent: Option<String>,
}

/// One login.
#[derive(Clone, Debug)]
pub struct SessionRecord {
    /// Its id.
    pub id: SessionId,
    /// The organisation that it works in.
    pub org_id: OrganizationId,
    /// What for.
    pub kind: SessionKind,
    /// When it began.
    pub created_at: Timestamp,
    /// When it was last used, to the minute.
    pub last_used_at: Timestamp,
    /// When the person last proved who they are.
    pub authenticated_at: Timestamp,
    /// When it ends, used or not.
    pub expires_at: Timestamp,
    /// Where the login came from.
    pub address: Option<String>,
    /// Which program it was, as it says itself.
    pub user_agent: Option<String>,
}

/// Who is behind a session.
#[derive(Clone, Debug)]
pub struct SessionUser {
    /// The session.
    pub session: SessionRecord,
    /// The user.
    pub user: UserRecord,
    /// What the user may do in the organisation that was asked for; `None` when they do not belong to it.
    pub standing: Option<Standing>,
}

/// How to find a session.
#[derive(Clone, Copy, Debug)]
pub enum SessionKey<'a> {
    /// By its id, as an access token names it.
    Id(SessionId),
    /// By the digest of its secret, for one kind of login.
    Secret(SessionKind, &'a str),
}

const COLUMNS: &str = "s.id AS session_id, s.org_id AS session_org_id, s.kind, s.created_at AS session_created_at, \
     s.last_used_at, s.authenticated_at, s.expires_at, s.address, s.user_agent";

impl Store {
    /// Begins a session, and forgets those of the user that have ended, and the oldest when there are too many.
    pub async fn create_session(
        &self,
        org: OrganizationId,
        user: UserId,
        new: &NewSession,
        now: Timestamp,
    ) -> Result<SessionId> {
        let id = SessionId::generate(now);
        let mut tx = self.begin().await?;
        tx.execute(sql("DELETE FROM sessions WHERE user_id = $1 AND expires_at <= $2").bind(user).bind(now))
            .await?;
        let surplus = sql("DELETE FROM sessions WHERE id IN \
                           (SELECT id FROM sessions WHERE user_id = $1 ORDER BY id DESC LIMIT 1000 OFFSET $2)");
        tx.execute(surplus.bind(user).bind(MAX_SESSIONS - 1)).await?;
        let query = sql(
            "INSERT INTO sessions (id, org_id, user_id, kind, secret_sha256, created_at, last_used_at, authenticated_at, \
             expires_at, address, user_agent) VALUES ($1, $2, $3, $4, $5, $6, $6, $6, $7, $8, $9)",
        );
        let query =
            query.bind(id).bind(org).bind(user).bind(new.kind.as_str()).bind(new.secret_sha256.as_str());
        let query =
            query.bind(now).bind(new.expires_at).bind(new.address.clone()).bind(new.user_agent.clone());
        tx.execute(query).await?;
        tx.note(Change::of(org, "session", id).after(json!({"user_id": user, "expires_at": new.expires_at})));
        tx.commit().await?;
        Ok(id)
    }

    /// The user behind a session that has not ended, and what they may do in the session's organisation or in the one that is
    /// asked for. A browser's session that was not used since `idle_since` has ended.
    pub async fn find_session(
        &self,
        key: SessionKey<'_>,
        org: Option<OrganizationId>,
        idle_since: Timestamp,
        now: Timestamp,
    ) -> Result<Option<SessionUser>> {
        let condition = match key {
            SessionKey::Id(_) => "s.id = $1",
            SessionKey::Secret(..) => "s.secret_sha256 = $1 AND s.kind = $5",
        };
        let text = format!(
            "SELECT {COLUMNS}, {}, {STANDING} FROM sessions s JOIN users u ON u.id = s.user_id \
             LEFT JOIN memberships m ON m.user_id = u.id AND m.org_id = COALESCE($2, s.org_id) \
             WHERE {condition} AND s.expires_at > $3 AND (s.kind <> 'browser' OR s.last_used_at > $4) \
             AND u.disabled_at IS NULL",
            users::COLUMNS
        );
        let rest = |query: Query| query.bind(org.map(|org| org.0)).bind(now).bind(idle_since);
        let query = match key {
            SessionKey::Id(id) => rest(built(text).bind(id)),
            SessionKey::Secret(kind, digest) => rest(built(text).bind(digest)).bind(kind.as_str()),
        };
        let row = self.reader().fetch_optional(query).await?;
        row.map(|row| {
            let is_member = row.get::<Option<String>>("role")?.is_some();
            let standing = if is_member { Some(standing(&row)?) } else { None };
            Ok(SessionUser { session: session(&row)?, user: users::user(&row)?, standing })
        })
        .transpose()
    }

    /// Notes that a session was used, at most once a minute.
    pub async fn touch_session(&self, session: &SessionRecord, now: Timestamp) -> Result<()> {
        if now.as_millis() - session.last_used_at.as_millis() < USE_MILLIS {
            return Ok(());
        }
        let mut tx = self.begin().await?;
        let query = sql("UPDATE sessions SET last_used_at = $2 WHERE id = $1 AND last_used_at < $2");
        tx.execute(query.bind(session.id).bind(now)).await?;
        tx.commit_unrecorded().await
    }

    /// Notes that the person behind a session has proved again who they are.
    pub async fn note_authentication(&self, id: SessionId, now: Timestamp) -> Result<()> {
        let mut tx = self.begin().await?;
        tx.execute(sql("UPDATE sessions SET authenticated_at = $2 WHERE id = $1").bind(id).bind(now)).await?;
        tx.commit_unrecorded().await
    }

    /// Lets a session work in another organisation of its user; whether the user belongs to it.
    pub async fn choose_organization(&self, id: SessionId, org: OrganizationId) -> Result<bool> {
        let mut tx = self.begin().await?;
        let query = sql("UPDATE sessions SET org_id = $2 WHERE id = $1 AND EXISTS \
                         (SELECT 1 FROM memberships m WHERE m.user_id = sessions.user_id AND m.org_id = $2)");
        if tx.execute(query.bind(id).bind(org)).await? == 0 {
            return Ok(false);
        }
        tx.commit().await?;
        Ok(true)
    }

    /// A user's sessions that have not ended, newest first.
    pub async fn list_sessions(&self, user: UserId, now: Timestamp) -> Result<Vec<SessionRecord>> {
        let text = format!(
            "SELECT {COLUMNS} FROM sessions s WHERE s.user_id = $1 AND s.expires_at > $2 ORDER BY s.id DESC LIMIT $3"
        );
        let rows = self.reader().fetch_all(built(text).bind(user).bind(now).bind(MAX_SESSIONS)).await?;
        rows.iter().map(session).collect()
    }

    /// Ends one session of a user; whether there was one.
    pub async fn delete_session(&self, user: UserId, id: SessionId) -> Result<bool> {
        let mut tx = self.begin().await?;
        let query = sql("DELETE FROM sessions WHERE user_id = $1 AND id = $2");
        if tx.execute(query.bind(user).bind(id)).await? == 0 {
            return Ok(false);
        }
        tx.commit().await?;
        Ok(true)
    }

    /// Ends every session of a user but one; how many those were.
    pub async fn delete_sessions(&self, user: UserId, keep: Option<SessionId>) -> Result<u64> {
        let mut tx = self.begin().await?;
        let query = sql("DELETE FROM sessions WHERE user_id = $1 AND id <> COALESCE($2, $1)");
        let ended = tx.execute(query.bind(user).bind(keep.map(|id| id.0))).await?;
        tx.commit().await?;
        Ok(ended)
    }
}

fn session(row: &Row) -> Result<SessionRecord> {
    let kind: String = row.get("kind")?;
    Ok(SessionRecord {
        id: SessionId(row.get("session_id")?),
        org_id: OrganizationId(row.get("session_org_id")?),
        kind: if kind == SessionKind::Browser.as_str() { SessionKind::Browser } else { SessionKind::Token },
        created_at: row.time("session_created_at")?,
        last_used_at: row.time("last_used_at")?,
        authenticated_at: row.time("authenticated_at")?,
        expires_at: row.time("expires_at")?,
        address: row.get("address")?,
        user_agent: row.get("user_agent")?,
    })
}
