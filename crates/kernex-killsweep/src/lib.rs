//! The kill sweep: the real agent is killed before every system call that writes, one after the other, and must come back right.
//!
//! A kill at a random moment hits the few microseconds that matter once in thousands of tries. So the sweep lists, in one run of a
//! scenario under a tracer (`kernex-tracer`), every call with which the agent changes a file, a folder or what another process sees,
//! and then runs the scenario once per call with the order to kill the agent, with all its threads and processes, right before it.
//! After one restart everything must be as if nothing had happened: see `check.rs`. A kill keeps what the kernel has in memory;
//! losing power is more than this sweep shows.

mod agent;
mod check;
mod fault;
mod patience;
mod plan;
mod point;
mod scenario;
mod sweep;

pub use fault::Case;
pub use kernex_tracer::Fault;
pub use plan::Point;
pub use scenario::Scenario;
pub use sweep::{Extent, Report, fault_sweep, kill_sweep};
