//! `cargo xtask killsweep` and `cargo xtask faults`: every point of the sweeps over the real agent.

use anyhow::Result;

use crate::{command, workspace};

/// What is handed on to the sweep
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// `--sample N`, `--jobs N`, and `--scenario NAME` or `--fault NAME`
    #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
    further: Vec<String>,
}

/// Kills the agent before every call that writes.
pub(crate) fn kill(args: &Args) -> Result<()> {
    sweep("kill", args)
}

/// Lets every call that writes fail.
pub(crate) fn fail(args: &Args) -> Result<()> {
    sweep("fault", args)
}

fn sweep(what: &str, args: &Args) -> Result<()> {
    // All targets, as the tests build them, so that nothing is built a second time.
    command::run(&mut workspace::cargo(&["build", "--workspace", "--all-targets"]))?;
    let sweep = ["run", "--quiet", "--bin", "kernex-killsweep", "--", what];
    command::run(workspace::cargo(&sweep).args(&args.further))
}
