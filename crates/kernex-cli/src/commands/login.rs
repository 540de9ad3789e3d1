use std::io::{BufRead as _, IsTerminal as _};

use anyhow::{Context as _, Result};
use clap::Args;
use kernex_api::auth::{LoginRequest, LoginResponse};
use kernex_client::OperatorClient;
use url::{Host, Url};

use crate::{
    context::Context,
    credentials::Credentials,
    exit_code::ExitCode,
    failure::Failure,
    output::{say, text},
};

/// Log in to a control plane and keep the login
///
/// Asks for the password on the terminal. The address and the token are kept in `~/.config/kernex/credentials.json`
/// (KERNEX_CONFIG_DIR names another folder), readable by you only, until `kernex logout`.
///
/// Example: kernex login https://kernex.example.com --username ada
#[derive(Args, Debug)]
pub(crate) struct Login {
    /// Address of the control plane; without it that of --url, KERNEX_URL or the last login
    #[arg(value_name = "URL")]
    address: Option<String>,
    /// Your user name; asked for when absent
    #[arg(long, short, value_name = "NAME")]
    username: Option<String>,
    /// Read the password from the first line of stdin
    #[arg(long)]
    password_stdin: bool,
}

impl Login {
    pub(crate) async fn run(self, context: &Context) -> Result<()> {
        let last = context.stored().ok().flatten();
        let address = self.address.or_else(|| context.url().map(str::to_owned));
        let Some(address) = address.or_else(|| Some(last.as_ref()?.url.clone())) else {
            let failure = Failure::new(ExitCode::Usage, "which control plane?");
            return Err(failure.hint("give its address: `kernex login https://kernex.example.com`").into());
        };
        let client = context.anonymous_client(&address)?;
        warn_if_readable_on_the_way(client.base());
        let username = self.username.map_or_else(ask_username, Ok)?;
        let password = read_password(self.password_stdin, &username)?;
        let answer = log_in(&client, username.clone(), password).await?;
        let url = client.base().to_string();
        let credentials = Credentials::of(url, username, &answer, context.now());
        context.store()?.save(&credentials)?;
        let user = context.logged_in(client, &credentials).me().await?;
        say(&format!("Logged in to {address} as {} ({}).", text::printable(&user.username), user.role));
        if context.given_token().ok().flatten().is_some() {
            say("warning: KERNEX_TOKEN, KERNEX_TOKEN_FILE or --token goes before this login");
        }
        if context.is_json() { crate::output::print_json(&user) } else { Ok(()) }
    }
}

async fn log_in(client: &OperatorClient, username: String, password: String) -> Result<LoginResponse> {
    match client.login(&LoginRequest { username, password }).await {
        Ok(answer) => Ok(answer),
        Err(error) if error.status() == Some(401) => {
            Err(Failure::new(ExitCode::NotLoggedIn, "the user name or the password is wrong")
                .hint("check both; an admin can set a new password")
                .into())
        }
        Err(error) => Err(error.into()),
    }
}

fn ask_username() -> Result<String> {
    if !std::io::stdin().is_terminal() || !std::io::stderr().is_terminal() {
        return Err(Failure::new(ExitCode::Usage, "there is no terminal to ask for the user name on")
            .hint("give it with --username")
            .into());
    }
    Ok(dialoguer::Input::<String>::new().with_prompt("Username").interact_text()?)
}

fn read_password(from_stdin: bool, username: &str) -> Result<String> {
    if from_stdin {
        let mut line = String::new();
        std::io::stdin().lock().read_line(&mut line).context("the password cannot be read from stdin")?;
        let password =
            line.strip_suffix('\n').map_or(line.as_str(), |line| line.strip_suffix('\r').unwrap_or(line));
        return Ok(password.to_owned());
    }
    if !std::io::stdin().is_terminal() || !std::io::stderr().is_terminal() {
        return Err(Failure::new(ExitCode::Usage, "there is no terminal to ask for the password on")
            .hint("pipe it in and add --password-stdin")
            .into());
    }
    let prompt = format!("Password of {}", text::printable(username));
    Ok(dialoguer::Password::new().with_prompt(prompt).interact()?)
}

fn warn_if_readable_on_the_way(url: &Url) {
    if url.scheme() == "http" && !is_this_machine(url) {
        say("warning: without https everybody on the way can read the password and the token");
    }
}

fn is_this_machine(url: &Url) -> bool {
    match url.host() {
        Some(Host::Domain(name)) => name == "localhost" || name.ends_with(".localhost"),
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.is_loopback(),
        None => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_this_machine_may_be_spoken_to_without_encryption_in_silence() {
        let check = |address: &str, expected| {
            assert_eq!(is_this_machine(&Url::parse(address).unwrap()), expected, "{address}");
        };
        check("http://localhost:8080", true);
        check("http://127.0.0.1", true);
        check("http://[::1]:80", true);
        check("http://192.168.1.4", false);
        check("http://localhost.example.com", false);
    }
}
