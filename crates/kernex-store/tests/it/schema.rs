//! The schema: the same on both databases, never older than the data.

use std::collections::BTreeSet;

use kernex_store::{Error, Options, Store};

use crate::{
    database::{Database, Kind},
    fleet::{ORG, device},
};

on_both!(
    a_database_of_a_newer_program_is_refused_and_left_alone,
    opening_again_keeps_what_is_there,
    replicas_that_start_together_agree,
    a_database_that_answers_passes_the_check,
);

async fn a_database_of_a_newer_program_is_refused_and_left_alone(db: &Database) {
    device(&db.store, ORG, "key").await;
    let insert = match db.kind {
        Kind::Sqlite => "INSERT INTO _sqlx_migrations VALUES (99, 'later', CURRENT_TIMESTAMP, 1, x'00', 0)",
        Kind::Postgres => "INSERT INTO _sqlx_migrations VALUES (99, 'later', now(), true, '\\x00', 0)",
    };
    db.execute(insert).await;
    let error = db.reopen().await.unwrap_err();
    assert!(matches!(error, Error::TooNew { found: 99, .. }), "{error}");
    let text = error.to_string();
    assert!(text.contains("version 99") && text.contains("newer kernex-server"), "{text}");
    assert_eq!(db.rows_of("devices").await, 1);
}

async fn opening_again_keeps_what_is_there(db: &Database) {
    let id = device(&db.store, ORG, "key").await;
    db.store.close().await;
    let again = db.replica().await;
    assert!(again.find_device(ORG, id).await.unwrap().is_some());
}

async fn replicas_that_start_together_agree(db: &Database) {
    // A database without a schema, as if this were the first start.
    match db.kind {
        Kind::Sqlite => {
            db.store.close().await;
            for file in std::fs::read_dir(db.folder()).unwrap() {
                std::fs::remove_file(file.unwrap().path()).unwrap();
            }
        }
        Kind::Postgres => db.execute("DROP SCHEMA public CASCADE; CREATE SCHEMA public").await,
    }
    let starts = (0..4).map(|_| db.reopen());
    for store in futures_util::future::join_all(starts).await {
        store.unwrap().check().await.unwrap();
    }
    assert_eq!(db.rows_of("organizations").await, 1);
}

async fn a_database_that_answers_passes_the_check(db: &Database) {
    db.store.check().await.unwrap();
    db.store.check().await.unwrap();
    let kind = match db.kind {
        Kind::Sqlite => "sqlite",
        Kind::Postgres => "postgres",
    };
    assert_eq!(db.store.kind(), kind);
}

#[tokio::test]
async fn both_databases_have_the_same_tables_columns_and_indexes() {
    let (sqlite, postgres) = (Database::create(Kind::Sqlite).await, Database::create(Kind::Postgres).await);
    let columns = [
        sqlite
            .texts(
                "SELECT m.name || '.' || c.name || ' ' || CASE WHEN c.\"notnull\" = 1 OR c.pk > 0 THEN 'not null' ELSE 'null' END \
                 FROM sqlite_master m JOIN pragma_table_info(m.name) c \
                 WHERE m.type = 'table' AND m.name NOT LIKE 'sqlite_%' AND m.name <> '_sqlx_migrations'",
            )
            .await,
        postgres
            .texts(
                "SELECT table_name || '.' || column_name || ' ' || CASE is_nullable WHEN 'NO' THEN 'not null' ELSE 'null' END \
                 FROM information_schema.columns WHERE table_schema = 'public' AND table_name <> '_sqlx_migrations'",
            )
            .await,
    ];
    let indexes = [
        sqlite.texts("SELECT name FROM sqlite_master WHERE type = 'index' AND sql IS NOT NULL").await,
        postgres
            .texts(
                "SELECT indexname::text FROM pg_indexes WHERE schemaname = 'public' \
                 AND indexname NOT LIKE '%\\_pkey' AND indexname NOT LIKE '%\\_key'",
            )
            .await,
    ];
    for [sqlite, postgres] in [columns, indexes] {
        let (sqlite, postgres): (BTreeSet<_>, BTreeSet<_>) =
            (sqlite.into_iter().collect(), postgres.into_iter().collect());
        assert!(!sqlite.is_empty());
        let only = |one: &BTreeSet<String>, other: &BTreeSet<String>| {
            one.difference(other).cloned().collect::<Vec<_>>()
        };
        assert_eq!(
            (only(&sqlite, &postgres), only(&postgres, &sqlite)),
            (vec![], vec![]),
            "only on one of them"
        );
    }
}

#[test]
fn both_folders_hold_the_same_migrations() {
    let names = |folder: &str| -> BTreeSet<String> {
        let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("migrations").join(folder);
        let entries = std::fs::read_dir(folder).unwrap();
        entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect()
    };
    assert_eq!(names("sqlite"), names("postgres"));
}

#[tokio::test]
async fn an_address_that_names_no_database_is_refused_with_a_sentence() {
    for (url, sentence) in [
        ("mysql://localhost/kernex", "it must begin with sqlite: or postgres:"),
        ("", "it must begin with sqlite: or postgres:"),
        (
            "postgres://user:secret@host:port/name",
            "it is not of the form postgres://user:password@host/database",
        ),
    ] {
        let error = Store::open(&Options::new(url)).await.unwrap_err();
        assert!(matches!(error, Error::Address(_)), "{error}");
        let text = error.to_string();
        assert!(text.contains(sentence) && !text.contains("secret"), "{text}");
    }
}
