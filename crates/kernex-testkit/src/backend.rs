//! The databases that a suite runs on.

use std::{
    path::Path,
    sync::atomic::{AtomicU32, Ordering},
};

use sqlx::{AssertSqlSafe, Connection as _, PgConnection};

/// A kind of database.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Backend {
    /// A file of its own.
    Sqlite,
    /// A database of its own in a private cluster.
    Postgres,
}

impl Backend {
    /// Every kind; a suite that must hold on both runs once for each.
    pub const fn all() -> [Self; 2] {
        [Self::Sqlite, Self::Postgres]
    }

    /// A fresh, empty database.
    pub async fn database(self) -> Database {
        match self {
            Self::Sqlite => Database { postgres: None },
            Self::Postgres => Database { postgres: Some(PostgresDatabase::create().await) },
        }
    }
}

/// One database, gone with this value.
#[derive(Debug)]
pub struct Database {
    postgres: Option<PostgresDatabase>,
}

impl Database {
    /// Its address, for a control plane with this data folder.
    pub fn url(&self, data_dir: &Path) -> String {
        match &self.postgres {
            Some(postgres) => postgres.url.clone(),
            None => format!("sqlite:{}", data_dir.join("kernex.db").display()),
        }
    }
}

#[derive(Debug)]
struct PostgresDatabase {
    name: String,
    url: String,
}

impl PostgresDatabase {
    async fn create() -> Self {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        // Starting a cluster waits; it must not hold up the other tasks of the test.
        let cluster =
            tokio::task::spawn_blocking(kernex_testpg::shared_url).await.expect("it does not panic");
        let cluster = cluster.unwrap_or_else(|error| panic!("no PostgreSQL for this test: {error}"));
        let name = format!("kernex_{}_{}", std::process::id(), NUMBER.fetch_add(1, Ordering::Relaxed));
        execute(cluster, format!("CREATE DATABASE {name}")).await.expect("the cluster makes a database");
        let (server, _) =
            cluster.rsplit_once('/').expect("the cluster's address names its maintenance database");
        let url = format!("{server}/{name}");
        Self { name, url }
    }
}

impl Drop for PostgresDatabase {
    /// Gives the space back while other tests run; the cluster itself goes away later.
    fn drop(&mut self) {
        let statement = format!("DROP DATABASE IF EXISTS {} WITH (FORCE)", self.name);
        let drop_it = move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
            let Ok(cluster) = kernex_testpg::shared_url() else { return Ok(()) };
            runtime.block_on(execute(cluster, statement)).map_err(std::io::Error::other)
        };
        // Inside a runtime another one cannot wait; and a database that stays is no reason to fail.
        let _ = std::thread::spawn(drop_it).join();
    }
}

async fn execute(cluster: &str, statement: String) -> sqlx::Result<()> {
    let mut connection = PgConnection::connect(cluster).await?;
    sqlx::raw_sql(AssertSqlSafe(statement)).execute(&mut connection).await?;
    connection.close().await
}
