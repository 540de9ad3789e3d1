//! The operator's side of the API: one method per endpoint of the protocol's section 3.
//!
//! Addresses are only ever made from the base and path segments, and redirects are not followed, so that the token goes
//! to the control plane it belongs to and nowhere else.

mod audit;
mod auth;
mod bundles;
mod deployments;
mod devices;
mod download;
mod events;
mod groups;
mod login;
mod query;
mod registration_tokens;
mod system;
mod token;
mod upload;
mod webhooks;

pub use audit::AuditExport;
pub use login::Login;
pub use query::{
    AuditQuery, BundleQuery, DeploymentQuery, DeviceQuery, EventQuery, LogQuery, PageQuery, TargetQuery,
};
pub use token::Token;

use std::time::Duration;

use kernex_api::{BASE_PATH, auth::LoginResponse, signing::IDEMPOTENCY_KEY_HEADER};
use reqwest::{Client, Method, RequestBuilder, Response};
use serde::{Serialize, de::DeserializeOwned};
use url::Url;

use login::RenewingLogin;

use crate::{
    Error, HttpOptions, build_http_client,
    http::{check_status, network_error, parse_base, read_json},
};

/// The library counts the read deadline from the start of a request, its body included, so that an upload has none and
/// is watched by [`upload`] instead.
const UPLOAD_READ_TIMEOUT: Duration = Duration::from_secs(24 * 60 * 60);

/// How often a request that creates is sent again after the connection broke.
const MAX_CREATE_RETRIES: u32 = 2;

#[derive(Clone, Debug)]
enum Credentials {
    None,
    Token(Token),
    Login(RenewingLogin),
}

/// A client for operators: the CLI, tests and scripts.
#[derive(Clone, Debug)]
pub struct OperatorClient {
    base: Url,
    credentials: Credentials,
    http: Client,
    uploads: Client,
    read_timeout: Duration,
}

impl OperatorClient {
    /// A client of the control plane at `address`, without credentials.
    pub fn new(address: &str, options: &HttpOptions) -> Result<Self, Error> {
        let base = parse_base(address)?;
        if !base.username().is_empty() || base.password().is_some() {
            return Err(Error::Address(format!("{} with a user name", crate::http::origin(&base))));
        }
        let http = build_http_client(options)?;
        let uploads =
            build_http_client(&HttpOptions { read_timeout: UPLOAD_READ_TIMEOUT, ..options.clone() })?;
        Ok(Self { base, credentials: Credentials::None, http, uploads, read_timeout: options.read_timeout })
    }

    /// The same client with these credentials.
    #[must_use]
    pub fn with_token(mut self, token: Token) -> Self {
        self.credentials = Credentials::Token(token);
        self
    }

    /// The same client with a login, whose access token it renews when that is due. `renewed` gets each new one.
    #[must_use]
    pub fn with_login(
        mut self,
        login: Login,
        renewed: impl Fn(&LoginResponse) + Send + Sync + 'static,
    ) -> Self {
        self.credentials = Credentials::Login(RenewingLogin::new(login, renewed));
        self
    }

    /// The control plane's address.
    pub fn base(&self) -> &Url {
        &self.base
    }

    /// Logs in and returns the same client with that login.
    pub async fn logged_in(self, username: &str, password: &str) -> Result<Self, Error> {
        let request =
            kernex_api::auth::LoginRequest { username: username.to_owned(), password: password.to_owned() };
        let answer = self.login(&request).await?;
        Ok(self.with_login(Login::from(&answer), |_| {}))
    }

    /// The address of an endpoint; each segment is percent-encoded.
    fn endpoint(&self, segments: &[&str]) -> Url {
        let mut url = self.base.clone();
        if let Ok(mut path) = url.path_segments_mut() {
            path.pop_if_empty().extend(BASE_PATH.split('/').filter(|part| !part.is_empty())).extend(segments);
        }
        url
    }

    fn request(&self, method: Method, url: Url) -> RequestBuilder {
        self.request_by(&self.http, method, url)
    }

    fn request_by(&self, client: &Client, method: Method, url: Url) -> RequestBuilder {
        debug_assert_eq!(url.origin(), self.base.origin(), "a token is for its own control plane");
        client.request(method, url)
    }

