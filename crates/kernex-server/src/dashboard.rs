//! The dashboard: a single page and its assets, built into the program.
//!
//! Files under `/assets/` carry a hash of their content in their names and may be kept for ever; everything else is asked for
//! again. A browser that navigates to an address that no route knows gets the page, whose own router takes over from there.

use axum::{
    extract::Request,
    response::{IntoResponse, Response},
};
use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, header};

use crate::AppState;

/// Nothing but what the control plane itself serves, no inline scripts or styles, and no text that becomes a script.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; font-src 'self'; \
     connect-src 'self'; manifest-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'; \
     require-trusted-types-for 'script'; trusted-types 'none'";
const FOR_EVER: HeaderValue = HeaderValue::from_static("public, max-age=31536000, immutable");
const ASK_AGAIN: HeaderValue = HeaderValue::from_static("no-cache");
/// First parts of addresses that belong to programs: an unknown one below them is an error, not a page.
const NOT_PAGES: [&str; 4] = ["api", "docs", "health", "metrics"];

struct Asset {
    path: &'static str,
    etag: &'static str,
    bytes: &'static [u8],
    gzip: Option<&'static [u8]>,
}

const ASSETS: &[Asset] = include!(concat!(env!("OUT_DIR"), "/dashboard.rs"));

/// What is served when the program was built without `dashboard/dist`.
const MISSING: Asset = Asset {
    path: "/index.html",
    etag: "\"missing\"",
    bytes: include_bytes!("dashboard/missing.html"),
    gzip: None,
};

/// Answers what no other route knows.
pub fn routes(router: axum::Router<AppState>) -> axum::Router<AppState> {
    router.fallback(serve)
}

async fn serve(request: Request) -> Response {
    let is_read = matches!(*request.method(), Method::GET | Method::HEAD);
    match find(request.uri().path(), request.headers()) {
        Some(asset) if is_read => answer(asset, request.headers()),
        _ => StatusCode::NOT_FOUND.into_response(),
    }
}

fn find(path: &str, headers: &HeaderMap) -> Option<&'static Asset> {
    if let Some(asset) = ASSETS.iter().find(|asset| asset.path == path) {
        return Some(asset);
    }
    let first = path.trim_start_matches('/').split('/').next().unwrap_or_default();
    let is_page =
        !NOT_PAGES.contains(&first) && first != "assets" && lists(headers, header::ACCEPT, "text/html");
    is_page.then(|| ASSETS.iter().find(|asset| asset.path == "/index.html").unwrap_or(&MISSING))
}

fn answer(asset: &'static Asset, headers: &HeaderMap) -> Response {
    let is_hashed = asset.path.starts_with("/assets/");
    let mut response = if lists(headers, header::IF_NONE_MATCH, asset.etag) {
        StatusCode::NOT_MODIFIED.into_response()
    } else {
        match asset.gzip.filter(|_| lists(headers, header::ACCEPT_ENCODING, "gzip")) {
            Some(gzip) => {
                ([(header::CONTENT_ENCODING, HeaderValue::from_static("gzip"))], gzip).into_response()
            }
            None => asset.bytes.into_response(),
        }
    };
    let out = response.headers_mut();
    out.insert(header::CONTENT_TYPE, HeaderValue::from_static(media_type(asset.path)));
    out.insert(header::ETAG, HeaderValue::from_static(asset.etag));
    out.insert(header::VARY, HeaderValue::from_static("accept-encoding"));
    out.insert(header::CACHE_CONTROL, if is_hashed { FOR_EVER } else { ASK_AGAIN });
    out.insert(header::CONTENT_SECURITY_POLICY, HeaderValue::from_static(POLICY));
    response
}

/// Whether a header that lists things names this one. Weights of zero are not looked at: no browser sends them for these.
fn lists(headers: &HeaderMap, name: HeaderName, wanted: &str) -> bool {
    let values = headers.get_all(name);
    let mut items = values.iter().filter_map(|value| value.to_str().ok()).flat_map(|value| value.split(','));
    items.any(|item| {
        let item = item.split(';').next().unwrap_or_default().trim();
        item.strip_prefix("W/").unwrap_or(item) == wanted
    })
}

fn media_type(path: &str) -> &'static str {
    match path.rsplit('.').next().unwrap_or_default() {
        "html" => "text/html; charset=utf-8",
        "js" => "text/javascript; charset=utf-8",
        "css" => "text/css; charset=utf-8",
        "svg" => "image/svg+xml",
        "woff2" => "font/woff2",
        "json" => "application/json",
        "png" => "image/png",
        _ => "application/octet-stream",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(name: HeaderName, value: &'static str) -> HeaderMap {
        HeaderMap::from_iter([(name, HeaderValue::from_static(value))])
    }

    const BROWSER: &str = "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8";

    #[test]
    fn a_browser_that_navigates_gets_the_page() {
        for path in ["/", "/devices", "/devices/0198/logs", "/setup", "/login"] {
            let found = find(path, &headers(header::ACCEPT, BROWSER)).map(|asset| asset.path);
            assert_eq!(found, Some("/index.html"), "{path}");
        }
    }

    #[test]
    fn addresses_of_programs_are_no_pages() {
        for path in
            ["/api/v1/nothing", "/docs/nothing", "/health/nothing", "/metrics/nothing", "/assets/gone.js"]
        {
            assert!(find(path, &headers(header::ACCEPT, BROWSER)).is_none(), "{path}");
        }
        assert!(find("/devices", &headers(header::ACCEPT, "application/json")).is_none());
        assert!(find("/devices", &HeaderMap::new()).is_none());
    }

    #[test]
    fn hashed_assets_are_kept_for_ever_and_the_page_is_asked_for_again() {
        let Some(script) =
            ASSETS.iter().find(|asset| asset.path.starts_with("/assets/") && asset.gzip.is_some())
        else {
            return;
        };
        let packed = answer(script, &headers(header::ACCEPT_ENCODING, "gzip, deflate, br"));
        assert_eq!(packed.headers()[header::CONTENT_ENCODING], "gzip");
        assert_eq!(packed.headers()[header::CACHE_CONTROL], FOR_EVER);
        let plain = answer(script, &HeaderMap::new());
        assert!(!plain.headers().contains_key(header::CONTENT_ENCODING));
        let page = find("/", &headers(header::ACCEPT, BROWSER)).unwrap();
        let answered = answer(page, &HeaderMap::new());
        assert_eq!(answered.headers()[header::CACHE_CONTROL], ASK_AGAIN);
        assert_eq!(answered.headers()[header::CONTENT_SECURITY_POLICY], POLICY);
        let again = answer(page, &headers(header::IF_NONE_MATCH, page.etag));
        assert_eq!(again.status(), StatusCode::NOT_MODIFIED);
    }

    #[test]
    fn the_page_obeys_its_own_policy() {
        let page = find("/", &headers(header::ACCEPT, BROWSER)).unwrap();
        let text = std::str::from_utf8(page.bytes).unwrap();
        for part in text.split("<script").skip(1) {
            assert!(part.contains("src=\"/"), "an inline script: {part}");
        }
        assert!(!text.contains("<style") && !text.contains("style=") && !text.contains("//fonts"), "{text}");
    }
}
