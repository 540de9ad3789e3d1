//! Changing the labels of many devices at once.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// A change of the labels of every device that a selector means.
#[derive(Clone, Debug, Default, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ChangeTagsRequest {
    /// Which devices.
    pub selector: String,
    /// Labels to set.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub set: BTreeMap<String, String>,
    /// Keys to remove.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub remove: Vec<String>,
    /// Only say how many devices would change.
    #[serde(default)]
    pub dry_run: bool,
    /// Beyond 100 devices: how many it may be, so that a selector which means more than was thought changes nothing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub confirm_devices: Option<u64>,
}

/// What a change of labels came to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct TagsChanged {
    /// Devices that were meant.
    pub matched: u64,
    /// Devices whose labels are (or would be) others than before.
    pub changed: u64,
    /// Whether nothing was written.
    pub dry_run: bool,
}

/// A change of many devices' membership.
#[derive(Clone, Debug, Default, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct BulkMembershipRequest {
    /// Which devices.
    pub selector: String,
    /// Only say how many devices it would be.
    #[serde(default)]
    pub dry_run: bool,
    /// Beyond 100 devices: how many it may be.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub confirm_devices: Option<u64>,
}

/// What a change of many devices' membership came to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct BulkMembershipChanged {
    /// Devices that were let in, or let go; or would be.
    pub changed: u64,
    /// Whether nothing was written.
    pub dry_run: bool,
}
