//! Lets a client hear why its request was refused.
//!
//! A handler that refuses a request leaves the rest of its body unread. Closing the connection over unread bytes makes the
//! client's network stack throw the answer away, and the client sees a reset in the place of the reason. So the rest of a
//! refused body is read and forgotten, up to a limit.

use std::{
    pin::Pin,
    sync::{Arc, Mutex, PoisonError},
    task::{Context, Poll},
    time::Duration,
};

use axum::{
    body::{Body, HttpBody},
    extract::Request,
    middleware::Next,
    response::Response,
};
use bytes::Bytes;
use http::header;
use http_body::Frame;
use http_body_util::BodyExt as _;

/// A body that says it is smaller arrives with its headers, or right after them.
const SMALL_BYTES: u64 = 16 * 1024;
const MAX_FORGOTTEN_BYTES: u64 = 64 << 20;
const MAX_FORGOTTEN: Duration = Duration::from_secs(10);

/// A body that two hold: the handler, and whoever reads the rest afterwards.
#[derive(Clone)]
struct Shared(Arc<Mutex<Inner>>);

struct Inner {
    body: Body,
    begun: bool,
}

impl HttpBody for Shared {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        let mut inner = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        inner.begun = true;
        Pin::new(&mut inner.body).poll_frame(context)
    }
}

/// Runs a request, and when it was refused reads what is left of its body.
pub async fn read_what_is_left(request: Request, next: Next) -> Response {
    let length =
        request.headers().get(header::CONTENT_LENGTH).and_then(|value| value.to_str().ok()?.parse().ok());
    let small = request.body().is_end_stream() || length.is_some_and(|length: u64| length <= SMALL_BYTES);
    if small {
        return next.run(request).await;
    }
    let waits_to_send = request.headers().contains_key(header::EXPECT);
    let (parts, body) = request.into_parts();
    let shared = Shared(Arc::new(Mutex::new(Inner { body, begun: false })));
    let response = next.run(Request::from_parts(parts, Body::new(shared.clone()))).await;
    let begun = shared.0.lock().unwrap_or_else(PoisonError::into_inner).begun;
    if response.status().is_client_error() || response.status().is_server_error() {
        // A client that waits for `100 Continue` has sent nothing yet: reading would make it begin.
        if begun || !waits_to_send {
            let _ = tokio::time::timeout(MAX_FORGOTTEN, forget(shared)).await;
        }
    }
    response
}

async fn forget(mut body: Shared) {
    let mut forgotten = 0;
    while let Some(Ok(frame)) = body.frame().await {
        forgotten += frame.data_ref().map_or(0, |data| data.len() as u64);
        if forgotten > MAX_FORGOTTEN_BYTES {
            return;
        }
    }
}