    async fn send(&self, request: RequestBuilder) -> Result<Response, Error> {
        let request = match &self.credentials {
            Credentials::None => request,
            Credentials::Token(token) => request.bearer_auth(token.expose()),
            Credentials::Login(login) => request.bearer_auth(login.access_token(self).await?.expose()),
        };
        self.send_as_it_is(request).await
    }

    async fn send_as_it_is(&self, request: RequestBuilder) -> Result<Response, Error> {
        request.send().await.map_err(|error| network_error(&self.base, error))
    }

    async fn answer<T: DeserializeOwned>(&self, request: RequestBuilder) -> Result<T, Error> {
        read_json(&self.base, self.send(request).await?).await
    }

    async fn done(&self, request: RequestBuilder) -> Result<(), Error> {
        check_status(&self.base, self.send(request).await?).await.map(drop)
    }

    async fn get<T: DeserializeOwned>(&self, segments: &[&str]) -> Result<T, Error> {
        self.answer(self.request(Method::GET, self.endpoint(segments))).await
    }

    async fn list<T: DeserializeOwned>(
        &self,
        segments: &[&str],
        query: &impl query::Pairs,
    ) -> Result<T, Error> {
        let mut url = self.endpoint(segments);
        query::append(&mut url, query);
        self.answer(self.request(Method::GET, url)).await
    }

    async fn post<T: DeserializeOwned>(&self, segments: &[&str], body: &impl Serialize) -> Result<T, Error> {
        self.answer(self.request(Method::POST, self.endpoint(segments)).json(body)).await
    }

    /// A POST that creates: the key lets the control plane answer a repeated request with the first answer, so that a
    /// broken connection is no reason to leave the caller in doubt.
    async fn create<T: DeserializeOwned>(
        &self,
        segments: &[&str],
        key: &str,
        body: &impl Serialize,
    ) -> Result<T, Error> {
        let mut attempt = 0;
        loop {
            let request =
                self.request(Method::POST, self.endpoint(segments)).header(IDEMPOTENCY_KEY_HEADER, key);
            match self.answer(request.json(body)).await {
                Err(Error::Unreachable { .. }) if attempt < MAX_CREATE_RETRIES => attempt += 1,
                result => return result,
            }
            tokio::time::sleep(Duration::from_millis(200) * attempt).await;
        }
    }
}

/// A fresh key for a request that creates: 128 random bits as hex.
fn idempotency_key() -> String {
    let mut bytes = [0; 16];
    aws_lc_rs::rand::fill(&mut bytes).expect("the operating system gives random bytes");
    hex::encode(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn client(address: &str) -> OperatorClient {
        OperatorClient::new(address, &HttpOptions::default()).unwrap()
    }

    #[test]
    fn path_segments_are_encoded_and_a_base_path_is_kept() {
        let check = |base, segments: &[&str], expected| {
            assert_eq!(client(base).endpoint(segments).as_str(), expected);
        };
        check("http://kx:8080", &["health"], "http://kx:8080/api/v1/health");
        check("https://kx/fleet/", &["devices", "a"], "https://kx/fleet/api/v1/devices/a");
        check("http://kx", &["devices", "a/b?c#d é"], "http://kx/api/v1/devices/a%2Fb%3Fc%23d%20%C3%A9");
    }

    #[test]
    fn a_segment_cannot_climb_out_of_the_path() {
        let url = client("http://kx").endpoint(&["devices", "..", "users"]);
        assert!(url.path().starts_with("/api/v1/devices/"), "{url}");
    }

    #[test]
    fn the_token_is_not_in_the_debug_text() {
        let client = client("http://kx").with_token(Token::new("kx_secret".to_owned()));
        assert!(!format!("{client:?}").contains("kx_secret"));
    }

    #[test]
    fn an_address_with_credentials_is_refused_without_repeating_them() {
        let error = OperatorClient::new("http://me:hunter2@kx", &HttpOptions::default()).unwrap_err();
        assert!(!error.to_string().contains("hunter2"), "{error}");
    }
}
