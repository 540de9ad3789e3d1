//! The store's public methods, each on SQLite and on PostgreSQL; one binary, so that it is linked once.

#![allow(clippy::unwrap_used, clippy::panic, reason = "helpers of tests, outside of test functions")]

#[macro_use]
mod database;
mod fleet;

mod audit;
mod bundles;
mod commands;
mod configs;
mod counts;
mod devices;
mod heartbeats;
mod idempotency;
mod leases;
mod logs;
mod offline;
mod organizations;
mod outages;
mod people;
mod registration;
mod results;
mod rollbacks;
mod schema;
mod selectors;
mod stats;
