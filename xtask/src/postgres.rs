//! PostgreSQL's server programs: found, or installed.

use anyhow::{Context as _, Result, bail};
use kernex_testpg::{BIN_VARIABLE, Cluster, find_programs};

use crate::packages;

const HOW: &str = "install PostgreSQL's server (Debian: `apt-get install postgresql`) and try again";

/// A private cluster; installs PostgreSQL's programs when they are missing.
pub(crate) fn start_cluster() -> Result<Cluster> {
    if find_programs().is_none() {
        println!("PostgreSQL's server programs are not on this machine: installing them with apt-get");
        install()?;
    }
    let cluster = Cluster::start().context("there is no private PostgreSQL cluster")?;
    println!("private PostgreSQL cluster in {}", cluster.folder().display());
    Ok(cluster)
}

fn install() -> Result<()> {
    if std::env::var_os(BIN_VARIABLE).is_some_and(|folder| !folder.is_empty()) {
        bail!("{BIN_VARIABLE} names a folder without initdb and postgres");
    }
    packages::install("postgresql")
        .with_context(|| format!("{HOW}, or name the folder of initdb and postgres in {BIN_VARIABLE}"))?;
    find_programs().map(drop).with_context(|| {
        format!("PostgreSQL was installed, but initdb and postgres are not found; name their folder in {BIN_VARIABLE}")
    })
}
