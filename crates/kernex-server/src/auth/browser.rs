//! Sessions of browsers: the cookie, and that no other site makes requests with it.

use std::net::IpAddr;

use http::{HeaderMap, HeaderValue, Method, header, request::Parts};
use kernex_api::{ErrorCode, auth::CSRF_HEADER};
use url::{Host, Url};

use crate::{
    AppState,
    error::{ApiError, ApiResult},
};

/// The cookie on an encrypted connection. The prefix binds it to this host, to `/` and to `Secure`.
const COOKIE: &str = "__Host-kernex-session";
/// The cookie on plain HTTP, which only this machine itself gets: a browser would not keep the other one there.
const LOOPBACK_COOKIE: &str = "kernex-session";

/// Which cookie a request's session is in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Jar {
    Encrypted,
    Loopback,
    /// Plain HTTP from elsewhere: there is no safe cookie.
    None,
}

impl Jar {
    fn of(state: &AppState, parts: &Parts) -> Self {
        let public = state.settings().public_url.as_ref();
        if public.is_some_and(|url| url.scheme() == "https") {
            return Self::Encrypted;
        }
        if authority(parts).is_some_and(|authority| is_loopback(&authority)) {
            Self::Loopback
        } else {
            Self::None
        }
    }

    fn name(self) -> Option<&'static str> {
        match self {
            Self::Encrypted => Some(COOKIE),
            Self::Loopback => Some(LOOPBACK_COOKIE),
            Self::None => None,
        }
    }
}

/// The secret of the session's cookie, if there is exactly one.
pub(super) fn cookie<'a>(state: &AppState, parts: &'a Parts) -> Option<&'a str> {
    let name = Jar::of(state, parts).name()?;
    let pairs = parts.headers.get_all(header::COOKIE).iter().filter_map(|value| value.to_str().ok());
    let mut found = pairs
        .flat_map(|pairs| pairs.split(';'))
        .filter_map(|pair| pair.trim().split_once('='))
        .filter(|(known, _)| *known == name)
        .map(|(_, value)| value);
    match (found.next(), found.next()) {
        (Some(secret), None) => Some(secret),
        _ => None,
    }
}

/// The header that gives a browser its session's cookie; it ends with the browser, and at the server before.
pub(super) fn set_cookie(state: &AppState, parts: &Parts, secret: &str) -> ApiResult<HeaderValue> {
    let jar = Jar::of(state, parts);
    let Some(name) = jar.name() else {
        return Err(ApiError::invalid(
            "a browser can log in over https only, or on the machine itself; see docs/users.md",
        ));
    };
    let secure = if jar == Jar::Encrypted { "; Secure" } else { "" };
    let text = format!("{name}={secret}; Path=/; HttpOnly; SameSite=Strict{secure}");
    HeaderValue::from_str(&text).map_err(ApiError::internal)
}

/// The header that takes the cookie away.
pub(super) fn forget_cookie(state: &AppState, parts: &Parts) -> Option<HeaderValue> {
    let jar = Jar::of(state, parts);
    let secure = if jar == Jar::Encrypted { "; Secure" } else { "" };
    let text = format!("{}=; Path=/; HttpOnly; SameSite=Strict; Max-Age=0{secure}", jar.name()?);
    HeaderValue::from_str(&text).ok()
}

/// Refuses what another site made a browser send: by what the browser says of where a request comes from, and for requests that
/// change things by a header that a form of another site cannot set.
pub(super) fn refuse_other_sites(state: &AppState, parts: &Parts) -> ApiResult<()> {
    let changes = ![Method::GET, Method::HEAD].contains(&parts.method);
    let refused = |detail: &str| Err(ApiError::forbidden(ErrorCode::Forbidden, detail));
    match text_of(&parts.headers, "sec-fetch-site") {
        Some("same-origin") => {}
        // An address that a person typed.
        Some("none") if !changes => {}
        Some(_) => return refused("the request comes from another site"),
        None => {}
    }
    if let Some(origin) = text_of(&parts.headers, "origin")
        && !is_own(state, parts, origin)
    {
        return refused("the request comes from another site: Origin is not this control plane's");
    }
    if changes && !parts.headers.contains_key(CSRF_HEADER) {
        return refused(
            "a request that changes something with a browser's session needs the header X-Kernex-CSRF",
        );
    }
    Ok(())
}

fn text_of<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    headers.get(name).map(|value| value.to_str().unwrap_or("?"))
}

fn is_own(state: &AppState, parts: &Parts, origin: &str) -> bool {
    let Ok(origin) = Url::parse(origin) else { return false };
    if state.settings().public_url.as_ref().is_some_and(|url| url.origin() == origin.origin()) {
        return true;
    }
    let scheme = origin.scheme();
    let here = authority(parts).and_then(|authority| Url::parse(&format!("{scheme}://{authority}")).ok());
    here.is_some_and(|here| here.origin() == origin.origin() && origin.origin().is_tuple())
}

/// Host and port that the client asked for.
fn authority(parts: &Parts) -> Option<String> {
    let uri = parts.uri.authority().map(ToString::to_string);
    uri.or_else(|| text_of(&parts.headers, "host").map(str::to_owned))
}

fn is_loopback(authority: &str) -> bool {
    let Ok(url) = Url::parse(&format!("http://{authority}")) else { return false };
    match url.host() {
        Some(Host::Domain(name)) => name == "localhost" || name.ends_with(".localhost"),
        Some(Host::Ipv4(address)) => IpAddr::from(address).is_loopback(),
        Some(Host::Ipv6(address)) => IpAddr::from(address).is_loopback(),
        None => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_names_of_this_machine_are_loopback() {
        for own in ["localhost:8000", "127.0.0.1", "127.8.9.1:1", "[::1]:80", "kernex.localhost"] {
            assert!(is_loopback(own), "{own}");
        }
        for other in ["localhost.example.com", "192.168.0.1", "example.com:8000", "[fe80::1]", "", "0.0.0.0"]
        {
            assert!(!is_loopback(other), "{other}");
        }
    }
}
