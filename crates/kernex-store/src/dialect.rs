//! The true differences between the two databases, each with a name.

use uuid::Uuid;

use crate::sql::Dialect;

impl Dialect {
    /// An expression that is true when the column is one of many ids, bound as one parameter.
    pub(crate) fn in_ids(self, column: &str, parameter: usize) -> String {
        match self {
            Self::Sqlite => format!("{column} IN (SELECT unhex(value) FROM json_each(${parameter}))"),
            Self::Postgres => format!("{column} = ANY(${parameter})"),
        }
    }

    /// A table of one column `id` from many ids, bound as one parameter.
    pub(crate) fn table_of_ids(self, parameter: usize) -> String {
        match self {
            Self::Sqlite => format!("(SELECT unhex(value) AS id FROM json_each(${parameter}))"),
            Self::Postgres => format!("(SELECT unnest(${parameter}::uuid[]) AS id)"),
        }
    }

    /// What ends a SELECT so that the rows stay as they are until the transaction ends. SQLite's one writer needs nothing.
    pub(crate) fn for_update(self) -> &'static str {
        match self {
            Self::Sqlite => "",
            Self::Postgres => " FOR UPDATE",
        }
    }

    /// What ends a SELECT so that the rows of a table stay as they are, without those that another transaction holds: it has its
    /// own plans for them. SQLite's one writer needs nothing.
    pub(crate) fn for_update_of_free(self, table: &str) -> String {
        match self {
            Self::Sqlite => String::new(),
            Self::Postgres => format!(" FOR UPDATE OF {table} SKIP LOCKED"),
        }
    }

    /// Containment of a text in another without regard to case; `%`, `_` and `\` in the parameter must be escaped by `\`.
    pub(crate) fn contains(self, column: &str, parameter: usize) -> String {
        match self {
            Self::Sqlite => format!("{column} LIKE ${parameter} ESCAPE '\\'"),
            Self::Postgres => format!("{column} ILIKE ${parameter} ESCAPE '\\'"),
        }
    }

    /// The lower-case hex text of an id column without hyphens.
    pub(crate) fn id_as_hex(self, column: &str) -> String {
        match self {
            Self::Sqlite => format!("lower(hex({column}))"),
            Self::Postgres => format!("replace({column}::text, '-', '')"),
        }
    }
}

/// SQLite has no arrays: ids travel as a JSON list of hex texts.
pub(crate) fn ids_as_json(ids: &[Uuid]) -> String {
    let list: Vec<String> = ids.iter().map(|id| id.simple().to_string()).collect();
    serde_json::Value::from(list).to_string()
}
