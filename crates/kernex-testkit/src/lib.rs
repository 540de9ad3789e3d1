//! What tests of several crates share: databases, a control plane in the process or as a process, devices, bundles.
//!
//! Only ever a dev-dependency. What a test needs and cannot get fails the test at once, with a sentence that says what to do.

#![allow(clippy::panic, reason = "what a test needs and cannot get fails it")]

mod backend;
mod bundle;
mod clock;
mod device;
mod in_process;
mod process;
mod proxy;
mod wait;

pub use backend::{Backend, Database};
pub use bundle::TestBundle;
pub use clock::{OffsetClock, system_clock};
pub use device::TestDevice;
pub use in_process::TestServer;
pub use process::{
    AgentOptions, AgentProcess, Kernex, KernexOutput, Memory, ServerProcess, ServerSetup, cpu_time, memory,
    program, reset_peak_memory,
};
pub use proxy::{FaultPlan, FaultProxy, ProxyFault};
pub use wait::wait_for;

/// The password of the admin that [`TestServer`] and [`ServerProcess`] make.
pub const ADMIN_PASSWORD: &str = "correct horse battery";
