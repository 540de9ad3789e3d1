//! The one mechanism that runs a statement on either database: a text with `$1`-style parameters, values, rows.

use std::{borrow::Cow, fmt::Display, str::FromStr};

use kernex_core::Timestamp;
use serde::de::DeserializeOwned;
use sqlx::{
    AssertSqlSafe, Postgres, Row as _, Sqlite, SqlitePool,
    postgres::{PgArguments, PgPool, PgRow},
    query::Query as SqlxQuery,
    sqlite::{SqliteArguments, SqliteRow},
};
use uuid::Uuid;

use crate::{Error, Result};

/// A database with its connections.
#[derive(Clone, Debug)]
pub(crate) enum Db {
    /// One writer, several readers beside it.
    Sqlite { write: SqlitePool, read: SqlitePool },
    /// A pool for everything.
    Postgres(PgPool),
}

/// Which database.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Dialect {
    Sqlite,
    Postgres,
}

/// A parameter of a statement.
#[derive(Clone, Debug)]
pub(crate) enum Value {
    Int(Option<i64>),
    Real(Option<f64>),
    Text(Option<String>),
    Bytes(Vec<u8>),
    Uuid(Option<Uuid>),
    /// Many ids as one parameter; [`crate::dialect::in_ids`] says how to ask for them.
    Uuids(Vec<Uuid>),
    Texts(Vec<String>),
}

macro_rules! values {
    ($($from:ty => |$value:ident| $make:expr;)*) => {$(
        impl From<$from> for Value {
            fn from($value: $from) -> Self { $make }
        }
    )*};
}

values! {
    i64 => |v| Value::Int(Some(v));
    Option<i64> => |v| Value::Int(v);
    u32 => |v| Value::Int(Some(i64::from(v)));
    u64 => |v| Value::Int(Some(i64::try_from(v).unwrap_or(i64::MAX)));
    f64 => |v| Value::Real(Some(v));
    Option<f64> => |v| Value::Real(v);
    String => |v| Value::Text(Some(v));
    &str => |v| Value::Text(Some(v.to_owned()));
    Option<&str> => |v| Value::Text(v.map(str::to_owned));
    Option<String> => |v| Value::Text(v);
    &[u8] => |v| Value::Bytes(v.to_vec());
    Uuid => |v| Value::Uuid(Some(v));
    Option<Uuid> => |v| Value::Uuid(v);
    Vec<Uuid> => |v| Value::Uuids(v);
    Vec<String> => |v| Value::Texts(v);
    Timestamp => |v| Value::Int(Some(v.as_millis()));
    Option<Timestamp> => |v| Value::Int(v.map(Timestamp::as_millis));
}

macro_rules! id_values {
    ($($id:ident)*) => {$(
        impl From<kernex_core::$id> for Value {
            fn from(id: kernex_core::$id) -> Self { Value::Uuid(Some(id.0)) }
        }
    )*};
}
id_values!(ApiKeyId DeviceId GroupId WebhookId WebhookDeliveryId BundleId DeploymentId OrganizationId UserId SessionId RegistrationTokenId);

/// A statement with its values.
#[derive(Clone, Debug)]
pub(crate) struct Query {
    text: Cow<'static, str>,
    values: Vec<Value>,
}

/// A statement that is written in the source.
pub(crate) fn sql(text: &'static str) -> Query {
    Query { text: Cow::Borrowed(text), values: Vec::new() }
}

/// A statement that was put together from texts in the source; values only ever go in by [`Query::bind`].
pub(crate) fn built(text: String) -> Query {
    Query { text: Cow::Owned(text), values: Vec::new() }
}

impl Query {
    /// The next parameter.
    pub(crate) fn bind(mut self, value: impl Into<Value>) -> Self {
        self.values.push(value.into());
        self
    }

