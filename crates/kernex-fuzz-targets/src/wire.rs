//! JSON that comes over the network.

use kernex_api::{
    heartbeat::{Command, HeartbeatResponse},
    problem::Problem,
};
use kernex_bundle::{Manifest, Platform};
use serde::{Serialize, de::DeserializeOwned};

/// `manifest.json`, from an archive or a form.
pub fn manifest(data: &[u8]) {
    let manifest = match Manifest::parse(data) {
        Ok(manifest) => manifest,
        Err(error) => return assert_short(&error.to_string()),
    };
    let written = manifest.json().to_string();
    let Ok(again) = Manifest::parse(written.as_bytes()) else {
        // Escapes are written out in full, which may take it beyond the limit.
        assert!(written.len() > data.len());
        return;
    };
    assert!(manifest.agrees_with(&manifest).is_ok(), "a manifest agrees with itself");
    assert_eq!(again.version, manifest.version);
    assert_eq!(again.files, manifest.files);
    let platform = Platform { arch: "aarch64", device_type: Some("jetson"), agent_version: "1.4.7" };
    if let Err(error) = manifest.check_compatible(&platform) {
        let _ = error.to_string();
    }
}

/// What the control plane answers to a heartbeat, and its errors.
pub fn answers(data: &[u8]) {
    if let Some(answer) = round_trip::<HeartbeatResponse>(data) {
        for command in answer.commands {
            if let Command::Configure(configure) = command {
                let _ = configure.config.check();
            }
        }
    }
    if let Some(problem) = round_trip::<Problem>(data) {
        let _ = problem.to_string();
    }
}

/// What was read can be written and read again; not compared, for a number with a fraction may change in its last digit.
fn round_trip<T: Serialize + DeserializeOwned>(data: &[u8]) -> Option<T> {
    let value: T = serde_json::from_slice(data).ok()?;
    let written = serde_json::to_vec(&value).unwrap();
    if let Err(error) = serde_json::from_slice::<T>(&written) {
        panic!("{error}: {}", String::from_utf8_lossy(&written));
    }
    Some(value)
}

/// A message goes into a log and into an answer: one line, not long.
pub(crate) fn assert_short(message: &str) {
    assert!(message.chars().count() < 1000 && !message.contains(['\n', '\u{1b}', '\0']), "{message:?}");
}
