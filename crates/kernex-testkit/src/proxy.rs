//! A proxy between a device and its control plane that misbehaves as it is told, and counts heartbeats.
//!
//! It takes requests as a whole and answers as a whole, a connection each, so that it can lose, repeat, hold back and cut them at
//! places that matter. A fault begins with the first request to an address that a test names, and ends after so many requests.

mod exchange;

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use rand::{RngExt as _, SeedableRng as _, rngs::StdRng};
use tokio::{
    io::AsyncWriteExt as _,
    net::{TcpListener, TcpStream},
    sync::Notify,
    time::{sleep, timeout},
};

use exchange::{Request, ask, error_page, is_heartbeat, read_request};

/// No answer is held back for longer: a device has given up long before.
const LONGEST_STALL: Duration = Duration::from_secs(120);
/// A slow line brings a piece of an answer at a time.
const PIECE_BYTES: usize = 160;
const PIECE_PAUSE: Duration = Duration::from_millis(40);
/// Large answers come in larger pieces, so that they come at all.
const MAX_PIECES: usize = 40;

/// What the proxy does to a request or to its answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ProxyFault {
    /// The connection breaks: before the request gets through, or before its answer does.
    Drop,
    /// Nothing comes any more, and the connection stays open; the request may have got through.
    Stall,
    /// The answer ends in the middle.
    Truncate,
    /// The request gets through twice; the device sees the first answer or the second.
    Duplicate,
    /// The request gets through after the next one; its connection breaks.
    Reorder,
    /// Another program answers, with an error of its own; the request may have got through.
    ServerError,
    /// The answer crawls.
    Slow,
}

impl ProxyFault {
    /// All of them.
    pub const ALL: [Self; 7] = [
        Self::Drop,
        Self::Stall,
        Self::Truncate,
        Self::Duplicate,
        Self::Reorder,
        Self::ServerError,
        Self::Slow,
    ];
}

/// When a fault is there.
#[derive(Clone, Debug)]
pub struct FaultPlan {
    /// What happens.
    pub fault: ProxyFault,
    /// It begins with the first request whose path holds this.
    pub begins_at: &'static str,
    /// It ends when so many requests were hit.
    pub requests: u32,
}

/// A running proxy; gone with this value.
#[derive(Debug)]
pub struct FaultProxy {
    /// Its address: the control plane's for the device.
    pub url: String,
    shared: Arc<Shared>,
    task: tokio::task::JoinHandle<()>,
}

#[derive(Debug)]
struct Shared {
    upstream: String,
    state: Mutex<State>,
    /// A fault has ended: nothing is held back any more.
    ended: Notify,
}

#[derive(Debug)]
struct State {
    random: StdRng,
    plan: Option<FaultPlan>,
    has_begun: bool,
    left: u32,
    late: Option<Request>,
    /// Since the last fault ended.
    heartbeats: u32,
}

/// What is done with one request.
#[derive(Debug)]
struct Verdict {
    fault: Option<ProxyFault>,
    /// One of two ways in which the fault can show.
    gets_through: bool,
    late: Option<Request>,
}

impl FaultProxy {
    /// A proxy without faults before a control plane at `http://HOST:PORT`. The seed decides what is left to chance.
    pub async fn start(upstream: &str, seed: u64) -> Self {
        let upstream = upstream.strip_prefix("http://").expect("the control plane speaks HTTP").to_owned();
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port is free");
        let url = format!("http://{}", listener.local_addr().expect("it has an address"));
        let state = State {
            random: StdRng::seed_from_u64(seed),
            plan: None,
            has_begun: false,
            left: 0,
            late: None,
            heartbeats: 0,
        };
        let shared = Arc::new(Shared { upstream, state: Mutex::new(state), ended: Notify::new() });
        let serving = Arc::clone(&shared);
        let task = tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                let shared = Arc::clone(&serving);
                tokio::spawn(async move { shared.serve(client).await });
            }
        });
        Self { url, shared, task }
    }

    /// Lets a fault happen.
    pub fn plan(&self, plan: FaultPlan) {
        let mut state = self.shared.lock();
        state.left = plan.requests;
        state.has_begun = false;
        state.plan = Some(plan);
    }

    /// Whether the planned fault has ended, or none was planned.
    pub fn has_ended(&self) -> bool {
        self.shared.lock().plan.is_none()
    }

    /// Heartbeats that came since the last fault ended.
    pub fn heartbeats(&self) -> u32 {
        self.shared.lock().heartbeats
    }

    /// Counts heartbeats from now on, for faults that are not the proxy's.
    pub fn count_anew(&self) {
        self.shared.lock().heartbeats = 0;
    }
}

