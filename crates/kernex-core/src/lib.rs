//! The vocabulary of Kernex: ids, versions, states and their legal transitions, device configuration.
//!
//! Every program speaks these words. The crate does no I/O and reads no clock: the time is a parameter, and ids are
//! made from it.

pub mod audit;
pub mod config;
pub mod event;
pub mod ids;
pub mod name;
pub mod permission;
pub mod selector;
pub mod state;
pub mod time;
pub mod version;
pub mod window;

pub use config::{ConfigError, ConfigPatch, DeviceConfig, LogLevel};
pub use event::EventKind;
pub use ids::{
    ApiKeyId, BundleId, DeploymentId, DeviceId, GroupId, OrganizationId, RegistrationTokenId, RequestId,
    SessionId, UserId, WebhookDeliveryId, WebhookId,
};
pub use name::{BundleName, InvalidName};
pub use permission::{Permission, Permissions};
pub use selector::{DeviceFacts, Selector, SelectorError};
pub use state::{
    ActorKind, AuditResult, DeploymentKind, DeploymentStatus, DeviceHealth, DeviceStatus, FailureCode,
    Membership, ResultStatus, Role, TargetState,
};
pub use time::{Clock, Timestamp};
pub use version::{BundleVersion, InvalidVersion};
pub use window::{Window, WindowError, Windows};
