//! `cargo xtask chaos`: the end-to-end test that kills agents at random moments, at full length.

use anyhow::Result;

use crate::{command, workspace};

/// Kill agents at random moments while deployments pass, and look whether everything converges
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// How often agents are killed
    #[arg(long, default_value_t = 1_000)]
    kills: u32,
    /// How many deployments pass meanwhile
    #[arg(long, default_value_t = 200)]
    deployments: u32,
    /// Another seed gives other moments
    #[arg(long, default_value_t = 1)]
    seed: u32,
}

pub(crate) fn run(args: &Args) -> Result<()> {
    command::run(&mut workspace::cargo(&["build", "--workspace", "--all-targets"]))?;
    // The whole workspace, so that nothing is built a second time with other features.
    let test = ["test", "--workspace", "--test", "it", "chaos::", "--", "--nocapture"];
    let mut test = workspace::cargo(&test);
    test.env("KERNEX_CHAOS_KILLS", args.kills.to_string());
    test.env("KERNEX_CHAOS_DEPLOYMENTS", args.deployments.to_string());
    test.env("KERNEX_CHAOS_SEED", args.seed.to_string());
    command::run(&mut test)
}
