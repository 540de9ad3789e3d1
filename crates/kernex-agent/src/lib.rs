//! The device agent: registers, sends heartbeats, installs bundles and reports, once, how it went.
//!
//! What is being done is one value ([`state::AgentState`]); a pure function ([`machine::step`]) says what an event makes
//! of it and which effects follow; [`runner`] saves first and acts second, so that every effect is safe to repeat after
//! a power cut. The rest are the effects: [`work`] for an attempt's phases, [`link`] for the control plane,
//! [`workload`] for what keeps running. No axum, no sqlx and no server crate belongs into this crate's dependencies.

pub mod backoff;
pub mod cli;
pub mod clock;
pub mod config_file;
pub mod context;
pub mod disk;
pub mod error;
pub mod health;
pub mod heartbeat;
pub mod keys;
pub mod link;
pub mod local_api;
pub mod lock;
pub mod log_queue;
pub mod machine;
pub mod outbox;
pub mod paths;
pub mod process;
pub mod quarantine;
pub mod runner;
pub mod sandbox;
pub mod script;
pub mod script_runner;
pub mod self_update;
pub mod settings;
pub mod state;
pub mod telemetry;
pub mod vitals;
pub mod work;
pub mod workload;

pub use error::Error;

/// The agent's version, as heartbeats and manifests' bounds see it.
pub const AGENT_VERSION: &str = env!("CARGO_PKG_VERSION");
