//! Real processes: the control plane, the agent and the CLI together.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::print_stdout,
    reason = "in a test that is how to fail, and to tell what was measured"
)]

mod agent_disk;
mod bad_link;
mod chaos;
mod clock;
mod crash;
mod full_disk;
mod memory;
mod shutdown;
mod small_disk;
mod start;
mod walk;
