//! `kernex-server`: the control plane's program.

use std::process::ExitCode;

use anyhow::Context as _;
use clap::{Parser, Subcommand};
use kernex_server::{Settings, admin, audit, bundles, config, openapi, secrets, serve};

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
    /// Check the audit log in the database.
    #[command(subcommand)]
    Audit(AuditCommand),
    /// Change the keys of a running server, or list them.
    #[command(subcommand)]
    Secrets(SecretsCommand),
    /// Work on the stored bytes of bundles.
    #[command(subcommand)]
    Bundles(BundlesCommand),
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

#[derive(Debug, Subcommand)]
enum AuditCommand {
    /// Walk every organisation's chain in the database, and compare it with the signed checkpoints.
    Verify(audit::verify::Verify),
}

#[derive(Debug, Subcommand)]
enum SecretsCommand {
    Rotate(secrets::rotate::Rotate),
    List(secrets::rotate::List),
}

#[derive(Debug, Subcommand)]
enum BundlesCommand {
    /// Encrypt bundles that were stored without encryption, one after the other; the server may run.
    Encrypt(bundles::encrypt::Encrypt),
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
        Command::Audit(AuditCommand::Verify(command)) => runtime()?.block_on(audit::verify::run(command)),
        Command::Secrets(SecretsCommand::Rotate(command)) => {
            runtime()?.block_on(secrets::rotate::run(command))
        }
        Command::Secrets(SecretsCommand::List(command)) => {
            runtime()?.block_on(secrets::rotate::list(command))
        }
        Command::Bundles(BundlesCommand::Encrypt(command)) => {
            runtime()?.block_on(bundles::encrypt::run(command))
        }
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
