//! Programs of the operating system: installed when they are missing, and said.

use std::{path::Path, process::Command};

use anyhow::{Context as _, Result, bail};

use crate::command;

/// Installs a Debian package, as root or with sudo.
pub(crate) fn install(package: &str) -> Result<()> {
    if !Path::new("/usr/bin/apt-get").exists() {
        bail!("this machine has no apt-get");
    }
    let install = ["install", "-y", "--no-install-recommends", package];
    if apt_get(&install).is_err() {
        apt_get(&["update"]).context("the list of packages cannot be fetched")?;
        apt_get(&install).with_context(|| format!("{package} cannot be installed"))?;
    }
    Ok(())
}

fn apt_get(arguments: &[&str]) -> Result<()> {
    let mut command = if rustix::process::geteuid().is_root() {
        Command::new("apt-get")
    } else {
        let mut sudo = Command::new("sudo");
        sudo.args(["--preserve-env=DEBIAN_FRONTEND,RUNLEVEL", "apt-get"]);
        sudo
    };
    // RUNLEVEL=1: a service that the package brings is not started; nobody asked for it.
    command::run(command.args(arguments).env("DEBIAN_FRONTEND", "noninteractive").env("RUNLEVEL", "1"))
}
