//! The wire: request and answer types, error codes and the signature of device requests, shared by every program.
//!
//! Knows nothing of databases or HTTP libraries. `docs/api-design.md` says how the pieces are used.

pub mod audit;
pub mod auth;
pub mod bundles;
pub mod deployments;
pub mod devices;
pub mod events;
pub mod groups;
pub mod heartbeat;
pub mod logs;
pub mod problem;
pub mod registration_tokens;
pub mod signing;
pub mod system;
pub mod tags;
pub mod webhooks;

pub use problem::{ErrorCode, Problem};

/// Where the API lives.
pub const BASE_PATH: &str = "/api/v1";

/// Largest body of a device's JSON request, in bytes.
pub const MAX_DEVICE_BODY_BYTES: usize = 64 * 1024;
/// Largest body of a user's JSON request, in bytes (a list of 10,000 target devices fits).
pub const MAX_JSON_BODY_BYTES: usize = 1024 * 1024;
/// Largest body of a batch of logs, in bytes.
pub const MAX_LOGS_BODY_BYTES: usize = 1024 * 1024;
/// Most log entries in one batch.
pub const MAX_LOG_ENTRIES: usize = 1_000;
/// Most targets that one deployment may list.
pub const MAX_TARGET_DEVICES: usize = 10_000;
/// Most rows on one page of a list.
pub const MAX_PAGE_LIMIT: u32 = 200;
/// Rows on a page when the request does not say.
pub const DEFAULT_PAGE_LIMIT: u32 = 50;
/// An `error_message` of a result is cut to this many bytes.
pub const MAX_ERROR_MESSAGE_BYTES: usize = 4 * 1024;
