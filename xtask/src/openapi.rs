//! The committed OpenAPI document.

use std::{fs, path::PathBuf};

use anyhow::{Context as _, Result, ensure};

use crate::{command, workspace};

fn path() -> PathBuf {
    workspace::root().join("openapi/kernex.json")
}

/// `cargo xtask openapi`.
pub(crate) fn write() -> Result<()> {
    let document = generate()?;
    fs::write(path(), document).with_context(|| format!("cannot write {}", path().display()))?;
    println!("wrote openapi/kernex.json");
    Ok(())
}

/// Fails when the committed document is not what the handlers say.
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
    command::output(&mut workspace::cargo(&["run", "--quiet", "--package", "kernex-server", "--", "openapi"]))
}
