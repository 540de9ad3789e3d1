//! Counts what goes over the wire between the agent and the control plane.

use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering},
};

use tokio::{
    io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _},
    net::{TcpListener, TcpStream},
};

/// What has passed so far.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Passed {
    pub(super) bytes: u64,
    pub(super) requests: u64,
    pub(super) connections: u64,
}

/// Passes connections on to the control plane.
#[derive(Clone, Debug, Default)]
pub(super) struct Relay {
    bytes: Arc<AtomicU64>,
    requests: Arc<AtomicU64>,
    connections: Arc<AtomicU64>,
}

impl Relay {
    /// Listens; gives its address.
    pub(super) async fn start(&self, server: &str) -> String {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = format!("http://{}", listener.local_addr().unwrap());
        let (relay, server) = (self.clone(), server.trim_start_matches("http://").to_owned());
        tokio::spawn(async move {
            while let Ok((device, _)) = listener.accept().await {
                relay.connections.fetch_add(1, Ordering::Relaxed);
                let upstream = TcpStream::connect(&server).await.unwrap();
                let ((from_device, to_device), (from_server, to_server)) =
                    (device.into_split(), upstream.into_split());
                tokio::spawn(relay.clone().pass(from_device, to_server, true));
                tokio::spawn(relay.clone().pass(from_server, to_device, false));
            }
        });
        address
    }

    async fn pass(self, mut from: impl AsyncRead + Unpin, mut to: impl AsyncWrite + Unpin, is_request: bool) {
        let mut buffer = vec![0; 64 * 1024];
        while let Ok(read @ 1..) = from.read(&mut buffer).await {
            self.bytes.fetch_add(read as u64, Ordering::Relaxed);
            // The agent waits for each answer, so that a request begins a piece.
            if is_request && buffer.starts_with(b"POST ") {
                self.requests.fetch_add(1, Ordering::Relaxed);
            }
            if to.write_all(&buffer[..read]).await.is_err() {
                return;
            }
        }
        let _ = to.shutdown().await;
    }

    pub(super) fn passed(&self) -> Passed {
        let number = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        Passed {
            bytes: number(&self.bytes),
            requests: number(&self.requests),
            connections: number(&self.connections),
        }
    }
}
