//! `docs/api-design.md` says what the code does: its examples are read as the types that they show, its tables hold every word,
//! and its worked signature verifies.

#![allow(clippy::unwrap_used, clippy::panic, reason = "helpers of tests, outside of test functions")]

use kernex_api::{
    ErrorCode, Problem,
    auth::{LoginRequest, LoginResponse, RegisterUserRequest, User},
    bundles::{BundleVerification, UploadedBundle},
    deployments::{
        CreateDeploymentRequest, CreatedDeployment, CreatedRollback, CreatedRollbacks, DeploymentDetail,
        ResultRequest, ResultResponse, RollbackDeploymentRequest, RollbackDevicesRequest, TargetList,
    },
    devices::{ConfigResponse, ConfigRollbackRequest, HistoryEntry, RegisterDeviceRequest, RegisteredDevice},
    heartbeat::{HeartbeatRequest, HeartbeatResponse},
    logs::{LogEntry, LogsIngested},
    registration_tokens::{CreateRegistrationTokenRequest, CreatedRegistrationToken},
    signing::{CanonicalRequest, PublicKey, SigningKey, decode_signature},
    system::{Health, Stats},
};
use kernex_core::{
    ConfigPatch, DeploymentStatus, DeviceStatus, FailureCode, Membership, ResultStatus, Role, TargetState,
};
use serde::{Serialize, de::DeserializeOwned};
use serde_json::Value;

const PAGE: &str = include_str!("../../../docs/api-design.md");
const ERROR_CODES: &str = include_str!("../src/problem.rs");

/// Every fenced block that stands right below a marker `<!-- kind: name -->`, with the name.
fn blocks(kind: &str) -> Vec<(&'static str, &'static str)> {
    let marker = format!("<!-- {kind}: ");
    let after_marker = PAGE.split(marker.as_str()).skip(1);
    after_marker
        .map(|rest| {
            let (name, rest) = rest.split_once(" -->\n```").expect("a marker stands right above its block");
            let (_, rest) = rest.split_once('\n').expect("a block begins on its own line");
            let (text, _) = rest.split_once("\n```\n").expect("a block has an end");
            (name, text)
        })
        .collect()
}

fn vector(name: &str) -> &'static str {
    let found = blocks("vector").into_iter().find(|(known, _)| *known == name);
    found.unwrap_or_else(|| panic!("the page has no vector `{name}`")).1
}

/// The example is read as the type, and written again it is the same: no field is unknown, forgotten or misspelt.
fn check<T: Serialize + DeserializeOwned>(name: &str, example: &str) {
    let shown: Value =
        serde_json::from_str(example).unwrap_or_else(|error| panic!("{name} is not JSON: {error}"));
    let read: T = serde_json::from_str(example).unwrap_or_else(|error| panic!("{name}: {error}"));
    let written = serde_json::to_value(&read).unwrap();
    assert_eq!(written, shown, "{name} is not written as the page shows it");
}

#[test]
fn every_example_is_read_as_the_type_that_it_shows() {
    let examples = blocks("example");
    assert!(examples.len() > 30, "only {} examples were found", examples.len());
    for (name, example) in examples {
        let check = match name {
            "BundleVerification" => check::<BundleVerification>,
            "ConfigPatch" => check::<ConfigPatch>,
            "ConfigResponse" => check::<ConfigResponse>,
            "ConfigRollbackRequest" => check::<ConfigRollbackRequest>,
            "CreateDeploymentRequest" => check::<CreateDeploymentRequest>,
            "CreateRegistrationTokenRequest" => check::<CreateRegistrationTokenRequest>,
            "CreatedDeployment" => check::<CreatedDeployment>,
            "CreatedRegistrationToken" => check::<CreatedRegistrationToken>,
            "CreatedRollback" => check::<CreatedRollback>,
            "CreatedRollbacks" => check::<CreatedRollbacks>,
            "DeploymentDetail" => check::<DeploymentDetail>,
            "Health" => check::<Health>,
            "HeartbeatRequest" => check::<HeartbeatRequest>,
            "HeartbeatResponse" => check::<HeartbeatResponse>,
            "HistoryEntries" => check::<Vec<HistoryEntry>>,
            "LogEntries" => check::<Vec<LogEntry>>,
            "LoginRequest" => check::<LoginRequest>,
            "LoginResponse" => check::<LoginResponse>,
            "LogsIngested" => check::<LogsIngested>,
            "Problem" => check::<Problem>,
            "RegisterDeviceRequest" => check::<RegisterDeviceRequest>,
            "RegisterUserRequest" => check::<RegisterUserRequest>,
            "RegisteredDevice" => check::<RegisteredDevice>,
            "ResultRequest" => check::<ResultRequest>,
            "ResultResponse" => check::<ResultResponse>,
            "RollbackDeploymentRequest" => check::<RollbackDeploymentRequest>,
            "RollbackDevicesRequest" => check::<RollbackDevicesRequest>,
            "Stats" => check::<Stats>,
            "TargetList" => check::<TargetList>,
            "UploadedBundle" => check::<UploadedBundle>,
            "User" => check::<User>,
            other => panic!("{other} is not a type that this test knows"),
        };
        check(name, example);
    }
}

