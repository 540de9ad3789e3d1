//! The figures of `docs/benchmarks.md`: `cargo xtask bench` builds for release, runs this and prints the tables.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::print_stdout,
    reason = "a measurement that cannot be made ends the program"
)]

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
}

const FULL: Size = Size {
    starts: 10,
    bundle_bytes: 2 << 30,
    signed_ed25519: 2_500,
    signed_rsa: 600,
    rounds: Duration::from_secs(10),
    quiet: Duration::from_secs(5),
};

const QUICK: Size = Size {
    starts: 3,
    bundle_bytes: 128 << 20,
    signed_ed25519: 100,
    signed_rsa: 20,
    rounds: Duration::from_secs(2),
    quiet: Duration::from_secs(1),
};

#[tokio::main]
async fn main() {
    let size = if std::env::args().any(|argument| argument == "--quick") { &QUICK } else { &FULL };
    let mut report = machine::describe();
    for part in [
        start::measure(size).await,
        rest::measure(size).await,
        transfer::measure(size).await,
        heartbeats::measure(size).await,
    ] {
        report.push('\n');
        report.push_str(&part);
    }
    println!("\n{report}");
}
