//! The figures of `docs/benchmarks.md`: `cargo xtask bench` builds for release, runs this and prints the tables.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::print_stdout,
    reason = "a measurement that cannot be made ends the program"
)]

mod agent;
mod heartbeats;
mod machine;
mod rest;
mod start;
mod table;
mod transfer;

use std::time::Duration;

/// How much is measured.
struct Size {
    starts: usize,
    bundle_bytes: u64,
    signed_ed25519: usize,
    signed_rsa: usize,
    rounds: Duration,
    quiet: Duration,
    agent_rest: Duration,
    rollbacks: usize,
}

const FULL: Size = Size {
    starts: 10,
    bundle_bytes: 2 << 30,
    signed_ed25519: 2_500,
    signed_rsa: 600,
    rounds: Duration::from_secs(10),
    quiet: Duration::from_secs(5),
    agent_rest: Duration::from_secs(300),
    rollbacks: 5,
};

const QUICK: Size = Size {
    starts: 3,
    bundle_bytes: 128 << 20,
    signed_ed25519: 100,
    signed_rsa: 20,
    rounds: Duration::from_secs(2),
    quiet: Duration::from_secs(1),
    agent_rest: Duration::from_secs(10),
    rollbacks: 2,
};

#[tokio::main]
async fn main() {
    let arguments: Vec<String> = std::env::args().collect();
    let size = if arguments.iter().any(|argument| argument == "--quick") { &QUICK } else { &FULL };
    let only =
        arguments.iter().position(|argument| argument == "--only").and_then(|at| arguments.get(at + 1));
    let is_wanted = |part: &str| only.is_none_or(|only| only == part);
    let mut report = machine::describe();
    for part in
        ["start", "rest", "transfer", "heartbeats", "agent"].into_iter().filter(|part| is_wanted(part))
    {
        let measured = match part {
            "start" => start::measure(size).await,
            "rest" => rest::measure(size).await,
            "transfer" => transfer::measure(size).await,
            "heartbeats" => heartbeats::measure(size).await,
            _ => agent::measure(size).await,
        };
        report.push('\n');
        report.push_str(&measured);
    }
    println!("\n{report}");
}
