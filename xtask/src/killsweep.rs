//! `cargo xtask killsweep`: every point of the kill sweep.

use anyhow::Result;

use crate::{command, workspace};

/// Kill the real agent before every system call that writes, and look whether it comes back right
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// What is handed on: `--scenario NAME`, `--sample N`, `--jobs N`
    #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
    further: Vec<String>,
}

pub(crate) fn run(args: &Args) -> Result<()> {
    // All targets, as the tests build them, so that nothing is built a second time.
    command::run(&mut workspace::cargo(&["build", "--workspace", "--all-targets"]))?;
    let sweep = ["run", "--quiet", "--package", "kernex-killsweep", "--"];
    command::run(workspace::cargo(&sweep).args(&args.further))
}
