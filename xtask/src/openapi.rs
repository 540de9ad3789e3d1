//! The committed OpenAPI document.

use std::{fs, path::PathBuf, process::Command};

use anyhow::{Context as _, Result, ensure};

use crate::{command, workspace};

fn path() -> PathBuf {
    workspace::root().join("openapi/kernex.json")
}

/// `cargo xtask openapi`.
pub(crate) fn write() -> Result<()> {
    command::run(&mut workspace::cargo(&["build", "--package", "kernex-server"]))?;
    let document = generate()?;
    fs::write(path(), document).with_context(|| format!("cannot write {}", path().display()))?;
    println!("wrote openapi/kernex.json");
    Ok(())
}

/// Fails when the committed document is not what the handlers say. The server must have been built.
pub(crate) fn check() -> Result<()> {
    let committed = fs::read_to_string(path()).context("openapi/kernex.json cannot be read")?;
    let generated = generate()?;
    let different = committed.lines().zip(generated.lines()).position(|(one, other)| one != other);
    let line = different.unwrap_or_else(|| committed.lines().count().min(generated.lines().count())) + 1;
    ensure!(
        committed == generated,
        "openapi/kernex.json is not what the handlers say (first difference in line {line}): run `cargo xtask openapi`"
    );
    Ok(())
}

fn generate() -> Result<String> {
    command::output(Command::new(workspace::program("kernex-server", "debug")?).arg("openapi"))
}
