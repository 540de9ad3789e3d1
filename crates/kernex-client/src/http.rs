//! The HTTP client under both clients: deadlines, keep-alive, TLS, and errors that name the address.

use std::{sync::Arc, time::Duration};

use kernex_api::Problem;
use reqwest::{Client, Response, StatusCode};
use rustls::{
    ClientConfig, RootCertStore,
    crypto::aws_lc_rs,
    pki_types::{CertificateDer, pem::PemObject as _},
};
use serde::de::DeserializeOwned;
use url::Url;

use crate::Error;

/// Largest JSON answer that is read.
const MAX_ANSWER_BYTES: usize = 16 * 1024 * 1024;

/// How the HTTP client behaves.
#[derive(Clone, Debug)]
pub struct HttpOptions {
    /// Deadline for connecting.
    pub connect_timeout: Duration,
    /// Longest silence of the peer while it answers.
    pub read_timeout: Duration,
    /// `User-Agent`.
    pub user_agent: String,
    /// Certificate authorities to trust beside the public ones, as PEM: for a control plane with a private one.
    pub extra_roots_pem: Vec<u8>,
}

impl Default for HttpOptions {
    fn default() -> Self {
        Self {
            connect_timeout: Duration::from_secs(10),
            read_timeout: Duration::from_secs(60),
            user_agent: concat!("kernex/", env!("CARGO_PKG_VERSION")).to_owned(),
            extra_roots_pem: Vec::new(),
        }
    }
}

/// Builds a client that keeps connections, has deadlines, and trusts the public certificate authorities and those of
/// the options.
pub fn build_http_client(options: &HttpOptions) -> Result<Client, Error> {
    let mut roots = RootCertStore::empty();
    roots.extend(webpki_roots::TLS_SERVER_ROOTS.iter().cloned());
    for certificate in CertificateDer::pem_slice_iter(&options.extra_roots_pem) {
        let certificate = certificate.map_err(|error| Error::Certificate(error.to_string()))?;
        roots.add(certificate).map_err(|error| Error::Certificate(error.to_string()))?;
    }
    let tls = ClientConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
        .with_safe_default_protocol_versions()
        .map_err(|error| Error::Address(error.to_string()))?
        .with_root_certificates(roots)
        .with_no_client_auth();
    Client::builder()
        .tls_backend_preconfigured(tls)
        .connect_timeout(options.connect_timeout)
        .read_timeout(options.read_timeout)
        .redirect(reqwest::redirect::Policy::none())
        .user_agent(&options.user_agent)
        .build()
        .map_err(|error| Error::Address(error.to_string()))
}

/// Checks an address and takes off what a base must not have.
pub(crate) fn parse_base(address: &str) -> Result<Url, Error> {
    let wrong = || Error::Address(address.chars().take(200).collect());
    let url = Url::parse(address).map_err(|_| wrong())?;
    let plain = matches!(url.scheme(), "http" | "https") && url.host_str().is_some();
    if plain && url.query().is_none() && url.fragment().is_none() { Ok(url) } else { Err(wrong()) }
}

/// Scheme, host and port, for error messages: no path, query or credentials.
pub(crate) fn origin(url: &Url) -> String {
    url.origin().ascii_serialization()
}

/// Turns a failure of the network library into an error that names the address and nothing secret.
pub(crate) fn network_error(base: &Url, error: reqwest::Error) -> Error {
    let address = origin(base);
    if error.is_timeout() {
        return Error::TimedOut { address };
    }
    let error = error.without_url();
    let mut reason = error.to_string();
    let mut source = std::error::Error::source(&error);
    while let Some(cause) = source {
        reason = cause.to_string();
        source = cause.source();
    }
    Error::Unreachable { address, reason }
}

/// Reads a JSON answer, or the problem that the control plane reports instead.
pub(crate) async fn read_json<T: DeserializeOwned>(base: &Url, response: Response) -> Result<T, Error> {
    let response = check_status(base, response).await?;
    let status = response.status().as_u16();
    let body = read_bytes(base, response).await?;
    serde_json::from_slice(&body).map_err(|error| Error::Unexpected {
        address: origin(base),
        status,
        reason: format!("the body is not what was expected ({error})"),
    })
}

/// Passes a successful answer on and reads the problem out of any other.
pub(crate) async fn check_status(base: &Url, response: Response) -> Result<Response, Error> {
    let status = response.status();
    if status.is_success() || status == StatusCode::NOT_MODIFIED {
        return Ok(response);
    }
    let body = read_bytes(base, response).await?;
    match serde_json::from_slice::<Problem>(&body) {
        Ok(problem) => Err(Error::Refused(Box::new(problem))),
        Err(_) => Err(Error::Unexpected {
            address: origin(base),
            status: status.as_u16(),
            reason: "is this a Kernex control plane?".to_owned(),
        }),
    }
}

/// Reads a body of at most 16 MiB.
pub(crate) async fn read_bytes(base: &Url, mut response: Response) -> Result<Vec<u8>, Error> {
    let status = response.status().as_u16();
    let mut body = Vec::new();
    while let Some(chunk) = response.chunk().await.map_err(|error| network_error(base, error))? {
        if body.len() + chunk.len() > MAX_ANSWER_BYTES {
            let reason = "the body is larger than 16 MiB".to_owned();
            return Err(Error::Unexpected { address: origin(base), status, reason });
        }
        body.extend_from_slice(&chunk);
    }
    Ok(body)
}
