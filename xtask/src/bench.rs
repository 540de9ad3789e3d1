//! `cargo xtask bench`: builds for release and runs the measurements of `kernex-e2e`.

use anyhow::Result;

use crate::{command, postgres, style, workspace};

/// Measure the release build and print a table
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Smaller sizes and shorter times, to see that it works
    #[arg(long)]
    quick: bool,
}

pub(crate) fn run(args: &Args) -> Result<()> {
    style::heading("build for release");
    let programs = ["build", "--release", "--package", "kernex-server", "--package", "kernex-agent"];
    command::run(&mut workspace::cargo(&programs))?;
    let cluster = postgres::start_cluster()?;
    style::heading("measure");
    let mut bench = workspace::cargo(&["bench", "--package", "kernex-e2e", "--bench", "figures", "--"]);
    if args.quick {
        bench.arg("--quick");
    }
    command::run(bench.env(kernex_testpg::URL_VARIABLE, cluster.url()))
}
