//! What a store call can end with beside its answer.

/// Why a store call did not succeed.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A row with the same unique key exists.
    #[error("exists already")]
    Exists,
    /// The device's request is not newer than the last one accepted from it, or the device is no longer let in.
    #[error("the request was replayed")]
    Replayed,
    /// The `Idempotency-Key` was used for another request.
    #[error("the idempotency key was used for another request")]
    IdempotencyMismatch,
    /// The database was written by a newer program.
    #[error(
        "the database is at schema version {found}, but this program knows only up to {known}; use the newer kernex-server that \
         wrote it, or restore a backup from before the upgrade"
    )]
    TooNew {
        /// The version found.
        found: i64,
        /// The newest version that this program knows.
        known: i64,
    },
    /// The address of the database is not usable.
    #[error("the database address is not usable: {0}")]
    Address(String),
    /// The database does not answer, is full, or cannot be written; trying again later may help.
    #[error("the database is not available: {0}")]
    Unavailable(sqlx::Error),
    /// A stored value cannot be read back: the database was changed by hand, or there is a fault in this program.
    #[error("column {column} holds an unexpected value: {reason}")]
    Corrupt {
        /// The column.
        column: String,
        /// What is wrong with it.
        reason: String,
    },
    /// Any other failure of the database.
    #[error("the database refused a statement: {0}")]
    Database(sqlx::Error),
}

impl From<sqlx::Error> for Error {
    fn from(error: sqlx::Error) -> Self {
        match &error {
            sqlx::Error::Io(_)
            | sqlx::Error::Tls(_)
            | sqlx::Error::PoolTimedOut
            | sqlx::Error::PoolClosed
            | sqlx::Error::WorkerCrashed
            | sqlx::Error::Protocol(_) => Self::Unavailable(error),
            sqlx::Error::Database(cause) if cause.is_unique_violation() => Self::Exists,
            sqlx::Error::Database(cause) if is_passing(cause.code().as_deref()) => Self::Unavailable(error),
            _ => Self::Database(error),
        }
    }
}

/// Codes of faults outside this program: SQLite's primary result codes (the low byte of the extended code) and PostgreSQL's
/// SQLSTATE classes.
fn is_passing(code: Option<&str>) -> bool {
    const SQLITE: [u32; 9] = [5, 6, 8, 10, 11, 13, 14, 17, 26]; // BUSY LOCKED READONLY IOERR CORRUPT FULL CANTOPEN SCHEMA NOTADB
    const POSTGRES: [&str; 7] = ["08", "25006", "40", "53", "55", "57", "58"]; // connection, read-only, rollback, resources, lock, shutdown, I/O
    let Some(code) = code else { return false };
    if code.len() == 5 && !code.starts_with('0') || code.starts_with("08") {
        return POSTGRES.iter().any(|class| code.starts_with(class));
    }
    code.parse::<u32>().is_ok_and(|code| SQLITE.contains(&(code & 0xff)))
}

#[cfg(test)]
mod tests {
    use super::is_passing;

    #[test]
    fn faults_outside_the_program_are_told_from_wrong_statements() {
        for code in ["5", "13", "522", "1032", "08006", "53100", "57P01", "25006", "40P01"] {
            assert!(is_passing(Some(code)), "{code}");
        }
        for code in ["1", "19", "2067", "42601", "23505", "22001"] {
            assert!(!is_passing(Some(code)), "{code}");
        }
    }
}
