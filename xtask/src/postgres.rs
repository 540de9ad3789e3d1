//! PostgreSQL's server programs: found, or installed.

use std::{path::Path, process::Command};

use anyhow::{Context as _, Result, bail};
use kernex_testpg::{BIN_VARIABLE, Cluster, find_programs};

use crate::command;

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
    if !Path::new("/usr/bin/apt-get").exists() {
        bail!(
            "this machine has no apt-get; {HOW}, or name the folder of initdb and postgres in {BIN_VARIABLE}"
        );
    }
    let install = ["install", "-y", "--no-install-recommends", "postgresql"];
    if apt_get(&install).is_err() {
        apt_get(&["update"]).with_context(|| format!("the list of packages cannot be fetched; {HOW}"))?;
        apt_get(&install).with_context(|| format!("PostgreSQL cannot be installed; {HOW}"))?;
    }
    find_programs().map(drop).with_context(|| {
        format!("PostgreSQL was installed, but initdb and postgres are not found; name their folder in {BIN_VARIABLE}")
    })
}

fn apt_get(arguments: &[&str]) -> Result<()> {
    let mut command = if rustix::process::geteuid().is_root() {
        Command::new("apt-get")
    } else {
        let mut sudo = Command::new("sudo");
        sudo.args(["--preserve-env=DEBIAN_FRONTEND,RUNLEVEL", "apt-get"]);
        sudo
    };
    // RUNLEVEL=1: the service that the package brings is not started; nobody asked for it.
    command::run(command.args(arguments).env("DEBIAN_FRONTEND", "noninteractive").env("RUNLEVEL", "1"))
}
