//! The agent against real processes, files and sockets; one binary, so that it is linked once.

#![allow(clippy::unwrap_used, clippy::panic, reason = "helpers of tests, outside of test functions")]

mod bundles;
mod config_trial;
mod deploy;
mod downloads;
mod keys;
mod pace;
mod plane;
mod processes;
mod sandbox;
mod self_update;
mod supervision;
mod support;
