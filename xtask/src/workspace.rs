//! Where things are, and cargo.

use std::{
    env,
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Context as _, Result};
use serde_json::Value;

use crate::command;

/// The workspace's folder.
pub(crate) fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("xtask is a folder of the workspace")
}

/// The cargo that runs this.
pub(crate) fn cargo(arguments: &[&str]) -> Command {
    let mut command = Command::new(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    command.current_dir(root()).args(arguments);
    command
}

/// Everything that cargo knows of the workspace and its dependencies; fails when Cargo.lock is not up to date.
pub(crate) fn metadata() -> Result<Value> {
    let text = command::output(&mut cargo(&["metadata", "--locked", "--format-version", "1"]))?;
    serde_json::from_str(&text).context("cargo metadata does not print JSON")
}

/// Where cargo puts what it builds.
pub(crate) fn target() -> PathBuf {
    root().join(env::var_os("CARGO_TARGET_DIR").unwrap_or_else(|| "target".into()))
}

/// Where cargo puts a program of this workspace.
pub(crate) fn program(name: &str, profile: &str) -> Result<PathBuf> {
    let program = target().join(profile).join(name);
    anyhow::ensure!(program.is_file(), "{} is missing although it was built", program.display());
    Ok(program)
}
