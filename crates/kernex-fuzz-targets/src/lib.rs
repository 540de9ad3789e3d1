//! What is fuzzed: one function per kind of bytes that come from a stranger, or from a disk that lost power.
//!
//! Each takes any bytes, must not panic, and panics when something that must hold does not. Two programs call them:
//! `fuzz/`, with libFuzzer and a nightly toolchain, and the test beside this crate, which runs the kept corpus and some
//! thousand mutations of it in every test run.

// A broken promise is a panic: that is how a fuzzer is told.
#![allow(clippy::panic, clippy::unwrap_used)]

mod archives;
mod device_files;
mod signing;
mod wire;

pub use archives::{archive, unpack};
pub use device_files::{config, state};
pub use signing::signing;
pub use wire::{answers, manifest};

/// A target's name, which is the name of its corpus, and its function.
pub type Target = (&'static str, fn(&[u8]));

/// All targets.
pub const TARGETS: [Target; 7] = [
    ("manifest", manifest),
    ("archive", archive),
    ("unpack", unpack),
    ("state", state),
    ("config", config),
    ("answers", answers),
    ("signing", signing),
];

/// A folder in memory, where the system has one: targets write thousands of files and sync each.
fn scratch() -> tempfile::TempDir {
    tempfile::tempdir_in("/dev/shm").or_else(|_| tempfile::tempdir()).unwrap()
}
