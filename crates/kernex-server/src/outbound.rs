//! Requests that the control plane makes because somebody told it an address: webhooks, OpenID Connect discovery.
//!
//! Such an address may lead into the operator's own network (SSRF). So only public addresses are spoken to. A name is resolved
//! once, every address that it has must be public, and the connection goes to an address that was checked, so that a name
//! which changes between check and connection gains nothing. Redirects are not followed, no proxy of the environment is used,
//! and time and size have limits. What lies inside is reached only when the configuration names it.

mod resolver;
mod special;

use std::{net::IpAddr, str::FromStr, sync::Arc, time::Duration};

use http::{HeaderMap, Method, StatusCode};
use rustls::{
    ClientConfig, RootCertStore,
    pki_types::{CertificateDer, pem::PemObject as _},
};
use url::{Host, Url};

pub use resolver::{Resolver, SystemResolver};
pub use special::is_public;

use crate::network::Network;

/// How long connecting may take, and the whole request.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
const REQUEST_TIMEOUT: Duration = Duration::from_secs(10);
/// Largest answer that is read.
const MAX_ANSWER_BYTES: usize = 256 * 1024;
const MAX_URL_CHARS: usize = 2_048;

/// What may be reached beside the public Internet: a network, or a name whatever its addresses are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Allowed {
    /// Addresses.
    Network(Network),
    /// A host's name, in lower case.
    Host(String),
}

impl FromStr for Allowed {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if let Ok(network) = text.parse() {
            return Ok(Self::Network(network));
        }
        let part = |part: &str| {
            !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte))
        };
        let is_name = text.len() <= 253
            && text.split('.').all(part)
            && text.bytes().any(|byte| byte.is_ascii_alphabetic());
        if is_name {
            return Ok(Self::Host(text.to_ascii_lowercase()));
        }
        Err(format!("`{text}` is neither a network like 10.0.0.0/8 nor the name of a host"))
    }
}

impl std::fmt::Display for Allowed {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Network(network) => network.fmt(f),
            Self::Host(host) => f.write_str(host),
        }
    }
}

/// The rules that every request obeys.
#[derive(Clone, Debug, Default)]
pub struct Rules {
    allowed: Arc<[Allowed]>,
}

impl Rules {
    /// Only public addresses, and these.
    pub fn new(allowed: Vec<Allowed>) -> Self {
        Self { allowed: allowed.into() }
    }

    fn allows_host(&self, host: &str) -> bool {
        let host = host.trim_end_matches('.');
        self.allowed
            .iter()
            .any(|allowed| matches!(allowed, Allowed::Host(name) if name.eq_ignore_ascii_case(host)))
    }

    /// Whether an address may be spoken to when it was asked for by this name.
    fn allows(&self, host: &str, address: IpAddr) -> bool {
        let named = |allowed: &Allowed| matches!(allowed, Allowed::Network(net) if net.contains(address));
        is_public(address) || self.allows_host(host) || self.allowed.iter().any(named)
    }
}

/// Why a request was not made, or not answered.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The address cannot be used.
    #[error("the address is not allowed: {0}")]
    Address(&'static str),
    /// The name leads to an address that is not public.
    #[error("the host `{0}` leads to an address that is not public; outbound_allow can permit it")]
    NotPublic(String),
    /// No answer, or no connection.
    #[error("the host `{host}` cannot be reached: {reason}")]
    Unreachable {
        /// Whom the request was for.
        host: String,
        /// What went wrong.
        reason: String,
    },
    /// It took too long.
    #[error("the host `{0}` did not answer in time")]
    TimedOut(String),
    /// The answer is too large.
    #[error("the answer of `{0}` is larger than {MAX_ANSWER_BYTES} bytes")]
    TooLarge(String),
    /// The client cannot be built.
    #[error("requests to others are not possible: {0}")]
    Setup(String),
}

/// A client for addresses that others chose. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Outbound {
    rules: Rules,
    http: reqwest::Client,
    timeout: Duration,
}

impl Outbound {
    /// A client with rules, that trusts the public certificate authorities and those of the PEM text.
    pub fn new(rules: Rules, extra_roots_pem: &[u8]) -> Result<Self, Error> {
        Self::with_resolver(rules, extra_roots_pem, SystemResolver)
    }

