//! The control plane: REST API, background jobs, pages.
//!
//! One folder per noun, one file per endpoint; `router.rs` lists every route. Reads go from handler to store; a rule that spans
//! several store calls, or that a job needs too, stands in a domain's `service.rs`.

pub mod admin;
pub mod audit;
pub mod auth;
pub mod bundles;
pub mod clock;
pub mod config;
pub mod dashboard;
pub mod deployments;
pub mod devices;
pub mod error;
pub mod events;
pub mod extract;
pub mod groups;
pub mod idempotency;
pub mod jobs;
pub mod lingering;
pub mod logs;
pub mod network;
pub mod openapi;
pub mod outbound;
pub mod pagination;
pub mod policy;
pub mod registration_tokens;
pub mod router;
pub mod secrets;
pub mod serve;
pub mod state;
pub mod system;
pub mod telemetry;
pub mod webhooks;

pub use config::Settings;
pub use state::AppState;
