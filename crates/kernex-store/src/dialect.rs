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

    /// The same for many texts.
    pub(crate) fn in_texts(self, column: &str, parameter: usize) -> String {
        match self {
            Self::Sqlite => format!("{column} IN (SELECT value FROM json_each(${parameter}))"),
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

    /// What stands before a statement to learn its plan.
    pub(crate) fn explain(self) -> &'static str {
        match self {
            Self::Sqlite => "EXPLAIN QUERY PLAN",
            Self::Postgres => "EXPLAIN",
        }
    }

    /// The column in which a plan's lines come.
    pub(crate) fn explained(self) -> &'static str {
        match self {
            Self::Sqlite => "detail",
            Self::Postgres => "QUERY PLAN",
        }
    }

    /// Makes the planner of this transaction prefer any index to reading a whole table.
    pub(crate) fn avoid_scans(self) -> &'static [&'static str] {
        match self {
            Self::Sqlite => &[],
            Self::Postgres => &["SET LOCAL enable_seqscan = off"],
        }
    }

    /// Whether a text holds another whose letters a-z are small, whatever their case is in the first. Byte by byte, so that
    /// both databases and a comparison in memory agree.
    pub(crate) fn holds(self, column: &str, parameter: usize) -> String {
        match self {
            Self::Sqlite => format!("instr(lower({column}), ${parameter}) > 0"),
            Self::Postgres => format!("strpos(lower({column} COLLATE \"C\"), ${parameter}) > 0"),
        }
    }
}

/// SQLite has no arrays: ids travel as a JSON list of hex texts.
pub(crate) fn ids_as_json(ids: &[Uuid]) -> String {
    let list: Vec<String> = ids.iter().map(|id| id.simple().to_string()).collect();
    serde_json::Value::from(list).to_string()
}
