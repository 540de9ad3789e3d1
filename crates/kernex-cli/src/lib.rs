//! The operator's command line: `kernex <noun> <verb>`.
//!
//! It uses the published API only, through [`kernex_client::OperatorClient`], and reads bundles with the same code as
//! the control plane and the agent. Results go to stdout, everything else to stderr; `docs/cli.md` is its manual.

mod args;
mod cli;
mod clock;
mod commands;
mod confirm;
mod context;
mod credentials;
mod exit_code;
mod failure;
mod output;
mod progress;
mod resolve;
mod selector;
mod session;
mod watch;

#[cfg(test)]
mod manual_tests;

use clap::Parser as _;

use crate::{cli::Cli, context::Context, exit_code::ExitCode, failure::Failure};

/// Runs the command line of this process.
pub fn main() -> std::process::ExitCode {
    let cli = Cli::parse();
    if cli.global.no_color {
        anstream::ColorChoice::Never.write_global();
    }
    let context = Context::new(cli.global);
    match run(&context, cli.command) {
        Ok(()) => ExitCode::Ok.into(),
        Err(error) => {
            let failure = Failure::explain(&error, context.address().as_deref());
            if !failure.is_closed_pipe() {
                output::say(&failure.render());
            }
            failure.exit_code().into()
        }
    }
}

fn run(context: &Context, command: cli::Command) -> anyhow::Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(Box::pin(command.run(context)))
}
