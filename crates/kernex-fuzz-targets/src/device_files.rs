//! Files of the agent that a power cut or an owner may have changed.

use std::fs;

use kernex_agent::{config_file::ConfigFile, state::StateFile};
use kernex_api::heartbeat::ConfigureCommand;

use crate::scratch;

/// `state.json`, alone and with a generation before it.
pub fn state(data: &[u8]) {
    let dir = scratch();
    let path = dir.path().join("state.json");
    fs::write(&path, data).unwrap();
    let file = StateFile::new(&path);
    let Ok(Some(state)) = file.load() else {
        // Nothing is lost: it is there still, or put aside.
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1);
        return;
    };
    file.save(&state).unwrap();
    let saved = file.load().unwrap().expect("what was saved is there");
    assert_eq!(saved.reports.len(), state.reports.len());
    // A torn newest file: the one before it counts, and it is the one from the start.
    let whole = fs::read(&path).unwrap();
    fs::write(&path, &whole[..whole.len() / 2]).unwrap();
    assert!(file.load().unwrap().is_some(), "the generation before it is forgotten");
}

/// `config.json`, and the configuration that the control plane sends.
pub fn config(data: &[u8]) {
    if let Ok(command) = serde_json::from_slice::<ConfigureCommand>(data) {
        let _ = command.config.check();
    }
    let dir = scratch();
    let path = dir.path().join("config.json");
    fs::write(&path, data).unwrap();
    if let Ok(config) = ConfigFile::load(&path) {
        config.save(&path).unwrap();
        assert!(ConfigFile::load(&path).is_ok(), "what was saved cannot be read");
    }
    // Whatever is wrong with it, it is not thrown away.
    assert!(path.exists());
}