    fn sqlite(self) -> SqlxQuery<'static, Sqlite, SqliteArguments> {
        let mut query = sqlx::query(AssertSqlSafe(self.text.into_owned()));
        for value in self.values {
            query = match value {
                Value::Int(v) => query.bind(v),
                Value::Real(v) => query.bind(v),
                Value::Text(v) => query.bind(v),
                Value::Bytes(v) => query.bind(v),
                Value::Uuid(v) => query.bind(v),
                Value::Uuids(v) => query.bind(crate::dialect::ids_as_json(&v)),
                Value::Texts(v) => query.bind(serde_json::Value::from(v).to_string()),
            };
        }
        query
    }

    fn postgres(self) -> SqlxQuery<'static, Postgres, PgArguments> {
        let mut query = sqlx::query(AssertSqlSafe(self.text.into_owned()));
        for value in self.values {
            query = match value {
                Value::Int(v) => query.bind(v),
                Value::Real(v) => query.bind(v),
                Value::Text(v) => query.bind(v),
                Value::Bytes(v) => query.bind(v),
                Value::Uuid(v) => query.bind(v),
                Value::Uuids(v) => query.bind(v),
                Value::Texts(v) => query.bind(v),
            };
        }
        query
    }
}

/// What can run statements: a database outside a transaction, or a transaction.
pub(crate) trait Run {
    /// Every row.
    async fn fetch_all(&mut self, query: Query) -> Result<Vec<Row>>;
    /// How many rows were changed.
    async fn execute(&mut self, query: Query) -> Result<u64>;

    /// The only row, if there is one.
    async fn fetch_optional(&mut self, query: Query) -> Result<Option<Row>> {
        Ok(self.fetch_all(query).await?.pop())
    }

    /// The only row, of a statement that always has one.
    async fn fetch_one(&mut self, query: Query) -> Result<Row> {
        self.fetch_optional(query).await?.ok_or(Error::Database(sqlx::Error::RowNotFound))
    }
}

/// Reads outside a transaction, on a connection that cannot write where the database has such.
pub(crate) struct Reader<'a>(pub(crate) &'a Db);

impl Run for Reader<'_> {
    async fn fetch_all(&mut self, query: Query) -> Result<Vec<Row>> {
        Ok(match self.0 {
            Db::Sqlite { read, .. } => {
                query.sqlite().fetch_all(read).await?.into_iter().map(Row::Sqlite).collect()
            }
            Db::Postgres(pool) => {
                query.postgres().fetch_all(pool).await?.into_iter().map(Row::Postgres).collect()
            }
        })
    }

    async fn execute(&mut self, query: Query) -> Result<u64> {
        Ok(match self.0 {
            Db::Sqlite { read, .. } => query.sqlite().execute(read).await?.rows_affected(),
            Db::Postgres(pool) => query.postgres().execute(pool).await?.rows_affected(),
        })
    }
}

/// A transaction that may write; dropping it without [`Tx::commit`] undoes it.
#[derive(Debug)]
pub(crate) struct Tx {
    begun: Begun,
    /// What the audit record of this transaction will say.
    pub(crate) notes: Vec<crate::audit::Change>,
}

#[derive(Debug)]
enum Begun {
    Sqlite(sqlx::Transaction<'static, Sqlite>),
    Postgres(sqlx::Transaction<'static, Postgres>),
}

impl Tx {
    /// Begins one. On SQLite it takes the write lock at once, because a reader that turns writer would fail.
    pub(crate) async fn begin(db: &Db) -> Result<Self> {
        let begun = match db {
            Db::Sqlite { write, .. } => Begun::Sqlite(begin_immediate(write).await?),
            Db::Postgres(pool) => Begun::Postgres(pool.begin().await?),
        };
        Ok(Self { begun, notes: Vec::new() })
    }

    /// Makes everything durable, with the audit record that belongs to it.
    pub(crate) async fn commit(mut self) -> Result<()> {
        let scope = crate::audit::append_notes(&mut self).await?;
        self.commit_unrecorded().await?;
        if let Some(scope) = scope {
            scope.set_recorded();
        }
        Ok(())
    }

    /// Makes book-keeping durable that is nobody's action: a counter, the last use of a key.
    pub(crate) async fn commit_unrecorded(self) -> Result<()> {
        match self.begun {
            Begun::Sqlite(tx) => tx.commit().await?,
            Begun::Postgres(tx) => tx.commit().await?,
        }
        Ok(())
    }

    pub(crate) fn dialect(&self) -> Dialect {
        match self.begun {
            Begun::Sqlite(_) => Dialect::Sqlite,
            Begun::Postgres(_) => Dialect::Postgres,
        }
    }
}

/// SQLite undoes a transaction by itself when the disk is full or broken. sqlx then still counts it as begun, and refuses every
/// further one on that connection: it is replaced by a new one.
async fn begin_immediate(write: &SqlitePool) -> Result<sqlx::Transaction<'static, Sqlite>> {
    const BEGIN: &str = "BEGIN IMMEDIATE";
    match write.begin_with(BEGIN).await {
        Err(sqlx::Error::InvalidSavePointStatement) => {
            write.acquire().await?.close().await?;
            Ok(write.begin_with(BEGIN).await?)
        }
        begun => Ok(begun?),
    }
}

impl Run for Tx {
    async fn fetch_all(&mut self, query: Query) -> Result<Vec<Row>> {
        Ok(match &mut self.begun {
            Begun::Sqlite(tx) => {
                query.sqlite().fetch_all(&mut **tx).await?.into_iter().map(Row::Sqlite).collect()
            }
            Begun::Postgres(tx) => {
                query.postgres().fetch_all(&mut **tx).await?.into_iter().map(Row::Postgres).collect()
            }
        })
    }

