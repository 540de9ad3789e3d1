//! The command line.

mod connect;
mod install;
mod register;
mod run;
mod status;

use std::{process::ExitCode, time::Duration};

use clap::{Parser, Subcommand};

/// Blocking work gets this long to end when the agent does.
const BLOCKING_GRACE: Duration = Duration::from_secs(1);

/// Keeps a device in touch with its Kernex control plane and installs bundles
#[derive(Parser, Debug)]
#[command(name = "kernex-agent", version, max_term_width = 100)]
pub struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand, Debug)]
enum Command {
    /// Register if necessary, then work until stopped
    Run(run::RunArgs),
    /// Register this device and print who it is
    Register(register::RegisterArgs),
    /// Show what the data folder says, without speaking to anybody
    Status(status::StatusArgs),
    /// Install this program as a service of the machine, or bring it up to date
    Install(install::InstallArgs),
    /// Take the service away; keys, state and releases stay
    Uninstall(install::UninstallArgs),
    /// The process around a script; for the agent itself
    #[command(hide = true)]
    ScriptRunner,
    /// The process that becomes a script or workload; for the agent itself
    #[command(hide = true)]
    SandboxEntry,
}

impl Cli {
    /// Does what the command line says.
    pub fn execute(self) -> ExitCode {
        let outcome = match self.command {
            Command::Run(args) => run::run(args),
            Command::Register(args) => block_on(register::register(args)).map(|()| ExitCode::SUCCESS),
            Command::Status(args) => status::status(&args).map(|()| ExitCode::SUCCESS),
            Command::Install(args) => install::install(&args).map(|()| ExitCode::SUCCESS),
            Command::Uninstall(args) => install::uninstall(&args).map(|()| ExitCode::SUCCESS),
            Command::ScriptRunner => return crate::script_runner::main(),
            Command::SandboxEntry => return crate::sandbox::enter::main(),
        };
        match outcome {
            Ok(code) => code,
            Err(error) => {
                eprint_error(&error);
                ExitCode::FAILURE
            }
        }
    }
}

fn block_on<T>(work: impl Future<Output = anyhow::Result<T>>) -> anyhow::Result<T> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let outcome = runtime.block_on(work);
    // Unpacking or making a key may go on for long; both leave only temporary files when they are cut off.
    runtime.shutdown_timeout(BLOCKING_GRACE);
    outcome
}

fn eprint_error(error: &anyhow::Error) {
    use std::io::Write as _;
    // Nothing is left to do when standard error is closed.
    let _ = writeln!(std::io::stderr(), "kernex-agent: {error:#}");
}
