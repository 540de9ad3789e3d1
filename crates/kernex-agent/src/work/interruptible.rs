//! Reading that ends when the work is to stop: blocking work cannot be ended from outside.

use std::io::{self, Read};

use tokio_util::sync::CancellationToken;

/// A reader that fails once its work is to stop.
#[derive(Debug)]
pub(super) struct Interruptible<R> {
    inner: R,
    stop: CancellationToken,
}

impl<R> Interruptible<R> {
    pub(super) fn new(inner: R, stop: &CancellationToken) -> Self {
        Self { inner, stop: stop.clone() }
    }
}

impl<R: Read> Read for Interruptible<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.stop.is_cancelled() {
            return Err(io::Error::other("the work was stopped"));
        }
        self.inner.read(buffer)
    }
}
