//! A login: an access token for minutes, and the secret that gets the next one.

use std::{
    fmt,
    sync::Arc,
    time::{Duration, Instant},
};

use kernex_api::auth::{LoginResponse, RefreshRequest};
use reqwest::Method;
use tokio::sync::Mutex;

use super::{OperatorClient, Token};
use crate::{Error, http::read_json};

/// An access token is renewed so long before its end.
const MARGIN: Duration = Duration::from_secs(30);

/// What a login gave, and how long its access token lasts.
#[derive(Clone, Debug)]
pub struct Login {
    /// The access token.
    pub access_token: Token,
    /// The secret that gets the next one.
    pub refresh_token: Token,
    /// How long the access token still lasts.
    pub lasts: Duration,
}

impl From<&LoginResponse> for Login {
    fn from(answer: &LoginResponse) -> Self {
        Self {
            access_token: Token::new(answer.access_token.clone()),
            refresh_token: Token::new(answer.refresh_token.clone()),
            lasts: Duration::from_secs(answer.expires_in),
        }
    }
}

/// A login whose access token is renewed when that is due. Clones share it.
#[derive(Clone)]
pub(super) struct RenewingLogin {
    current: Arc<Mutex<Current>>,
    renewed: Arc<dyn Fn(&LoginResponse) + Send + Sync>,
}

struct Current {
    access_token: Token,
    refresh_token: Token,
    renew_at: Instant,
}

impl fmt::Debug for RenewingLogin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("RenewingLogin(…)")
    }
}

impl RenewingLogin {
    pub(super) fn new(login: Login, renewed: impl Fn(&LoginResponse) + Send + Sync + 'static) -> Self {
        let current = Current {
            access_token: login.access_token,
            refresh_token: login.refresh_token,
            renew_at: due(login.lasts),
        };
        Self { current: Arc::new(Mutex::new(current)), renewed: Arc::new(renewed) }
    }

    /// An access token that is good for the next request.
    pub(super) async fn access_token(&self, client: &OperatorClient) -> Result<Token, Error> {
        let mut current = self.current.lock().await;
        if Instant::now() < current.renew_at {
            return Ok(current.access_token.clone());
        }
        let body = RefreshRequest { refresh_token: current.refresh_token.expose().to_owned() };
        let request = client.request(Method::POST, client.endpoint(&["auth", "refresh"])).json(&body);
        let answer: LoginResponse = read_json(&client.base, client.send_as_it_is(request).await?).await?;
        let next = Login::from(&answer);
        *current = Current {
            access_token: next.access_token.clone(),
            refresh_token: next.refresh_token,
            renew_at: due(next.lasts),
        };
        (self.renewed)(&answer);
        Ok(next.access_token)
    }
}

/// Never before half of the time that a token lasts.
fn due(lasts: Duration) -> Instant {
    Instant::now() + lasts.saturating_sub(MARGIN).max(lasts / 2)
}