    /// The same with another way to look names up.
    pub fn with_resolver(
        rules: Rules,
        extra_roots_pem: &[u8],
        resolver: impl Resolver,
    ) -> Result<Self, Error> {
        let setup = |error: &dyn std::fmt::Display| Error::Setup(error.to_string());
        let mut roots = RootCertStore::empty();
        roots.extend(webpki_roots::TLS_SERVER_ROOTS.iter().cloned());
        for certificate in CertificateDer::pem_slice_iter(extra_roots_pem) {
            let certificate = certificate.map_err(|error| setup(&error))?;
            roots.add(certificate).map_err(|error| setup(&error))?;
        }
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let tls = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .map_err(|error| setup(&error))?
            .with_root_certificates(roots)
            .with_no_client_auth();
        let http = reqwest::Client::builder()
            .tls_backend_preconfigured(tls)
            .dns_resolver(Arc::new(resolver::Guarded::new(rules.clone(), resolver)))
            .no_proxy()
            .redirect(reqwest::redirect::Policy::none())
            .connect_timeout(CONNECT_TIMEOUT)
            .user_agent(concat!("kernex/", env!("CARGO_PKG_VERSION")))
            .build()
            .map_err(|error| setup(&error))?;
        Ok(Self { rules, http, timeout: REQUEST_TIMEOUT })
    }

    /// Checks an address without connecting: what an operator types is refused at once. Names are looked up when a request is
    /// made, and checked then.
    pub fn check(&self, url: &Url) -> Result<(), Error> {
        if url.as_str().len() > MAX_URL_CHARS {
            return Err(Error::Address("it is longer than 2048 characters"));
        }
        if !url.username().is_empty() || url.password().is_some() {
            return Err(Error::Address("it holds a user name or a password"));
        }
        let (host, literal) = match url.host() {
            Some(Host::Domain(name)) => (name.to_owned(), None),
            Some(Host::Ipv4(address)) => (address.to_string(), Some(IpAddr::V4(address))),
            Some(Host::Ipv6(address)) => (address.to_string(), Some(IpAddr::V6(address))),
            None => return Err(Error::Address("it names no host")),
        };
        let inside = |net: &Network| literal.is_some_and(|address| net.contains(address));
        let is_named = self.rules.allows_host(&host)
            || self.rules.allowed.iter().any(|rule| matches!(rule, Allowed::Network(net) if inside(net)));
        match url.scheme() {
            "https" => {}
            // Inside their own network operators may do without.
            "http" if is_named => {}
            _ => return Err(Error::Address("it must begin with https://")),
        }
        match literal {
            Some(address) if !self.rules.allows(&host, address) => Err(Error::NotPublic(host)),
            _ => Ok(()),
        }
    }

    /// Makes one request. An answer of any status is an answer; redirects are answers too.
    pub async fn send(&self, request: http::Request<Vec<u8>>) -> Result<http::Response<Vec<u8>>, Error> {
        let (parts, body) = request.into_parts();
        let url = Url::parse(&parts.uri.to_string()).map_err(|_| Error::Address("it is no address"))?;
        self.check(&url)?;
        let host = url.host_str().unwrap_or_default().to_owned();
        let work = self.exchange(&host, parts.method, url, parts.headers, body);
        // One deadline for looking up, connecting, waiting and reading.
        tokio::time::timeout(self.timeout, work).await.unwrap_or(Err(Error::TimedOut(host.clone())))
    }

    async fn exchange(
        &self,
        host: &str,
        method: Method,
        url: Url,
        headers: HeaderMap,
        body: Vec<u8>,
    ) -> Result<http::Response<Vec<u8>>, Error> {
        let request = self.http.request(method, url).headers(headers).body(body);
        let mut answer = request.send().await.map_err(|error| why(host, error))?;
        let too_large = || Error::TooLarge(host.to_owned());
        if answer.content_length().is_some_and(|length| length > MAX_ANSWER_BYTES as u64) {
            return Err(too_large());
        }
        let mut bytes = Vec::new();
        while let Some(chunk) = answer.chunk().await.map_err(|error| why(host, error))? {
            if bytes.len() + chunk.len() > MAX_ANSWER_BYTES {
                return Err(too_large());
            }
            bytes.extend_from_slice(&chunk);
        }
        let mut response = http::Response::new(bytes);
        *response.status_mut() = StatusCode::from_u16(answer.status().as_u16()).unwrap_or(StatusCode::OK);
        *response.headers_mut() = answer.headers().clone();
        Ok(response)
    }
}

/// The last cause says what happened; the address stays out, because it may hold a secret.
fn why(host: &str, error: reqwest::Error) -> Error {
    if error.is_timeout() {
        return Error::TimedOut(host.to_owned());
    }
    let error = error.without_url();
    let mut reason = error.to_string();
    let mut source = std::error::Error::source(&error);
    while let Some(cause) = source {
        if cause.downcast_ref::<resolver::NotPublic>().is_some() {
            return Error::NotPublic(host.to_owned());
        }
        reason = cause.to_string();
        source = cause.source();
    }
    Error::Unreachable { host: host.to_owned(), reason }
}

#[cfg(test)]
mod tests;
