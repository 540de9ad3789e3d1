//! The program against a control plane that answers what each test tells it to.

#![allow(clippy::unwrap_used, reason = "helpers of tests are tests too")]

mod fake;

mod bundles;
mod deployments;
mod devices;
mod session;

use assert_cmd::Command;
use fake::Fake;

const DEVICE: &str = "0199aaaa-1111-7000-8000-000000000001";
const DEPLOYMENT: &str = "0199bbbb-0000-7000-8000-000000000001";

/// `kernex` with nothing from the person who runs the tests.
fn kernex(config_dir: &std::path::Path, arguments: &[&str]) -> Command {
    let mut command = Command::cargo_bin("kernex").unwrap();
    for name in ["KERNEX_URL", "KERNEX_TOKEN", "KERNEX_TOKEN_FILE", "KERNEX_CA_FILE", "CLICOLOR_FORCE"] {
        command.env_remove(name);
    }
    command.env("KERNEX_CONFIG_DIR", config_dir).args(arguments).timeout(std::time::Duration::from_secs(60));
    command
}

/// The same, against a fake control plane with a token.
fn kernex_at(fake: &Fake, arguments: &[&str]) -> Command {
    let mut command = kernex(std::path::Path::new("/nonexistent"), arguments);
    command.env("KERNEX_URL", &fake.address).env("KERNEX_TOKEN", "kx_secret");
    command
}

/// Runs and gives exit code, stdout and stderr.
fn run(mut command: Command) -> (i32, String, String) {
    let output = command.output().unwrap();
    let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
    (output.status.code().unwrap(), text(&output.stdout), text(&output.stderr))
}

fn device(name: Option<&str>) -> serde_json::Value {
    serde_json::json!({
        "device_id": DEVICE, "display_name": name, "status": "online", "device_type": null,
        "hardware_metadata": {}, "tags": {}, "key_fingerprint": "ab", "signature_algorithm": "ed25519",
        "registered_at": "2026-01-01T00:00:00.000Z", "last_seen_at": null, "bundles": [],
        "current_bundle_version": null, "agent_version": null, "config_version": 1,
        "reported_config_version": 1, "last_heartbeat": null,
    })
}

fn user() -> serde_json::Value {
    serde_json::json!({"id": DEVICE, "username": "ada", "email": null, "role": "admin", "org_id": DEVICE,
        "permissions": ["devices:read"], "credential": "access_token", "organizations": [], "installation_admin": false,
        "second_factor": false, "must_change_password": false, "created_at": "2026-01-01T00:00:00.000Z"})
}
