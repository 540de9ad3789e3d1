//! Opening a database.

use std::{path::Path, str::FromStr, time::Duration};

use sqlx::{
    postgres::{PgConnectOptions, PgPoolOptions},
    sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous},
};

use crate::{
    Error, Result,
    heartbeats::HeartbeatLane,
    migrations,
    sql::{Db, Dialect, Reader, Run, Tx, sql},
};

/// Readers beside SQLite's one writer.
const SQLITE_READERS: u32 = 4;
/// How long a statement waits for SQLite's lock, which only another process can hold for long.
const BUSY_TIMEOUT: Duration = Duration::from_secs(5);

/// How to open a database.
#[derive(Clone, Debug)]
pub struct Options {
    /// `sqlite://PATH` or `postgres://…`.
    pub url: String,
    /// Connections of a PostgreSQL pool.
    pub max_connections: u32,
    /// How long a call waits for a connection.
    pub acquire_timeout: Duration,
    /// How long PostgreSQL may work on one statement.
    pub statement_timeout: Duration,
}

impl Options {
    /// The usual options for an address.
    pub fn new(url: impl Into<String>) -> Self {
        Self {
            url: url.into(),
            max_connections: 16,
            acquire_timeout: Duration::from_secs(5),
            statement_timeout: Duration::from_secs(30),
        }
    }

    /// A SQLite file.
    pub fn sqlite_file(path: &Path) -> Self {
        Self::new(format!("sqlite://{}", path.display()))
    }
}

/// The database of a control plane. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Store {
    pub(crate) db: Db,
    pub(crate) heartbeats: Option<HeartbeatLane>,
}

impl Store {
    /// Opens the database, creates it if it is a SQLite file that does not exist, and brings its schema up to date.
    pub async fn open(options: &Options) -> Result<Self> {
        let db = if options.url.starts_with("postgres://") || options.url.starts_with("postgresql://") {
            open_postgres(options).await?
        } else if let Some(path) = options.url.strip_prefix("sqlite:") {
            open_sqlite(Path::new(path.strip_prefix("//").unwrap_or(path)), options).await?
        } else {
            return Err(Error::Address("it must begin with sqlite: or postgres:".to_owned()));
        };
        migrations::migrate(&db).await?;
        let heartbeats = match db {
            Db::Sqlite { .. } => Some(HeartbeatLane::open(db.clone())),
            Db::Postgres(_) => None,
        };
        let store = Self { db, heartbeats };
        store.fill_version_keys().await?;
        Ok(store)
    }

    /// `sqlite` or `postgres`.
    pub fn kind(&self) -> &'static str {
        match self.dialect() {
            Dialect::Sqlite => "sqlite",
            Dialect::Postgres => "postgres",
        }
    }

    /// Whether the database answers and can be written.
    pub async fn check(&self) -> Result<()> {
        let mut tx = self.begin().await?;
        let touch = "INSERT INTO installation (key, value) VALUES ('checked', '') ON CONFLICT (key) DO UPDATE SET value = ''";
        tx.execute(sql(touch)).await?;
        Ok(())
    }

    /// Waits for what is under way and closes every connection.
    pub async fn close(&self) {
        match &self.db {
            Db::Sqlite { write, read } => {
                read.close().await;
                write.close().await;
            }
            Db::Postgres(pool) => pool.close().await,
        }
    }

    pub(crate) async fn begin(&self) -> Result<Tx> {
        Tx::begin(&self.db).await
    }

    pub(crate) fn reader(&self) -> Reader<'_> {
        Reader(&self.db)
    }

    pub(crate) fn dialect(&self) -> Dialect {
        match self.db {
            Db::Sqlite { .. } => Dialect::Sqlite,
            Db::Postgres(_) => Dialect::Postgres,
        }
    }
}

async fn open_sqlite(path: &Path, options: &Options) -> Result<Db> {
    // An acknowledged write is durable: FULL waits for the disk at every commit, NORMAL would lose the last ones at a power cut.
    let connect = SqliteConnectOptions::new()
        .filename(path)
        .create_if_missing(true)
        .journal_mode(SqliteJournalMode::Wal)
        .synchronous(SqliteSynchronous::Full)
        .foreign_keys(true)
        .busy_timeout(BUSY_TIMEOUT)
        .pragma("cache_size", "-16000");
    let pool = || {
        SqlitePoolOptions::new()
            .acquire_timeout(options.acquire_timeout)
            .idle_timeout(None)
            .max_lifetime(None)
    };
    let write = pool().max_connections(1).connect_with(connect.clone()).await?;
    let read = pool()
        .max_connections(SQLITE_READERS)
        .connect_lazy_with(connect.create_if_missing(false).pragma("query_only", "on"));
    Ok(Db::Sqlite { write, read })
}

async fn open_postgres(options: &Options) -> Result<Db> {
    let connect = PgConnectOptions::from_str(&options.url)
        .map_err(|_| {
            Error::Address("it is not of the form postgres://user:password@host/database".to_owned())
        })?
        .application_name("kernex-server")
        .options([
            ("statement_timeout", options.statement_timeout.as_millis().to_string()),
            ("idle_in_transaction_session_timeout", "60000".to_owned()),
        ]);
    let pool = PgPoolOptions::new()
        .max_connections(options.max_connections)
        .acquire_timeout(options.acquire_timeout)
        .test_before_acquire(false)
        .connect_with(connect)
        .await?;
    Ok(Db::Postgres(pool))
}
