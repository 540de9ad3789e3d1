//! A private PostgreSQL cluster for tests: in a temporary folder, on a free port of 127.0.0.1, with a password of its own,
//! and gone when its owner is gone. A cluster that runs already is never looked at.
//!
//! `cargo xtask test` starts one and passes its address on in [`URL_VARIABLE`]; a test that is run without it starts one for
//! its own process. Kept apart from `kernex-testkit` because `xtask` needs it and must stay quick to build.

mod account;
mod cluster;
mod leftovers;
mod programs;
mod supervisor;

use std::sync::OnceLock;

pub use cluster::Cluster;
pub use programs::{BIN_VARIABLE, Programs, find_programs};

/// Names the environment variable with the address of a cluster in which tests may create databases.
pub const URL_VARIABLE: &str = "KERNEX_TEST_POSTGRES_URL";

/// Why there is no cluster.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// PostgreSQL is not installed.
    #[error(
        "PostgreSQL's server programs (initdb, postgres) are not on this machine: run `cargo xtask test`, which installs \
         them, or name their folder in {BIN_VARIABLE}"
    )]
    NoPrograms,
    /// PostgreSQL refuses to run as root, and there is no other account.
    #[error("PostgreSQL does not run as root, and this machine has neither a user `postgres` nor `nobody`")]
    NoAccount,
    /// The folder or the processes could not be made.
    #[error("cannot {what}: {source}")]
    System {
        /// What was tried.
        what: &'static str,
        /// Why not.
        source: std::io::Error,
    },
    /// PostgreSQL did not come up.
    #[error("PostgreSQL did not start; its log ends with:\n{log}")]
    NotStarted {
        /// The last lines.
        log: String,
    },
}

impl Error {
    fn system(what: &'static str) -> impl FnOnce(std::io::Error) -> Self {
        move |source| Self::System { what, source }
    }
}

/// The address of a cluster in which tests may create databases: the one in [`URL_VARIABLE`], or else one of this process,
/// started at the first call and gone with the process.
pub fn shared_url() -> Result<&'static str, &'static Error> {
    static SHARED: OnceLock<Result<(String, Option<Cluster>), Error>> = OnceLock::new();
    let shared = SHARED.get_or_init(|| match std::env::var(URL_VARIABLE) {
        Ok(url) if !url.is_empty() => Ok((url, None)),
        _ => Cluster::start().map(|cluster| (cluster.url().to_owned(), Some(cluster))),
    });
    shared.as_ref().map(|(url, _)| url.as_str())
}
