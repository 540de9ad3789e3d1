//! The API over real connections, on SQLite and on PostgreSQL; one binary, so that it is linked once.

#![allow(clippy::unwrap_used, clippy::panic, reason = "helpers of tests, outside of test functions")]

#[macro_use]
mod support;

mod at_rest;
mod audit;
mod bodies;
mod deployments;
mod downloads;
mod events;
mod groups;
mod lists;
mod people;
mod protocol;
mod results;
mod secrets;
mod signing;
mod tags;
mod uploads;
mod webhooks;