#[test]
fn every_word_of_the_closed_sets_stands_on_the_page() {
    let words = TargetState::ALL.iter().map(|word| word.as_str());
    let words = words.chain(DeploymentStatus::ALL.iter().map(|word| word.as_str()));
    let words = words.chain(FailureCode::ALL.iter().map(|word| word.as_str()));
    let words = words.chain(ResultStatus::ALL.iter().map(|word| word.as_str()));
    let words = words.chain(DeviceStatus::ALL.iter().map(|word| word.as_str()));
    let words = words.chain(Membership::ALL.iter().map(|word| word.as_str()));
    for word in words.chain(Role::ALL.iter().map(|word| word.as_str())) {
        assert!(PAGE.contains(&format!("`{word}`")), "the page lacks `{word}`");
    }
}

/// The codes and their statuses as the enum's comments give them: `/// 401: …` above `ClockSkew,`.
fn error_codes() -> Vec<(String, &'static str)> {
    let mut codes = Vec::new();
    let mut status = None;
    for line in ERROR_CODES.lines().map(str::trim) {
        if let Some((number, _)) = line.strip_prefix("/// ").and_then(|text| text.split_once(": ")) {
            status = Some(number).filter(|text| text.len() == 3 && text.parse::<u16>().is_ok());
        } else if let (Some(status), Some(variant)) = (status.take(), line.strip_suffix(',')) {
            codes.push((snake_case(variant), status));
        }
    }
    codes
}

fn snake_case(name: &str) -> String {
    let mut text = String::new();
    for c in name.chars() {
        if c.is_ascii_uppercase() && !text.is_empty() {
            text.push('_');
        }
        text.push(c.to_ascii_lowercase());
    }
    text
}

#[test]
fn every_error_code_stands_in_the_table_with_its_status() {
    let codes = error_codes();
    assert!(codes.len() > 20, "only {codes:?} were found");
    for (code, status) in &codes {
        serde_json::from_value::<ErrorCode>(Value::from(code.as_str())).unwrap();
        let row = format!("| `{code}` | {status} |");
        assert!(PAGE.contains(&row), "the table lacks {row}");
    }
    let (_, table) = PAGE.split_once("| `code` | Status | Meaning |\n|---|---|---|\n").unwrap();
    let rows = table.lines().take_while(|line| line.starts_with('|')).count();
    assert_eq!(rows, codes.len(), "the table has a code that does not exist");
}

#[test]
fn the_worked_signature_verifies() {
    let key = SigningKey::from_pem(vector("key")).unwrap();
    assert_eq!(key.public_key_pem().unwrap().trim_end(), vector("public key"));
    let public = PublicKey::from_pem(vector("public key"), None).unwrap();
    assert_eq!(public.fingerprint(), vector("fingerprint"));

    let id = "0199c2f4-8a51-7c3e-9d21-4f6f1f0f3a55";
    let request = CanonicalRequest {
        method: "POST",
        path: &format!("/api/v1/devices/{id}/heartbeat"),
        query: "",
        device_id: id,
        timestamp: "1767225600123",
        challenge: None,
        body: vector("body").as_bytes(),
    };
    let text = request.text().unwrap();
    assert_eq!(text, format!("{}\n", vector("text")));
    let signature = decode_signature(vector("signature")).unwrap();
    assert!(public.verify(text.as_bytes(), &signature));
    assert_eq!(decode_signature(&key.sign(&request).unwrap()), Some(signature));
    serde_json::from_str::<HeartbeatRequest>(vector("body")).unwrap();
}
