//! The kill sweep: the real agent is killed before every system call that writes, one after the other, and must come back right.
//!
//! A kill at a random moment hits the few microseconds that matter once in thousands of tries. So the sweep counts, in one run of
//! a scenario under `strace`, how often each thread makes each call that writes, and then runs the scenario once per call and
//! ordinal with the instruction to kill the agent right before it. After one restart everything must be as if nothing had
//! happened: see [`check`]. A kill keeps what the kernel has in memory; losing power is more than this sweep shows.

mod agent;
pub mod check;
mod plan;
mod point;
mod scenario;
mod sweep;

pub use plan::{Point, WRITING_CALLS};
pub use scenario::Scenario;
pub use sweep::{Report, Settings, sweep};
