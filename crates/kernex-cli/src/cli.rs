//! The command line as a whole: global options and the nouns.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};
use kernex_client::Token;

use crate::{commands, context::Context, exit_code::ExitCode, output::OutputFormat};

/// Operate a fleet of edge devices: see devices, push bundles, deploy them, roll back
///
/// Begin with `kernex login URL`. Devices are named by id, by the first characters of an id (4 or more, as long as they
/// are unique) or by display name; bundles by VERSION, NAME@VERSION or id. Results go to stdout, everything else to
/// stderr; with `--output json` results are the API's JSON.
#[derive(Debug, Parser)]
#[command(name = "kernex", version, propagate_version = false, after_long_help = ExitCode::HELP)]
#[command(subcommand_required = true, arg_required_else_help = true, max_term_width = 110)]
pub(crate) struct Cli {
    #[command(flatten)]
    pub(crate) global: GlobalArgs,
    #[command(subcommand)]
    pub(crate) command: Command,
}

/// Options that every command takes.
#[derive(Args, Clone, Debug)]
#[command(next_help_heading = "Global options")]
pub(crate) struct GlobalArgs {
    /// Address of the control plane, instead of that of the login
    #[arg(long, global = true, value_name = "URL", env = "KERNEX_URL", hide_env_values = true)]
    pub(crate) url: Option<String>,
    /// Access token, instead of that of the login; other users of this machine can see flags, so prefer the
    /// environment
    #[arg(long, global = true, value_name = "TOKEN", env = "KERNEX_TOKEN", hide_env_values = true)]
    #[arg(value_parser = parse_token)]
    pub(crate) token: Option<Token>,
    /// File that holds the token
    #[arg(long, global = true, value_name = "FILE", env = "KERNEX_TOKEN_FILE", hide_env_values = true)]
    pub(crate) token_file: Option<PathBuf>,
    /// Certificates (PEM) of the authority to trust beside the public ones, for a control plane with a private one
    #[arg(long, global = true, value_name = "FILE", env = "KERNEX_CA_FILE", hide_env_values = true)]
    pub(crate) ca_file: Option<PathBuf>,
    /// How results are written
    #[arg(long, global = true, value_name = "FORMAT", value_enum, default_value_t)]
    pub(crate) output: OutputFormat,
    /// Write without colours; the environment variable NO_COLOR does the same
    #[arg(long, global = true)]
    pub(crate) no_color: bool,
    /// Do what cannot be undone without asking
    #[arg(long, short, global = true)]
    pub(crate) yes: bool,
}

fn parse_token(text: &str) -> Result<Token, std::convert::Infallible> {
    Ok(Token::new(text.trim().to_owned()))
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    Login(commands::login::Login),
    Logout(commands::logout::Logout),
    Whoami(commands::whoami::Whoami),
    Stats(commands::stats::Stats),
    #[command(subcommand)]
    Device(commands::device::DeviceCommand),
    #[command(subcommand)]
    Bundle(commands::bundle::BundleCommand),
    #[command(subcommand)]
    Group(commands::group::GroupCommand),
    #[command(subcommand)]
    Event(commands::event::EventCommand),
    #[command(subcommand)]
    Webhook(commands::webhook::WebhookCommand),
    Deploy(commands::deploy::Deploy),
    Rollback(commands::rollback::Rollback),
    #[command(subcommand)]
    Deployment(commands::deployment::DeploymentCommand),
    #[command(subcommand)]
    RegistrationToken(commands::registration_token::RegistrationTokenCommand),
    #[command(subcommand)]
    Audit(commands::audit::AuditCommand),
    Completions(commands::completions::Completions),
}

impl Command {
    pub(crate) async fn run(self, context: &Context) -> anyhow::Result<()> {
        match self {
            Self::Login(command) => command.run(context).await,
            Self::Logout(command) => command.run(context).await,
            Self::Whoami(command) => command.run(context).await,
            Self::Stats(command) => command.run(context).await,
            Self::Device(command) => command.run(context).await,
            Self::Bundle(command) => command.run(context).await,
            Self::Group(command) => command.run(context).await,
            Self::Event(command) => command.run(context).await,
            Self::Webhook(command) => command.run(context).await,
            Self::Deploy(command) => command.run(context).await,
            Self::Rollback(command) => command.run(context).await,
            Self::Deployment(command) => command.run(context).await,
            Self::RegistrationToken(command) => command.run(context).await,
            Self::Audit(command) => command.run(context).await,
            Self::Completions(command) => command.run(),
        }
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    use super::*;

    #[test]
    fn the_command_line_is_well_formed() {
        Cli::command().debug_assert();
    }

    #[test]
    fn global_options_may_follow_the_command() {
        let cli = Cli::try_parse_from(["kernex", "device", "list", "--output", "json", "--yes"]).unwrap();
        assert_eq!(cli.global.output, OutputFormat::Json);
        assert!(cli.global.yes);
    }

    #[test]
    fn the_token_is_not_in_the_debug_text_of_the_command_line() {
        let cli = Cli::try_parse_from(["kernex", "--token", "kx_secret", "whoami"]).unwrap();
        assert!(!format!("{cli:?}").contains("kx_secret"));
    }
}
