//! Devices by id, by the beginning of an id, or by display name.

use anyhow::Result;
use kernex_api::{MAX_PAGE_LIMIT, devices::Device};
use kernex_client::{DeviceQuery, OperatorClient};
use kernex_core::{DeviceId, Selector};

use crate::{exit_code::ExitCode, failure::Failure};

/// Fewer characters of an id are more likely a mistake than a choice.
const MIN_PREFIX_CHARS: usize = 4;
/// A text that finds more devices than fit on so many pages names none of them.
const MAX_PAGES: usize = 5;
/// How many candidates an error lists.
const MAX_CANDIDATES: usize = 8;

/// A device that was found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Found {
    pub(crate) id: DeviceId,
    pub(crate) name: Option<String>,
}

impl std::fmt::Display for Found {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match &self.name {
            Some(name) => write!(f, "{name} ({})", self.id),
            None => self.id.fmt(f),
        }
    }
}

/// The one device that a text names. A whole id is not looked up: what is done with it will say whether it exists.
pub(crate) async fn device(client: &OperatorClient, text: &str) -> Result<Found> {
    if let Ok(id) = text.parse() {
        return Ok(Found { id, name: None });
    }
    let mut candidates = search(client, text).await?;
    let hyphenated = hyphenated(text);
    if candidates.is_empty() && hyphenated != text {
        candidates = search(client, &hyphenated).await?;
    }
    Ok(pick(text, &candidates)?)
}

/// The devices that texts name, each once.
pub(crate) async fn devices(client: &OperatorClient, texts: &[String]) -> Result<Vec<Found>> {
    let mut found: Vec<Found> = Vec::new();
    for text in texts {
        let one = device(client, text).await?;
        if !found.iter().any(|other| other.id == one.id) {
            found.push(one);
        }
    }
    Ok(found)
}

async fn search(client: &OperatorClient, text: &str) -> Result<Vec<Device>> {
    let mut query = DeviceQuery {
        q: Some(Selector::text(text).to_string()),
        limit: Some(MAX_PAGE_LIMIT),
        ..DeviceQuery::default()
    };
    let mut found = Vec::new();
    for _ in 0..MAX_PAGES {
        let page = client.list_devices(&query).await?;
        found.extend(page.devices.into_iter().filter(|device| is_named(device, text)));
        query.cursor = page.next_cursor;
        if query.cursor.is_none() {
            break;
        }
    }
    Ok(found)
}

fn is_named(device: &Device, text: &str) -> bool {
    device.display_name.as_deref() == Some(text) || begins_with(device.device_id, text)
}

fn begins_with(id: DeviceId, text: &str) -> bool {
    let prefix: String = text.chars().filter(|c| *c != '-').collect::<String>().to_ascii_lowercase();
    prefix.len() >= MIN_PREFIX_CHARS && id.0.simple().to_string().starts_with(&prefix)
}

/// The beginning of an id as the control plane spells it.
fn hyphenated(text: &str) -> String {
    if text.len() <= 8 || text.len() > 32 || !text.bytes().all(|b| b.is_ascii_hexdigit()) {
        return text.to_owned();
    }
    let mut id = String::new();
    for (index, c) in text.chars().enumerate() {
        if matches!(index, 8 | 12 | 16 | 20) {
            id.push('-');
        }
        id.push(c.to_ascii_lowercase());
    }
    id
}

fn pick(text: &str, candidates: &[Device]) -> Result<Found, Failure> {
    let found = |device: &Device| Found { id: device.device_id, name: device.display_name.clone() };
    match candidates {
        [one] => Ok(found(one)),
        [] => Err(Failure::new(ExitCode::NotFound, format!("no device is named `{text}`")).hint(format!(
            "`kernex device list` shows the devices; give a display name or at least {MIN_PREFIX_CHARS} characters of an id"
        ))),
        many => {
            let mut message = format!("`{text}` may be any of {} devices:", many.len());
            for device in many.iter().take(MAX_CANDIDATES) {
                message.push_str(&format!("\n  {}", found(device)));
            }
            if many.len() > MAX_CANDIDATES {
                message.push_str("\n  …");
            }
            Err(Failure::new(ExitCode::Usage, message).hint("give more characters of the id, or the whole id"))
        }
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    /// A device with this id and name, and nothing else of interest.
    pub(crate) fn sample(id: &str, name: Option<&str>) -> Device {
        let json = serde_json::json!({
            "device_id": id, "display_name": name, "status": "online", "device_type": "jetson",
            "hardware_metadata": {}, "tags": {"site": "berlin"}, "key_fingerprint": "ab".repeat(32),
            "signature_algorithm": "ed25519", "registered_at": "2026-01-01T00:00:00.000Z",
            "last_seen_at": "2026-01-01T11:59:57.000Z", "bundles": [{"name": "default", "version": "1.2.0"}],
            "current_bundle_version": "1.2.0", "agent_version": "0.1.0", "config_version": 2,
            "reported_config_version": 1, "last_heartbeat": null,
        });
        serde_json::from_value(json).unwrap()
    }

    const ONE: &str = "0199aaaa-1111-7000-8000-000000000001";
    const TWO: &str = "0199aaaa-2222-7000-8000-000000000002";

    fn picked(text: &str) -> Result<String, ExitCode> {
        let all = [sample(ONE, Some("cam-1")), sample(TWO, Some("0199"))];
        let named: Vec<_> = all.into_iter().filter(|device| is_named(device, text)).collect();
        pick(text, &named).map(|found| found.id.to_string()).map_err(|failure| failure.exit_code())
    }

    #[test]
    fn a_device_is_named_by_display_name_or_by_a_unique_beginning() {
        for text in ["cam-1", "0199aaaa-1", "0199aaaa1", "0199AAAA-1111", ONE] {
            assert_eq!(picked(text).as_deref(), Ok(ONE), "{text}");
        }
    }

    #[test]
    fn what_names_none_or_several_devices_is_refused() {
        for text in ["cam", "CAM-1", "019", "", "-", "0199b"] {
            assert_eq!(picked(text), Err(ExitCode::NotFound), "{text}");
        }
        // The second device is called `0199`, and both ids begin so.
        for text in ["0199", "0199aaaa", "0199aaaa-"] {
            assert_eq!(picked(text), Err(ExitCode::Usage), "{text}");
        }
    }

    #[test]
    fn the_error_lists_the_candidates() {
        let failure = pick("0199", &[sample(ONE, Some("cam-1")), sample(TWO, None)]).unwrap_err();
        assert_eq!(failure.to_string(), format!("`0199` may be any of 2 devices:\n  cam-1 ({ONE})\n  {TWO}"));
    }

    #[test]
    fn a_beginning_without_hyphens_is_searched_as_the_control_plane_spells_it() {
        assert_eq!(hyphenated("0199AAAA11117"), "0199aaaa-1111-7");
        assert_eq!(hyphenated("0199aaaa"), "0199aaaa");
        assert_eq!(hyphenated("camera-number-1"), "camera-number-1");
    }
}