impl Drop for FaultProxy {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Shared {
    fn lock(&self) -> std::sync::MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn serve(&self, mut client: TcpStream) {
        // A device that goes away in the middle is its own affair.
        let Ok(Some(request)) = read_request(&mut client).await else { return };
        let verdict = self.judge(&request);
        let outcome = match verdict.fault {
            None => self.pass(&mut client, &request).await,
            Some(fault) => self.misbehave(fault, verdict.gets_through, &mut client, request).await,
        };
        if let Some(late) = verdict.late {
            let _ = ask(&self.upstream, &late).await; // nobody waits for its answer
        }
        drop(outcome);
    }

    /// Decides what becomes of a request, and whether the fault ends with it.
    fn judge(&self, request: &Request) -> Verdict {
        let mut state = self.lock();
        let late = state.late.take();
        let gets_through = state.random.random_bool(0.5);
        let plan = state.plan.clone();
        if let Some(plan) = &plan {
            state.has_begun |= request.path.contains(plan.begins_at);
        }
        let Some(plan) = plan.filter(|_| state.has_begun) else {
            state.heartbeats += u32::from(is_heartbeat(request));
            return Verdict { fault: None, gets_through, late };
        };
        state.left = state.left.saturating_sub(1);
        if state.left == 0 {
            state.plan = None;
            state.heartbeats = 0;
            self.ended.notify_waiters();
        }
        Verdict { fault: Some(plan.fault), gets_through, late }
    }

    async fn wait_for_the_end(&self) {
        let ended = async {
            loop {
                let ended = self.ended.notified();
                if self.lock().plan.is_none() {
                    return;
                }
                ended.await;
            }
        };
        let _ = timeout(LONGEST_STALL, ended).await;
    }

    async fn pass(&self, client: &mut TcpStream, request: &Request) -> std::io::Result<()> {
        let answer = ask(&self.upstream, request).await?;
        client.write_all(&answer).await?;
        client.shutdown().await
    }

    async fn misbehave(
        &self,
        fault: ProxyFault,
        gets_through: bool,
        client: &mut TcpStream,
        request: Request,
    ) -> std::io::Result<()> {
        match fault {
            ProxyFault::Drop if gets_through => ask(&self.upstream, &request).await.map(drop),
            ProxyFault::Drop => Ok(()),
            ProxyFault::Stall => {
                let answer = if gets_through { Some(ask(&self.upstream, &request).await?) } else { None };
                self.wait_for_the_end().await;
                // What was held back comes in the end, wanted or not.
                let answer = match answer {
                    Some(answer) => answer,
                    None => ask(&self.upstream, &request).await?,
                };
                client.write_all(&answer).await?;
                client.shutdown().await
            }
            ProxyFault::Truncate => {
                let answer = ask(&self.upstream, &request).await?;
                client.write_all(&answer[..answer.len() / 2]).await?;
                client.shutdown().await
            }
            ProxyFault::Duplicate => {
                let first = ask(&self.upstream, &request).await?;
                let second = ask(&self.upstream, &request).await?;
                client.write_all(if gets_through { &first } else { &second }).await?;
                client.shutdown().await
            }
            ProxyFault::Reorder => {
                self.lock().late = Some(request);
                Ok(())
            }
            ProxyFault::ServerError => {
                if gets_through {
                    ask(&self.upstream, &request).await?;
                }
                let number = self.lock().random.random_range(0..4);
                client.write_all(error_page(number).as_bytes()).await?;
                client.shutdown().await
            }
            ProxyFault::Slow => {
                let answer = ask(&self.upstream, &request).await?;
                let piece = PIECE_BYTES.max(answer.len() / MAX_PIECES);
                for piece in answer.chunks(piece) {
                    client.write_all(piece).await?;
                    sleep(PIECE_PAUSE).await;
                }
                client.shutdown().await
            }
        }
    }
}
