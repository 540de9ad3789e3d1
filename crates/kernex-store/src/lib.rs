//! SQLite and PostgreSQL behind one concrete [`Store`].
//!
//! SQL is written once, in the subset that both databases share; `sql.rs` runs it on either, `dialect.rs` names the true
//! differences. Knows no wire type and no HTTP status. Whoever calls says for whom: the organisation is a parameter of every
//! method that reads or writes what belongs to one, and a device's request brings the counter that makes a replay fail.
//! Why it is built like this: `docs/decisions/0001-one-body-of-sql.md`.

mod audit;
mod bundles;
mod deployments;
mod device_configs;
mod devices;
mod dialect;
mod error;
mod events;
mod groups;
mod heartbeats;
mod history;
mod idempotency;
mod logs;
mod memberships;
mod migrations;
mod offline;
mod registration_tokens;
mod selector;
mod sessions;
mod sql;
mod stats;
mod store;
mod tags;
mod targets;
mod timeline;
mod users;
mod version_keys;
mod webhooks;

pub use audit::{AuditCaller, AuditFilter, AuditRequest, AuditScope, ChainHead, Outcome};
pub use bundles::{BundleRecord, DeleteBundle, NewBundle};
pub use deployments::{DeploymentRecord, NewDeployment};
pub use device_configs::ConfigVersionRecord;
pub use devices::{DeviceFilter, DeviceRecord, DeviceUpdate, Identity, NewDevice, Registered};
pub use error::Error;
pub use events::{EventFilter, EventRecord, NewEvent};
pub use groups::{GroupRecord, GroupRefusal, GroupUpdate, MAX_GROUPS, UnknownGroups};
pub use heartbeats::{
    HeartbeatOutcome, HeartbeatReport, HeartbeatRow, LeaseTerms, Order, Reading, RequestCounter,
    TargetProgress,
};
pub use history::HistoryRecord;
pub use idempotency::{Idempotency, Once};
pub use logs::{LogRecord, NewLogEntry};
pub use memberships::{MemberRecord, OrganizationOfUser, Standing};
pub use offline::OfflineFound;
pub use registration_tokens::{NewRegistrationToken, RegistrationTokenRecord};
pub use sessions::{NewSession, SessionKey, SessionKind, SessionRecord, SessionUser};
pub use stats::FleetStats;
pub use store::{Options, Store};
pub use tags::{MAX_TAGS, TagChange, TagsChanged};
pub use targets::{MAX_ATTEMPTS, OutcomeOfResult, TargetFailure, TargetRecord, TargetResult};
pub use timeline::{TimelineCursor, TimelineRecord};
pub use users::{AdminChange, NewUser, UserRecord};
pub use webhooks::{Attempt, DeliveryRecord, DueDelivery, MAX_WEBHOOKS, WebhookRecord, WebhookUpdate};

/// The result of a store call.
pub type Result<T> = std::result::Result<T, Error>;
