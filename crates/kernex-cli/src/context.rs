//! What every command gets: the global options, a client, the clock, and where results go.

use std::path::Path;

use anyhow::{Context as _, Result};
use kernex_client::{HttpOptions, OperatorClient, Token};
use kernex_core::{Clock as _, Timestamp};
use serde::Serialize;

use crate::{
    cli::GlobalArgs,
    clock::SystemClock,
    credentials::{CredentialStore, Credentials},
    exit_code::ExitCode,
    failure::Failure,
    output::{self, OutputFormat},
    session::{self, With},
};

/// The surroundings of a command.
pub(crate) struct Context {
    global: GlobalArgs,
    store: Option<CredentialStore>,
}

impl Context {
    pub(crate) fn new(global: GlobalArgs) -> Self {
        Self { global, store: CredentialStore::from_env() }
    }

    /// The control plane's address, as far as it is known, for hints.
    pub(crate) fn address(&self) -> Option<String> {
        self.url().map(str::to_owned).or_else(|| Some(self.stored().ok()??.url))
    }

    /// The address of the flag or the environment.
    pub(crate) fn url(&self) -> Option<&str> {
        self.global.url.as_deref().filter(|url| !url.is_empty())
    }

    pub(crate) fn stored(&self) -> Result<Option<Credentials>> {
        self.store.as_ref().map_or(Ok(None), CredentialStore::load)
    }

    pub(crate) fn store(&self) -> Result<&CredentialStore> {
        self.store.as_ref().ok_or_else(|| {
            Failure::new(ExitCode::Failure, "there is no home folder to keep a login in")
                .hint("set KERNEX_CONFIG_DIR, or use KERNEX_URL and KERNEX_TOKEN")
                .into()
        })
    }

    /// The token of the flag, the environment, or the file that the environment names.
    pub(crate) fn given_token(&self) -> Result<Option<Token>> {
        let given = self.global.token.clone().filter(|token| !token.expose().is_empty());
        match (given, &self.global.token_file) {
            (None, Some(path)) if !path.as_os_str().is_empty() => read_token(path).map(Some),
            (given, _) => Ok(given),
        }
    }

    /// A client with credentials.
    pub(crate) fn client(&self) -> Result<OperatorClient> {
        let token = self.given_token()?;
        // A damaged file must not stand in the way of flags that make it unnecessary.
        let stored = if token.is_some() && self.url().is_some() { None } else { self.stored()? };
        let session = session::choose(self.url(), token, stored.as_ref())?;
        let client = self.anonymous_client(&session.url)?;
        Ok(match session.with {
            With::Token(token) => client.with_token(token),
            With::Login(login) => self.logged_in(client, &login),
        })
    }

    /// A client with a login that was kept; what renews it is kept in its place.
    pub(crate) fn logged_in(&self, client: OperatorClient, login: &Credentials) -> OperatorClient {
        let Some(renewable) = login.login(self.now()) else { return client.with_token(login.token.clone()) };
        let (store, login) = (self.store.clone(), login.clone());
        client.with_login(renewable, move |answer| {
            // The command goes on without it; the next one renews again.
            if let Some(store) = &store
                && let Err(error) = store.save(&Credentials::of(
                    login.url.clone(),
                    login.username.clone(),
                    answer,
                    SystemClock.now(),
                ))
            {
                output::say(&format!("warning: {error:#}"));
            }
        })
    }

    /// A client without credentials.
    pub(crate) fn anonymous_client(&self, address: &str) -> Result<OperatorClient> {
        let user_agent = concat!("kernex-cli/", env!("CARGO_PKG_VERSION")).to_owned();
        let mut options = HttpOptions { user_agent, ..HttpOptions::default() };
        if let Some(path) = self.global.ca_file.as_deref().filter(|path| !path.as_os_str().is_empty()) {
            options.extra_roots_pem = read_certificates(path)?;
        }
        Ok(OperatorClient::new(address, &options)?)
    }

    pub(crate) fn now(&self) -> Timestamp {
        SystemClock.now()
    }

    pub(crate) fn is_json(&self) -> bool {
        self.global.output == OutputFormat::Json
    }

    pub(crate) fn is_confirmed(&self) -> bool {
        self.global.yes
    }

    /// Writes a result: the API's JSON, or text for people.
    pub(crate) fn show(&self, value: &impl Serialize, text: impl FnOnce() -> String) -> Result<()> {
        if self.is_json() { output::print_json(value) } else { output::print(&text()) }
    }
}

fn read_token(path: &Path) -> Result<Token> {
    let text = std::fs::read_to_string(path)
        .with_context(|| format!("the token file `{}` cannot be read", path.display()))?;
    match text.trim() {
        "" => anyhow::bail!("the token file `{}` is empty", path.display()),
        token => Ok(Token::new(token.to_owned())),
    }
}

fn read_certificates(path: &Path) -> Result<Vec<u8>> {
    let pem = std::fs::read(path)
        .with_context(|| format!("the certificate file `{}` cannot be read", path.display()))?;
    let marker = b"-----BEGIN CERTIFICATE-----";
    if pem.windows(marker.len()).any(|window| window == marker) {
        return Ok(pem);
    }
    anyhow::bail!("`{}` holds no certificate in PEM", path.display())
}
