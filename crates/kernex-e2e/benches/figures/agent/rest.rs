//! An agent that has nothing to do: memory, processor time, bytes per heartbeat. It runs with its default settings.

use std::time::Duration;

use kernex_client::OperatorClient;
use kernex_testkit::{AgentProcess, ServerProcess, ServerSetup, cpu_time, memory, wait_for};
use tokio::time::{Instant, sleep};

use super::{device::registered, relay::Relay};
use crate::table::mib;

/// Heartbeats over which bytes are averaged.
const HEARTBEATS: u64 = 20;
const DEADLINE: Duration = Duration::from_secs(120);

pub(super) async fn measure(
    setup: &ServerSetup,
    server: &ServerProcess,
    admin: &OperatorClient,
    quiet: Duration,
) -> Vec<(String, String)> {
    let token = ServerProcess::registration_token(admin, 2).await;
    let agent = AgentProcess::start_as_installed(&server.url, &setup.folder().join("resting"), &token);
    registered(admin, &agent).await;
    sleep(Duration::from_secs(5)).await;
    let (began, before) = (Instant::now(), cpu_time(agent.pid()));
    sleep(quiet).await;
    let used = (cpu_time(agent.pid()) - before).as_secs_f64() / began.elapsed().as_secs_f64();
    let resident = memory(agent.pid()).resident;
    agent.stop().await;
    vec![
        ("resident at rest".to_owned(), mib(resident)),
        (
            format!("processor at rest, a heartbeat each 60 s, over {} s", quiet.as_secs()),
            format!("{:.3} % of a core", used * 100.0),
        ),
        (
            "bytes of an idle heartbeat and its answer, on one connection".to_owned(),
            wire(setup, server, admin, &token).await,
        ),
    ]
}

/// Bytes of HTTP per heartbeat, both ways.
async fn wire(setup: &ServerSetup, server: &ServerProcess, admin: &OperatorClient, token: &str) -> String {
    let relay = Relay::default();
    let address = relay.start(&server.url).await;
    let agent = AgentProcess::start(&address, &setup.folder().join("relayed"), Some(token));
    registered(admin, &agent).await;
    // What it logs when it starts has been shipped by then.
    sleep(Duration::from_secs(5)).await;
    let before = relay.passed();
    let after = wait_for("heartbeats", DEADLINE, async || {
        let passed = relay.passed();
        (passed.requests >= before.requests + HEARTBEATS).then_some(passed)
    });
    let after = after.await;
    agent.stop().await;
    let bytes = (after.bytes - before.bytes) as f64 / (after.requests - before.requests) as f64;
    format!("{bytes:.0} B ({} new connections)", after.connections - before.connections)
}
