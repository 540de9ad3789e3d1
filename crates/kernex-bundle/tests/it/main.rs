//! Archives and manifests as they come: good, damaged and hostile.

// Helpers of tests may unwrap as the tests themselves do.
#![allow(clippy::unwrap_used, clippy::panic)]

mod build;
mod damaged;
mod edges;
mod hostile;
mod links;
mod listed;
mod manifest;
mod matrix;
mod packing;
mod random;
mod round_trip;
