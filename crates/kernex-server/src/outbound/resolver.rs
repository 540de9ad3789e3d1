//! Looking names up, and refusing those that lead inside. The connection goes to the addresses that this gives.

use std::{
    io,
    net::{IpAddr, SocketAddr},
    pin::Pin,
    sync::Arc,
};

use reqwest::dns::{Addrs, Name, Resolve, Resolving};

use super::Rules;

/// How many addresses of one name are looked at.
const MAX_ADDRESSES: usize = 32;

/// A way to look names up.
pub trait Resolver: Send + Sync + 'static {
    /// All addresses of a name.
    fn resolve(&self, host: &str) -> Pin<Box<dyn Future<Output = io::Result<Vec<IpAddr>>> + Send>>;
}

/// The operating system's.
#[derive(Clone, Copy, Debug)]
pub struct SystemResolver;

impl Resolver for SystemResolver {
    fn resolve(&self, host: &str) -> Pin<Box<dyn Future<Output = io::Result<Vec<IpAddr>>> + Send>> {
        let host = host.to_owned();
        Box::pin(async move {
            let addresses = tokio::net::lookup_host((host.as_str(), 0)).await?;
            Ok(addresses.map(|address| address.ip()).take(MAX_ADDRESSES).collect())
        })
    }
}

/// The name leads to an address that may not be spoken to.
#[derive(Debug, thiserror::Error)]
#[error("the name leads to an address that is not public")]
pub(super) struct NotPublic;

/// A resolver under the rules. One address that is not allowed refuses the name as a whole: a public one beside it is how
/// names are made to pass a check.
pub(super) struct Guarded<R> {
    rules: Rules,
    inner: Arc<R>,
}

impl<R> Guarded<R> {
    pub(super) fn new(rules: Rules, inner: R) -> Self {
        Self { rules, inner: Arc::new(inner) }
    }
}

impl<R: Resolver> Resolve for Guarded<R> {
    fn resolve(&self, name: Name) -> Resolving {
        let (rules, inner) = (self.rules.clone(), self.inner.clone());
        Box::pin(async move {
            let host = name.as_str().to_owned();
            let addresses = inner.resolve(&host).await?;
            if addresses.iter().any(|address| !rules.allows(&host, *address)) {
                return Err(NotPublic.into());
            }
            let addresses: Addrs = Box::new(addresses.into_iter().map(|address| SocketAddr::new(address, 0)));
            Ok(addresses)
        })
    }
}
