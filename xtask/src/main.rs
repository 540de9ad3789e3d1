//! Chores with logic: `cargo xtask test`, `cargo xtask demo` and the like.
//!
//! Holds no Kernex code: it builds the programs, starts them and speaks to them as a person would, through `kernex`.

#![allow(clippy::print_stdout, reason = "what a chore says is its result")]

mod bench;
mod chaos;
mod command;
mod demo;
mod dist;
mod killsweep;
mod openapi;
mod packages;
mod postgres;
mod schemathesis;
mod style;
mod test;
mod workspace;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

/// Chores of the Kernex workspace.
#[derive(Debug, Parser)]
#[command(bin_name = "cargo xtask", max_term_width = 100)]
struct Cli {
    #[command(subcommand)]
    chore: Chore,
}

#[derive(Debug, Subcommand)]
enum Chore {
    /// Check everything: format, lints, rules, tests on both databases, documentation
    Test(test::Args),
    /// Show a control plane with three devices: deploy, upgrade, roll back
    Demo(demo::Args),
    /// Build the programs for release, and the agent's Debian package, into target/dist
    Dist(dist::Args),
    /// Write openapi/kernex.json from the server's handlers
    Openapi,
    /// Measure the release build and print a table for docs/benchmarks.md
    Bench(bench::Args),
    /// Send requests made from the OpenAPI document, right and wrong ones, to a running control plane
    Schemathesis(schemathesis::Args),
    /// Kill the real agent before every system call that writes, and look whether it comes back right
    Killsweep(killsweep::Args),
    /// Kill agents at random moments while deployments pass, and look whether everything converges
    Chaos(chaos::Args),
    /// Let every system call that writes fail during an upgrade, and look whether the agent copes
    Faults(killsweep::Args),
}

fn main() -> ExitCode {
    let outcome = match Cli::parse().chore {
        Chore::Test(args) => test::run(&args),
        Chore::Demo(args) => demo::run(&args),
        Chore::Dist(args) => dist::run(&args),
        Chore::Openapi => openapi::write(),
        Chore::Bench(args) => bench::run(&args),
        Chore::Schemathesis(args) => {
            command::run(&mut workspace::cargo(&["build", "--package", "kernex-server"]))
                .and_then(|()| schemathesis::run(&args))
        }
        Chore::Chaos(args) => chaos::run(&args),
        Chore::Killsweep(args) => killsweep::kill(&args),
        Chore::Faults(args) => killsweep::fail(&args),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("\nxtask: {error:#}");
            ExitCode::FAILURE
        }
    }
}
