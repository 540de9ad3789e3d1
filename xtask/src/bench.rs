//! `cargo xtask bench`: builds what is given out, and runs the measurements of `kernex-e2e` on it.

use std::{path::PathBuf, process::Command};

use anyhow::{Context as _, Result};
use serde_json::Value;

use crate::{command, dist, postgres, style, workspace};

/// Measure the programs as they are given out and print tables
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Smaller sizes and shorter times, to see that it works
    #[arg(long)]
    quick: bool,
    /// Measure one part only: start, rest, transfer, heartbeats or agent
    #[arg(long, value_name = "PART")]
    only: Option<String>,
}

pub(crate) fn run(args: &Args) -> Result<()> {
    style::heading("build for release (some minutes)");
    dist::build_agent()?;
    dist::build_programs()?;
    let figures = build()?;
    let cluster = postgres::start_cluster()?;
    style::heading("measure");
    let mut measure = Command::new(figures);
    if args.quick {
        measure.arg("--quick");
    }
    if let Some(part) = &args.only {
        measure.args(["--only", part]);
    }
    measure.env("KERNEX_TEST_PROGRAMS", dist::folder()?);
    command::run(measure.env(kernex_testpg::URL_VARIABLE, cluster.url()))
}

/// Gives the path of the measurements.
fn build() -> Result<PathBuf> {
    let package = ["--package", "kernex-e2e", "--bench", "figures"];
    let format = ["--message-format", "json-render-diagnostics"];
    let messages = command::output(workspace::cargo(&["build", "--release"]).args(package).args(format))?;
    let artifacts = messages.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
    let mut figures = artifacts.filter(|artifact| artifact["target"]["name"] == "figures");
    let path = figures.find_map(|artifact| artifact["executable"].as_str().map(PathBuf::from));
    path.context("cargo does not say where it put the measurements")
}
