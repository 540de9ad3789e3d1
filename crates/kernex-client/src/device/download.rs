//! Bundle bytes by capability URL: unsigned, resumable.

use bytes::Bytes;
use reqwest::{
    Response, StatusCode,
    header::{ACCEPT_ENCODING, CONTENT_RANGE, ETAG, HeaderMap, IF_RANGE, RANGE},
};
use url::Url;

use super::{DeviceClient, check_answer};
use crate::{Error, http::network_error};

/// How an answer with bundle bytes begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DownloadStart {
    /// 206: at this offset, the one that was asked for.
    Resumed(u64),
    /// 200: at the first byte; what is there must be thrown away.
    Whole,
    /// 416: there is nothing at or after the offset that was asked for. No bytes follow.
    NothingMore,
}

/// An answer with bundle bytes.
///
/// Not `Debug`: its address is a capability.
pub struct Download {
    base: Url,
    response: Response,
    start: DownloadStart,
    total: Option<u64>,
    etag: Option<String>,
}

impl DeviceClient {
    /// Asks for a bundle's bytes from an offset on, if it is still the one with this `ETag`.
    ///
    /// `url` is absolute or relative to the control plane's address. The deadline of other requests does not apply; the
    /// HTTP client's limit on silence does.
    pub async fn download(&self, url: &str, resume_from: u64, etag: Option<&str>) -> Result<Download, Error> {
        let url = self.resolve(url)?;
        let mut request = self.http.get(url.clone()).header(ACCEPT_ENCODING, "identity");
        if resume_from > 0 {
            request = request.header(RANGE, format!("bytes={resume_from}-"));
            if let Some(etag) = etag {
                request = request.header(IF_RANGE, etag);
            }
        }
        let response = request.send().await.map_err(|error| network_error(&url, error))?;
        Download::begin(url, response, resume_from).await
    }

    pub(super) fn resolve(&self, url: &str) -> Result<Url, Error> {
        let resolved = if url.starts_with('/') && !url.starts_with("//") {
            self.base.join(&format!("{}{url}", self.prefix))
        } else {
            self.base.join(url)
        };
        let wrong = || Error::Address("the download URL of the command".to_owned());
        let resolved = resolved.map_err(|_| wrong())?;
        if matches!(resolved.scheme(), "http" | "https") { Ok(resolved) } else { Err(wrong()) }
    }
}

impl Download {
    async fn begin(url: Url, response: Response, asked: u64) -> Result<Self, Error> {
        let status = response.status();
        let etag = text(response.headers(), ETAG.as_str()).map(ToOwned::to_owned);
        let range = text(response.headers(), CONTENT_RANGE.as_str()).and_then(parse_content_range);
        let (start, total) = match (status, range) {
            (StatusCode::RANGE_NOT_SATISFIABLE, range) if asked > 0 => {
                (DownloadStart::NothingMore, range.and_then(|range| range.total))
            }
            (StatusCode::PARTIAL_CONTENT, Some(ContentRange { first: Some(first), total }))
                if first == asked =>
            {
                (DownloadStart::Resumed(first), total)
            }
            (StatusCode::PARTIAL_CONTENT, _) => {
                let reason = "the answer's Content-Range is not what was asked for".to_owned();
                return Err(Error::Unexpected {
                    address: crate::http::origin(&url),
                    status: status.as_u16(),
                    reason,
                });
            }
            _ => {
                let response = check_answer(&url, response).await?;
                let total = response.content_length();
                return Ok(Self { base: url, response, start: DownloadStart::Whole, total, etag });
            }
        };
        Ok(Self { base: url, response, start, total, etag })
    }

    /// How the answer begins.
    pub fn start(&self) -> DownloadStart {
        self.start
    }

    /// Size of the whole bundle, if the answer says it.
    pub fn total_bytes(&self) -> Option<u64> {
        self.total
    }

    /// The `ETag` to resume with.
    pub fn etag(&self) -> Option<&str> {
        self.etag.as_deref()
    }

    /// The next bytes; `None` at the end.
    pub async fn chunk(&mut self) -> Result<Option<Bytes>, Error> {
        self.response.chunk().await.map_err(|error| network_error(&self.base, error))
    }
}

fn text<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    headers.get(name)?.to_str().ok()
}

#[derive(Debug, PartialEq, Eq)]
struct ContentRange {
    first: Option<u64>,
    total: Option<u64>,
}

/// `bytes 5-9/10`, `bytes 5-9/*` or `bytes */10`.
fn parse_content_range(value: &str) -> Option<ContentRange> {
    let (range, total) = value.strip_prefix("bytes ")?.split_once('/')?;
    let total = if total == "*" { None } else { Some(total.parse().ok()?) };
    if range == "*" {
        return Some(ContentRange { first: None, total });
    }
    let (first, last) = range.split_once('-')?;
    let (first, last): (u64, u64) = (first.parse().ok()?, last.parse().ok()?);
    let sane = first <= last && total.is_none_or(|total| last < total);
    sane.then_some(ContentRange { first: Some(first), total })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_content_range_is_read_and_nonsense_is_not() {
        let range = |first, total| Some(ContentRange { first, total });
        assert_eq!(parse_content_range("bytes 5-9/10"), range(Some(5), Some(10)));
        assert_eq!(parse_content_range("bytes 5-9/*"), range(Some(5), None));
        assert_eq!(parse_content_range("bytes */10"), range(None, Some(10)));
        for text in
            ["", "bytes", "items 1-2/3", "bytes 9-5/10", "bytes 5-10/10", "bytes -5/10", "bytes a-b/c"]
        {
            assert_eq!(parse_content_range(text), None, "{text}");
        }
    }
}
