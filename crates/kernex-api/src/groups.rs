//! Groups of devices: named selectors and named lists.

use kernex_core::{DeviceId, GroupId, Selector, Timestamp};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// A new group: with a selector, or with a list of devices, which may be empty.
#[derive(Clone, Debug, Default, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct CreateGroupRequest {
    /// Its name: 1 to 64 of a-z A-Z 0-9 . _ -, once in an organisation.
    pub name: String,
    /// What it is for, at most 1000 bytes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// Which devices are in it, at any time; it may not name groups.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    pub selector: Option<String>,
    /// The devices of a list, at most 10,000 at once.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub devices: Option<Vec<DeviceId>>,
    /// The release channel that it follows.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub channel: Option<String>,
}

/// A change of a group; a missing field keeps its value.
#[derive(Clone, Debug, Default, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct UpdateGroupRequest {
    /// A new name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// A description; empty removes it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// Another selector, for a group that has one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub selector: Option<String>,
    /// The channel that it follows; empty takes it off.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub channel: Option<String>,
}

/// One group.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Group {
    /// Its id.
    pub id: GroupId,
    /// Its name.
    pub name: String,
    /// What it is for.
    pub description: Option<String>,
    /// Which devices are in it; null for a list.
    #[schema(value_type = Option<String>)]
    pub selector: Option<Selector>,
    /// The release channel that it follows.
    pub channel: Option<String>,
    /// How many devices are in it now; only where one group is asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub devices: Option<u64>,
    /// Who made it.
    pub created_by: String,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it was last changed.
    pub updated_at: Timestamp,
}

/// Every group.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct GroupList {
    /// By name.
    pub groups: Vec<Group>,
}

/// A change of a list of devices.
#[derive(Clone, Debug, Default, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ChangeMembersRequest {
    /// Devices to put in, at most 10,000.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub add: Vec<DeviceId>,
    /// Devices to take out, at most 10,000.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub remove: Vec<DeviceId>,
}

/// What became of a list of devices.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct MembersChanged {
    /// Devices that were put in and were not there.
    pub added: u64,
    /// Devices that were taken out.
    pub removed: u64,
}
