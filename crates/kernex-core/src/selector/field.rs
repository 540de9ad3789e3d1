//! What a selector can ask for. A word without a special meaning is a tag; `tag.` before it makes any word one.

use std::fmt;

use crate::BundleName;

/// What is tested.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Field {
    /// `id`: the device's id.
    Id,
    /// `name`: the name that an operator gave.
    Name,
    /// `device_type`, also `type`.
    DeviceType,
    /// `arch`: the processor that the device reported when it registered.
    Arch,
    /// `status`: online, degraded, error, offline, pending_approval, decommissioned.
    Status,
    /// `agent_version`.
    AgentVersion,
    /// `registered`: when the device registered.
    Registered,
    /// `last_seen`: when its last heartbeat came.
    LastSeen,
    /// `group`: a group by name.
    Group,
    /// `bundle`: the names of its bundles.
    BundleName,
    /// `bundle.version` for any bundle, `bundle.NAME` for one: the version that it runs.
    BundleVersion(Option<BundleName>),
    /// A label by its key.
    Tag(String),
}

/// What may be asked of a field.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Abilities {
    /// `=`, `!=`, `in`.
    pub(super) equality: bool,
    /// `<`, `<=`, `>`, `>=`.
    pub(super) order: bool,
    /// `~`.
    pub(super) containment: bool,
    /// `=*`, `!=*`.
    pub(super) existence: bool,
}

const TAG_KEY_BYTES: usize = 64;

impl Field {
    /// The field that a word names; why not, otherwise.
    pub(super) fn parse(word: &str) -> Result<Self, String> {
        Ok(match word {
            "id" => Self::Id,
            "name" => Self::Name,
            "device_type" | "type" => Self::DeviceType,
            "arch" => Self::Arch,
            "status" => Self::Status,
            "agent_version" => Self::AgentVersion,
            "registered" => Self::Registered,
            "last_seen" => Self::LastSeen,
            "group" => Self::Group,
            "bundle" => Self::BundleName,
            "bundle.version" => Self::BundleVersion(None),
            _ => match (word.strip_prefix("bundle."), word.strip_prefix("tag.")) {
                (Some(name), _) => {
                    Self::BundleVersion(Some(name.parse().map_err(|error| format!("{error}"))?))
                }
                (None, Some(key)) => Self::Tag(tag_key(key)?),
                (None, None) => Self::Tag(tag_key(word)?),
            },
        })
    }

    pub(super) fn abilities(&self) -> Abilities {
        let (equality, order, containment, existence) = match self {
            Self::Id | Self::Status | Self::Group => (true, false, false, false),
            Self::Name | Self::DeviceType | Self::Arch => (true, false, true, true),
            Self::BundleName => (true, false, false, true),
            Self::AgentVersion | Self::BundleVersion(_) => (true, true, false, true),
            Self::Registered | Self::LastSeen => (false, true, false, true),
            Self::Tag(_) => (true, true, true, true),
        };
        Abilities { equality, order, containment, existence }
    }

    /// Whether it is a point in time.
    pub(super) fn is_time(&self) -> bool {
        matches!(self, Self::Registered | Self::LastSeen)
    }
}

fn tag_key(key: &str) -> Result<String, String> {
    let allowed = |c: char| c.is_ascii_alphanumeric() || "._/-".contains(c);
    if (1..=TAG_KEY_BYTES).contains(&key.len()) && key.chars().all(allowed) {
        return Ok(key.to_owned());
    }
    let shown: String = key.chars().take(80).collect();
    Err(format!("`{shown}` is neither a field nor a tag's key: 1 to {TAG_KEY_BYTES} of a-z A-Z 0-9 . _ / -"))
}

impl fmt::Display for Field {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Id => f.write_str("id"),
            Self::Name => f.write_str("name"),
            Self::DeviceType => f.write_str("device_type"),
            Self::Arch => f.write_str("arch"),
            Self::Status => f.write_str("status"),
            Self::AgentVersion => f.write_str("agent_version"),
            Self::Registered => f.write_str("registered"),
            Self::LastSeen => f.write_str("last_seen"),
            Self::Group => f.write_str("group"),
            Self::BundleName => f.write_str("bundle"),
            Self::BundleVersion(None) => f.write_str("bundle.version"),
            Self::BundleVersion(Some(name)) => write!(f, "bundle.{name}"),
            // A key that means something else on its own, or is a word of the language, is a tag only behind `tag.`.
            Self::Tag(key) if super::lexer::is_keyword(key) || Self::parse(key) != Ok(self.clone()) => {
                write!(f, "tag.{key}")
            }
            Self::Tag(key) => f.write_str(key),
        }
    }
}