    async fn execute(&mut self, query: Query) -> Result<u64> {
        Ok(match &mut self.begun {
            Begun::Sqlite(tx) => query.sqlite().execute(&mut **tx).await?.rows_affected(),
            Begun::Postgres(tx) => query.postgres().execute(&mut **tx).await?.rows_affected(),
        })
    }
}

/// One row of an answer.
#[derive(Debug)]
pub(crate) enum Row {
    Sqlite(SqliteRow),
    Postgres(PgRow),
}

/// A type that both databases give back as it is.
pub(crate) trait Column:
    for<'r> sqlx::Decode<'r, Sqlite>
    + sqlx::Type<Sqlite>
    + for<'r> sqlx::Decode<'r, Postgres>
    + sqlx::Type<Postgres>
{
}
impl Column for i64 {}
impl Column for f64 {}
impl Column for String {}
impl Column for Vec<u8> {}
impl Column for Uuid {}
impl<T: Column> Column for Option<T> where
    Option<T>: for<'r> sqlx::Decode<'r, Sqlite>
        + sqlx::Type<Sqlite>
        + for<'r> sqlx::Decode<'r, Postgres>
        + sqlx::Type<Postgres>
{
}

impl Row {
    /// A column as it is.
    pub(crate) fn get<T: Column>(&self, column: &'static str) -> Result<T> {
        match self {
            Self::Sqlite(row) => row.try_get(column),
            Self::Postgres(row) => row.try_get(column),
        }
        .map_err(|error| corrupt(column, error))
    }

    /// A count or size, which is never negative.
    pub(crate) fn count(&self, column: &'static str) -> Result<u64> {
        u64::try_from(self.get::<i64>(column)?).map_err(|error| corrupt(column, error))
    }

    /// A point in time.
    pub(crate) fn time(&self, column: &'static str) -> Result<Timestamp> {
        self.get(column).map(Timestamp::from_millis)
    }

    /// A point in time, or none.
    pub(crate) fn time_if_any(&self, column: &'static str) -> Result<Option<Timestamp>> {
        Ok(self.get::<Option<i64>>(column)?.map(Timestamp::from_millis))
    }

    /// A text that stands for something else: a state, a version, a name.
    pub(crate) fn parse<T: FromStr<Err: Display>>(&self, column: &'static str) -> Result<T> {
        self.get::<String>(column)?.parse().map_err(|error: T::Err| corrupt(column, error))
    }

    /// Such a text, or none.
    pub(crate) fn parse_if_any<T: FromStr<Err: Display>>(&self, column: &'static str) -> Result<Option<T>> {
        let text: Option<String> = self.get(column)?;
        text.map(|text| text.parse().map_err(|error: T::Err| corrupt(column, error))).transpose()
    }

    /// A JSON text.
    pub(crate) fn json<T: DeserializeOwned>(&self, column: &'static str) -> Result<T> {
        serde_json::from_str(&self.get::<String>(column)?).map_err(|error| corrupt(column, error))
    }
}

fn corrupt(column: &'static str, reason: impl Display) -> Error {
    Error::Corrupt { column: column.to_owned(), reason: reason.to_string() }
}

/// JSON for a column; a map of plain data always has a JSON form.
pub(crate) fn to_json<T: serde::Serialize>(value: &T) -> Result<String> {
    serde_json::to_string(value).map_err(|error| corrupt("(json)", error))
}
