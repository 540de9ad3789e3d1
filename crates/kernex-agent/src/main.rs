//! The device agent's program; see `docs/agent.md`.

use std::process::ExitCode;

use clap::Parser as _;

fn main() -> ExitCode {
    kernex_agent::cli::Cli::parse().execute()
}
