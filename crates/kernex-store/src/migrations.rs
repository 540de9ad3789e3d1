//! The schema's versions. Both databases have the same list; a migration that has shipped is never edited.

use sqlx::{
    SqlStr,
    migrate::{Migration, MigrationType, Migrator},
};

use crate::{
    Error, Result,
    sql::{Db, Dialect, Reader, Run, sql},
};

struct Step {
    version: i64,
    name: &'static str,
    sqlite: &'static str,
    postgres: &'static str,
}

/// One line per file, so that its name stands once.
macro_rules! steps {
    ($($version:literal $name:literal $file:literal),+ $(,)?) => {
        &[$(Step {
            version: $version,
            name: $name,
            sqlite: include_str!(concat!("../migrations/sqlite/", $file, ".sql")),
            postgres: include_str!(concat!("../migrations/postgres/", $file, ".sql")),
        }),+]
    };
}

const STEPS: &[Step] = steps![
    1 "initial" "0001_initial",
    10 "people" "0010_people",
    30 "audit" "0030_audit",
    40 "selectors" "0040_selectors",
    41 "groups" "0041_groups",
    42 "events" "0042_events",
    43 "webhooks" "0043_webhooks",
    44 "timeline" "0044_timeline",
    45 "offline" "0045_offline",
];

/// Brings the schema up to date, or refuses a database that a newer program wrote. Replicas that start together wait for one
/// another.
pub(crate) async fn migrate(db: &Db) -> Result<()> {
    refuse_newer(db).await?;
    match db {
        Db::Sqlite { write, .. } => migrate_sqlite(write).await,
        Db::Postgres(pool) => migrator(Dialect::Postgres).run(pool).await,
    }
    .map_err(|error| match error {
        sqlx::migrate::MigrateError::Execute(cause) => cause.into(),
        other => Error::Database(sqlx::Error::Migrate(Box::new(other))),
    })
}

/// sqlx takes no lock here: of two programs that start at the same time one finds done what it begins, and looks again.
async fn migrate_sqlite(write: &sqlx::SqlitePool) -> std::result::Result<(), sqlx::migrate::MigrateError> {
    let migrator = migrator(Dialect::Sqlite);
    for _ in STEPS {
        match migrator.run(write).await {
            Err(sqlx::migrate::MigrateError::ExecuteMigration(..)) => {}
            outcome => return outcome,
        }
    }
    migrator.run(write).await
}

fn migrator(dialect: Dialect) -> Migrator {
    let migrations = STEPS.iter().map(|step| {
        let text = match dialect {
            Dialect::Sqlite => step.sqlite,
            Dialect::Postgres => step.postgres,
        };
        Migration::new(
            step.version,
            step.name.into(),
            MigrationType::Simple,
            SqlStr::from_static(text),
            false,
        )
    });
    Migrator::with_migrations(migrations.collect())
}

async fn refuse_newer(db: &Db) -> Result<()> {
    let (mut reader, exists) = (Reader(db), table_exists(db).await?);
    if !exists {
        return Ok(());
    }
    let row =
        reader.fetch_one(sql("SELECT COALESCE(MAX(version), 0) AS version FROM _sqlx_migrations")).await?;
    let found: i64 = row.get("version")?;
    let known = STEPS.last().map_or(0, |step| step.version);
    if found > known { Err(Error::TooNew { found, known }) } else { Ok(()) }
}

async fn table_exists(db: &Db) -> Result<bool> {
    let text = match db {
        Db::Sqlite { .. } => {
            "SELECT 1 AS found FROM sqlite_master WHERE type = 'table' AND name = '_sqlx_migrations'"
        }
        Db::Postgres(_) => {
            "SELECT 1 AS found FROM information_schema.tables \
             WHERE table_schema = current_schema() AND table_name = '_sqlx_migrations'"
        }
    };
    Ok(Reader(db).fetch_optional(sql(text)).await?.is_some())
}
