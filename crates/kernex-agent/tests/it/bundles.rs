//! Bundles for tests.

use std::os::unix::fs::PermissionsExt as _;

use kernex_bundle::{PackOptions, pack};

/// A bundle of a manifest and programs.
pub(crate) fn bundle(manifest: serde_json::Value, files: &[(&str, &str)]) -> Vec<u8> {
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join("manifest.json"), manifest.to_string()).unwrap();
    for (name, text) in files {
        let path = dir.path().join(name);
        std::fs::write(&path, text).unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).unwrap();
    }
    let mut bytes = Vec::new();
    pack(dir.path(), &mut bytes, &PackOptions::default(), &mut |_, _| {}).unwrap();
    bytes
}
