//! A database per test: a SQLite file of its own, or a fresh database in a private PostgreSQL cluster.

use std::time::Duration;

use kernex_store::{Options, Store};
use sqlx::{AssertSqlSafe, Connection as _, Executor as _, PgConnection, Row as _, SqliteConnection};
use tempfile::TempDir;

/// How long a whole test may take; far more than any needs, so that a deadlock shows as a failure.
pub(crate) const LIMIT: Duration = Duration::from_secs(120);

/// Makes two tests of each function: one on SQLite, one on PostgreSQL.
macro_rules! on_both {
    ($($name:ident),+ $(,)?) => {$(
        mod $name {
            #[tokio::test(flavor = "multi_thread", worker_threads = 4)]
            async fn sqlite() {
                $crate::database::run($crate::database::Kind::Sqlite, async |db| super::$name(db).await).await;
            }

            #[tokio::test(flavor = "multi_thread", worker_threads = 4)]
            async fn postgres() {
                $crate::database::run($crate::database::Kind::Postgres, async |db| super::$name(db).await).await;
            }
        }
    )+};
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Sqlite,
    Postgres,
}

pub(crate) struct Database {
    pub(crate) kind: Kind,
    pub(crate) store: Store,
    url: String,
    folder: TempDir,
}

/// Runs a test on a fresh database. That of a test that fails stays, for a look; it goes with its cluster.
pub(crate) async fn run(kind: Kind, test: impl AsyncFnOnce(&Database)) {
    let db = Database::create(kind).await;
    assert!(tokio::time::timeout(LIMIT, test(&db)).await.is_ok(), "not done within {LIMIT:?}");
    db.remove().await;
}

impl Database {
    pub(crate) async fn create(kind: Kind) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let url = empty(kind, &folder).await;
        let store = Store::open(&Options::new(&url)).await.unwrap();
        Self { kind, store, url, folder }
    }

    /// Another connection pool to the same database, as a second replica or a restarted server has it.
    pub(crate) async fn replica(&self) -> Store {
        Store::open(&Options::new(&self.url)).await.unwrap()
    }

    /// Opens the database again, which may be refused.
    pub(crate) async fn reopen(&self) -> kernex_store::Result<Store> {
        Store::open(&Options::new(&self.url)).await
    }

    /// Where the SQLite file is.
    pub(crate) fn folder(&self) -> &std::path::Path {
        self.folder.path()
    }

    /// Runs a statement past the store.
    pub(crate) async fn execute(&self, text: &str) {
        let text = AssertSqlSafe(text.to_owned());
        match self.kind {
            Kind::Sqlite => {
                let mut connection = SqliteConnection::connect(&self.url).await.unwrap();
                connection.execute(sqlx::raw_sql(text)).await.unwrap();
                connection.close().await.unwrap();
            }
            Kind::Postgres => {
                let mut connection = PgConnection::connect(&self.url).await.unwrap();
                connection.execute(sqlx::raw_sql(text)).await.unwrap();
                connection.close().await.unwrap();
            }
        }
    }

    /// The texts in the first column of what a statement gives.
    pub(crate) async fn texts(&self, text: &str) -> Vec<String> {
        let query = AssertSqlSafe(text.to_owned());
        match self.kind {
            Kind::Sqlite => {
                let mut connection = SqliteConnection::connect(&self.url).await.unwrap();
                let rows = sqlx::query(query).fetch_all(&mut connection).await.unwrap();
                connection.close().await.unwrap();
                rows.iter().map(|row| row.get(0)).collect()
            }
            Kind::Postgres => {
                let mut connection = PgConnection::connect(&self.url).await.unwrap();
                let rows = sqlx::query(query).fetch_all(&mut connection).await.unwrap();
                connection.close().await.unwrap();
                rows.iter().map(|row| row.get(0)).collect()
            }
        }
    }

    /// How many rows a table holds.
    pub(crate) async fn rows_of(&self, table: &str) -> u64 {
        self.texts(&format!("SELECT CAST(COUNT(*) AS TEXT) FROM {table}")).await[0].parse().unwrap()
    }

    async fn remove(self) {
        self.store.close().await;
        if self.kind == Kind::Postgres {
            let name = self.url.rsplit('/').next().unwrap();
            let mut connection = PgConnection::connect(cluster().await).await.unwrap();
            let text = format!("DROP DATABASE \"{name}\" WITH (FORCE)");
            connection.execute(sqlx::raw_sql(AssertSqlSafe(text))).await.unwrap();
        }
    }
}

async fn empty(kind: Kind, folder: &TempDir) -> String {
    if kind == Kind::Sqlite {
        return format!("sqlite://{}", folder.path().join("kernex.db").display());
    }
    let cluster = cluster().await;
    // Folders of running tests have different names, and so do their databases.
    let folder = folder.path().file_name().unwrap().to_str().unwrap();
    let name = format!("store{}{}", std::process::id(), folder.replace('.', "_"));
    let mut connection = PgConnection::connect(cluster).await.unwrap();
    let text = format!("CREATE DATABASE \"{name}\"");
    connection.execute(sqlx::raw_sql(AssertSqlSafe(text))).await.unwrap();
    format!("{}/{name}", cluster.rsplit_once('/').unwrap().0)
}

async fn cluster() -> &'static str {
    let url = tokio::task::spawn_blocking(kernex_testpg::shared_url).await.unwrap();
    url.unwrap_or_else(|error| panic!("{error}"))
}
