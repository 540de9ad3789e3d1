//! `cargo xtask bench`: builds for release and runs the measurements of `kernex-e2e`.

use std::{path::PathBuf, process::Command};

use anyhow::{Context as _, Result};
use serde_json::Value;

use crate::{command, postgres, style, workspace};

/// Measure the release build and print a table
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Smaller sizes and shorter times, to see that it works
    #[arg(long)]
    quick: bool,
}

pub(crate) fn run(args: &Args) -> Result<()> {
    style::heading("build for release (some minutes)");
    let figures = build()?;
    let cluster = postgres::start_cluster()?;
    style::heading("measure");
    let mut measure = Command::new(figures);
    if args.quick {
        measure.arg("--quick");
    }
    command::run(measure.env(kernex_testpg::URL_VARIABLE, cluster.url()))
}

/// Programs and measurements in one go, so that they share every crate; gives the path of the measurements.
fn build() -> Result<PathBuf> {
    let packages = ["--package", "kernex-server", "--package", "kernex-agent", "--package", "kernex-e2e"];
    let targets = ["--bins", "--bench", "figures", "--message-format", "json-render-diagnostics"];
    let messages = command::output(workspace::cargo(&["build", "--release"]).args(packages).args(targets))?;
    let artifacts = messages.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
    let mut figures = artifacts.filter(|artifact| artifact["target"]["name"] == "figures");
    let path = figures.find_map(|artifact| artifact["executable"].as_str().map(PathBuf::from));
    path.context("cargo does not say where it put the measurements")
}
