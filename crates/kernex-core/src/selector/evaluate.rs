//! Whether a device is meant. The store's SQL gives the same answers; a property test compares the two.

use std::collections::{BTreeMap, BTreeSet};

use super::{Expr, Field, Selector, Test};
use crate::{
    BundleName, BundleVersion, DeviceHealth, DeviceId, DeviceStatus, Membership, Timestamp, version::sort_key,
};

/// What a selector can ask about a device.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeviceFacts {
    /// Its id.
    pub id: DeviceId,
    /// The name that an operator gave.
    pub display_name: Option<String>,
    /// The kind of machine.
    pub device_type: Option<String>,
    /// Its processor.
    pub arch: Option<String>,
    /// SHA-256 of its key, hex.
    pub key_fingerprint: String,
    /// Whether it has been let in.
    pub membership: Membership,
    /// What it last said of itself.
    pub health: Option<DeviceHealth>,
    /// From then on it counts as offline.
    pub overdue_at: Timestamp,
    /// When it registered.
    pub registered_at: Timestamp,
    /// When its last heartbeat came.
    pub last_seen_at: Option<Timestamp>,
    /// The agent's version.
    pub agent_version: Option<String>,
    /// What it reported to have installed.
    pub bundles: Vec<(BundleName, BundleVersion)>,
    /// Its labels.
    pub tags: BTreeMap<String, String>,
    /// The lists of devices that it is in, by name.
    pub groups: BTreeSet<String>,
}

impl DeviceFacts {
    /// How an operator sees the device at a point in time.
    pub fn status(&self, now: Timestamp) -> DeviceStatus {
        DeviceStatus::at(self.membership, self.health, self.overdue_at, now)
    }
}

impl Selector {
    /// Whether a device is meant. Groups that are selectors themselves must have been put in by
    /// [`Selector::with_groups`]; of the others the device's facts say whether it is in them.
    pub fn matches(&self, device: &DeviceFacts, now: Timestamp) -> bool {
        holds(&self.0, device, now)
    }
}

fn holds(expr: &Expr, device: &DeviceFacts, now: Timestamp) -> bool {
    match expr {
        Expr::Everything => true,
        Expr::And(parts) => parts.iter().all(|part| holds(part, device, now)),
        Expr::Or(parts) => parts.iter().any(|part| holds(part, device, now)),
        Expr::Not(inner) => !holds(inner, device, now),
        Expr::Test(test) => passes(test, device, now),
    }
}

fn passes(test: &Test, device: &DeviceFacts, now: Timestamp) -> bool {
    match test {
        Test::Text(text) => has_text(device, text),
        Test::Exists(field) => match field {
            Field::Registered => true,
            Field::LastSeen => device.last_seen_at.is_some(),
            field => !texts(field, device).is_empty(),
        },
        Test::OneOf { field: Field::Status, values } => {
            values.iter().any(|word| device.status(now).as_str() == word)
        }
        Test::OneOf { field: Field::Id, values } => values.contains(&device.id.to_string()),
        Test::OneOf { field, values } => {
            let found = texts(field, device);
            values.iter().any(|value| found.iter().any(|text| same(field, text, value)))
        }
        Test::Contains { field, text } => texts(field, device).iter().any(|found| contains(found, text)),
        Test::Version { field, order, bound } => texts(field, device)
            .iter()
            .filter_map(|text| sort_key(text))
            .any(|key| order.holds(key.as_str().cmp(bound.key()))),
        Test::Time { field, order, bound } => {
            let time = match field {
                Field::Registered => Some(device.registered_at),
                _ => device.last_seen_at,
            };
            let (order, bound) = bound.resolve(*order, now);
            time.is_some_and(|time| order.holds(time.cmp(&bound)))
        }
    }
}

/// The values of a field that is a text; none when the device has none.
fn texts<'a>(field: &Field, device: &'a DeviceFacts) -> Vec<&'a str> {
    let one = |text: &'a Option<String>| text.as_deref().into_iter().collect();
    match field {
        Field::Name => one(&device.display_name),
        Field::DeviceType => one(&device.device_type),
        Field::Arch => one(&device.arch),
        Field::AgentVersion => one(&device.agent_version),
        Field::Tag(key) => device.tags.get(key).map(String::as_str).into_iter().collect(),
        Field::Group => device.groups.iter().map(String::as_str).collect(),
        Field::BundleName => device.bundles.iter().map(|(name, _)| name.as_str()).collect(),
        Field::BundleVersion(wanted) => {
            let fits = |name: &BundleName| wanted.as_ref().is_none_or(|wanted| wanted == name);
            device
                .bundles
                .iter()
                .filter(|(name, _)| fits(name))
                .map(|(_, version)| version.as_str())
                .collect()
        }
        Field::Id | Field::Status | Field::Registered | Field::LastSeen => Vec::new(),
    }
}

/// Versions are the same when they have the same place in the order; everything else when the text is the same.
fn same(field: &Field, text: &str, value: &str) -> bool {
    let is_version = matches!(field, Field::AgentVersion | Field::BundleVersion(_));
    text == value || is_version && sort_key(value).is_some_and(|key| sort_key(text) == Some(key))
}

fn has_text(device: &DeviceFacts, text: &str) -> bool {
    let named = [&device.display_name, &device.device_type].into_iter().flatten();
    named.chain(device.tags.values()).any(|found| contains(found, text))
        || id_prefix(text).is_some_and(|prefix| {
            device.id.0.simple().to_string().starts_with(&prefix)
                || device.key_fingerprint.starts_with(&prefix)
        })
}

/// What free text is as the beginning of an id or a fingerprint: lower-case hexadecimal digits without hyphens, if it is that.
pub(super) fn id_prefix(text: &str) -> Option<String> {
    let digits: String = text.chars().filter(|c| *c != '-').map(|c| c.to_ascii_lowercase()).collect();
    let fits =
        !digits.is_empty() && digits.len() <= 64 && digits.bytes().all(|byte| byte.is_ascii_hexdigit());
    fits.then_some(digits)
}

impl Test {
    /// What free text is as the beginning of an id or of a fingerprint; `None` when it cannot be one.
    pub fn id_prefix(text: &str) -> Option<String> {
        id_prefix(text)
    }
}

fn contains(text: &str, part: &str) -> bool {
    text.to_ascii_lowercase().contains(&part.to_ascii_lowercase())
}
