//! `kernex-server`: the control plane's program.

use std::process::ExitCode;

use anyhow::Context as _;
use clap::{Parser, Subcommand};
use kernex_server::{Settings, admin, config, openapi, serve};

/// The control plane of Kernex.
#[derive(Debug, Parser)]
#[command(version, max_term_width = 100)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Run the control plane until SIGTERM or SIGINT.
    Serve(config::Options),
    /// Manage users without the API, on the machine that holds the database.
    #[command(subcommand)]
    Admin(AdminCommand),
    /// Print the OpenAPI document.
    Openapi,
    /// Check the configuration and print every setting with its value, secrets left out.
    CheckConfig(config::Options),
}

#[derive(Debug, Subcommand)]
enum AdminCommand {
    /// Create a user with the role admin. Reads the password from standard input, or makes one and prints it.
    Create(admin::CreateAdmin),
}

fn main() -> ExitCode {
    match run(Cli::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("kernex-server: {error:#}");
            ExitCode::FAILURE
        }
    }
}

#[expect(clippy::print_stdout, reason = "results of commands go to standard output")]
fn run(cli: Cli) -> anyhow::Result<()> {
    match cli.command {
        Command::Serve(options) => runtime()?.block_on(serve::run(Settings::resolve(options)?)),
        Command::Admin(AdminCommand::Create(create)) => runtime()?.block_on(admin::create(create)),
        Command::Openapi => {
            println!("{}", openapi::document_json()?);
            Ok(())
        }
        Command::CheckConfig(options) => {
            let settings = Settings::resolve(options)?;
            print!("{}", settings.describe());
            Ok(())
        }
    }
}

fn runtime() -> anyhow::Result<tokio::runtime::Runtime> {
    tokio::runtime::Builder::new_multi_thread().enable_all().build().context("cannot start the async runtime")
}
