//! Parts of the toolchain that a minimal installation lacks.

use std::process::{Command, Stdio};

use anyhow::{Context as _, Result};

use crate::{command, workspace};

/// Makes sure that `cargo NAME` works; adds the component with rustup when it does not.
pub(super) fn ensure(name: &str, component: &str) -> Result<()> {
    let mut probe = workspace::cargo(&[name, "--version"]);
    let works =
        probe.stdout(Stdio::null()).stderr(Stdio::null()).status().is_ok_and(|status| status.success());
    if works {
        return Ok(());
    }
    println!("`cargo {name}` is not on this machine: adding it with rustup");
    let mut add = Command::new("rustup");
    add.args(["component", "add", component]).current_dir(workspace::root());
    command::run(&mut add)
        .with_context(|| format!("`cargo {name}` is missing; install the component {component}"))
}
