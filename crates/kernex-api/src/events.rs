//! Events, and the timeline of a device.

use kernex_core::{BundleName, BundleVersion, DeploymentId, DeploymentKind, DeviceId, EventKind, Timestamp};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// Something that happened.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Event {
    /// Its number: grows, without being told twice or out of order.
    pub id: u64,
    /// What happened.
    pub kind: EventKind,
    /// When.
    pub occurred_at: Timestamp,
    /// To which device.
    pub device_id: Option<DeviceId>,
    /// In which deployment.
    pub deployment_id: Option<DeploymentId>,
    /// Who did it; null for a device and for the control plane itself.
    pub actor: Option<String>,
    /// More about it.
    #[schema(value_type = Object)]
    pub data: serde_json::Map<String, serde_json::Value>,
}

/// One page of events.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct EventList {
    /// Newest first; oldest first when `after` was given.
    pub events: Vec<Event>,
    /// The number of the latest event of all: from where to go on watching.
    pub last_event_id: u64,
    /// Give it as `cursor` for the next page; null on the last one.
    pub next_cursor: Option<String>,
}

/// What the WebSocket says, one JSON text per message.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum EventMessage {
    /// The first message: events after this number follow.
    Hello {
        /// The number.
        after: u64,
    },
    /// Events before this number are gone, although later ones than asked for: read what matters anew.
    Gap {
        /// The oldest event that is still there.
        oldest_event_id: u64,
    },
    /// Something happened.
    Event {
        /// What.
        event: Event,
    },
}

/// One line of a device's timeline.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct TimelineEntry {
    /// When.
    pub at: Timestamp,
    /// What: an event's kind, or `target.` with the state that a target took.
    pub kind: String,
    /// The deployment, for a step of one.
    pub deployment: Option<TimelineDeployment>,
    /// The attempt, for a step of one.
    pub attempt: Option<u32>,
    /// Why it failed, for a program.
    pub error_code: Option<String>,
    /// Why it failed, for a person.
    pub error_message: Option<String>,
    /// Who did it; null for a device and for the control plane itself.
    pub actor: Option<String>,
    /// More about it.
    #[schema(value_type = Object)]
    pub data: serde_json::Map<String, serde_json::Value>,
}

/// A deployment in a timeline.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct TimelineDeployment {
    /// Its id.
    pub id: DeploymentId,
    /// Deploy or rollback.
    pub kind: DeploymentKind,
    /// The bundle's name.
    pub bundle_name: BundleName,
    /// The bundle's version.
    pub bundle_version: BundleVersion,
    /// Who made it.
    pub created_by: String,
}

/// One page of a timeline.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Timeline {
    /// Newest first.
    pub entries: Vec<TimelineEntry>,
    /// Give it as `cursor` for the next page; null on the last one.
    pub next_cursor: Option<String>,
}
