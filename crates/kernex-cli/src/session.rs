//! Which control plane is meant, and with which token: flags over environment over the stored login.

use kernex_client::Token;
use url::Url;

use crate::{credentials::Credentials, exit_code::ExitCode, failure::Failure};

/// A control plane and the credentials for it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Session {
    pub(crate) url: String,
    pub(crate) with: With,
}

/// The credentials.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum With {
    /// A token that was given for this command.
    Token(Token),
    /// The login that was kept.
    Login(Credentials),
}

/// Chooses; a stored token is only ever used for the control plane that gave it.
pub(crate) fn choose(
    url: Option<&str>,
    token: Option<Token>,
    stored: Option<&Credentials>,
) -> Result<Session, Failure> {
    let Some(address) = url.or(stored.map(|login| login.url.as_str())) else {
        let failure = Failure::new(ExitCode::NotLoggedIn, "you are not logged in to a control plane");
        return Err(failure.hint("log in with `kernex login URL`, or set KERNEX_URL and KERNEX_TOKEN"));
    };
    let login = || stored.filter(|login| same_origin(&login.url, address)).cloned().map(With::Login);
    match token.map(With::Token).or_else(login) {
        Some(with) => Ok(Session { url: address.to_owned(), with }),
        None => Err(Failure::new(ExitCode::NotLoggedIn, format!("you are not logged in to {address}"))
            .hint(format!("log in with `kernex login {address}`, or set KERNEX_TOKEN"))),
    }
}

fn same_origin(one: &str, other: &str) -> bool {
    match (Url::parse(one), Url::parse(other)) {
        (Ok(one), Ok(other)) => one.origin() == other.origin(),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stored() -> Credentials {
        Credentials {
            url: "https://kx/".to_owned(),
            username: "ada".to_owned(),
            token: Token::new("stored".to_owned()),
            refresh_token: None,
            expires_at: kernex_core::Timestamp::from_millis(0),
        }
    }

    fn given() -> Option<Token> {
        Some(Token::new("given".to_owned()))
    }

    #[test]
    fn flags_go_before_the_stored_login() {
        let check = |url, token, expected: (&str, &str)| {
            let session = choose(url, token, Some(&stored())).unwrap();
            let token = match &session.with {
                With::Token(token) => token,
                With::Login(login) => &login.token,
            };
            assert_eq!((session.url.as_str(), token.expose()), expected);
        };
        check(None, None, ("https://kx/", "stored"));
        check(None, given(), ("https://kx/", "given"));
        check(Some("https://kx:443"), None, ("https://kx:443", "stored"));
        check(Some("https://other"), given(), ("https://other", "given"));
    }

    #[test]
    fn a_stored_token_is_not_sent_to_another_control_plane() {
        for other in ["https://evil", "http://kx", "https://kx:8443", "kx"] {
            let failure = choose(Some(other), None, Some(&stored())).unwrap_err();
            assert_eq!(failure.exit_code(), ExitCode::NotLoggedIn, "{other}");
        }
    }

    #[test]
    fn without_an_address_the_hint_says_how_to_log_in() {
        let failure = choose(None, given(), None).unwrap_err();
        assert!(failure.render().contains("kernex login URL"), "{failure}");
    }
}
