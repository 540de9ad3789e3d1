//! `state.json`: versioned, written atomically, with the generation before it as `state.json.1`.

use std::{
    fs, io,
    path::{Path, PathBuf},
};

use serde::{Deserialize, Serialize};

use super::AgentState;
use crate::{Error, disk};

/// The format that this agent writes. Raised when an older agent could not act on what is written.
pub const FORMAT: u64 = 1;

/// Larger than any state: 64 slots and a message of an error in each of many reports take far less.
const MAX_STATE_BYTES: u64 = 8 * 1024 * 1024;

/// The state's two generations on disk.
#[derive(Clone, Debug)]
pub struct StateFile {
    path: PathBuf,
}

#[derive(Serialize)]
struct Written<'a> {
    format: u64,
    #[serde(flatten)]
    state: &'a AgentState,
}

#[derive(Deserialize)]
struct Format {
    format: u64,
}

/// What one generation holds.
enum Generation {
    Missing,
    Torn(String),
    Good(Box<AgentState>),
}

impl StateFile {
    /// The state file at a path.
    pub fn new(path: impl Into<PathBuf>) -> Self {
        Self { path: path.into() }
    }

    fn older(&self) -> PathBuf {
        self.path.with_extension("json.1")
    }

    /// The last state that was written completely; `None` on a new device.
    ///
    /// A newer format is an error, and the file stays as it is. When neither generation can be read, both are kept under
    /// another name and the agent begins anew.
    pub fn load(&self) -> Result<Option<AgentState>, Error> {
        let newest = read_generation(&self.path)?;
        let reason = match newest {
            Generation::Good(state) => return Ok(Some(*state)),
            Generation::Missing => None,
            Generation::Torn(reason) => Some(reason),
        };
        match (read_generation(&self.older())?, reason) {
            (Generation::Good(state), reason) => {
                let reason = reason.unwrap_or_else(|| "it is missing".to_owned());
                tracing::warn!(reason, "state.json cannot be used, going on from the generation before it");
                Ok(Some(*state))
            }
            (Generation::Missing, None) => Ok(None),
            (_, reason) => {
                tracing::error!(
                    reason,
                    "no generation of the state can be read, both are kept and the agent begins anew"
                );
                self.put_aside()?;
                Ok(None)
            }
        }
    }

    /// Reads without changing anything, for people who look.
    pub fn peek(&self) -> Result<Option<AgentState>, Error> {
        for path in [self.path.clone(), self.older()] {
            if let Generation::Good(state) = read_generation(&path)? {
                return Ok(Some(*state));
            }
        }
        Ok(None)
    }

    /// Writes the state; when this returns, it survives a power cut.
    pub fn save(&self, state: &AgentState) -> Result<(), Error> {
        let failed = |source| Error::File { action: "write", path: self.path.clone(), source };
        let mut bytes = serde_json::to_vec_pretty(&Written { format: FORMAT, state })
            .map_err(|error| failed(io::Error::from(error)))?;
        bytes.push(b'\n');
        let temporary = self.path.with_extension("json.new");
        disk::write_synced(&temporary, &bytes).map_err(failed)?;
        if matches!(read_generation(&self.path), Ok(Generation::Good(_))) {
            fs::rename(&self.path, self.older()).map_err(failed)?;
        }
        fs::rename(&temporary, &self.path).map_err(failed)?;
        disk::sync_parent(&self.path).map_err(failed)
    }

    fn put_aside(&self) -> Result<(), Error> {
        for path in [self.path.clone(), self.older()] {
            let mut aside = path.clone().into_os_string();
            aside.push(".broken");
            match fs::rename(&path, &aside) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => {
                    return Err(Error::File { action: "put aside", path, source: error });
                }
                _ => {}
            }
        }
        Ok(())
    }
}

fn read_generation(path: &Path) -> Result<Generation, Error> {
    let bytes = match disk::read_limited(path, MAX_STATE_BYTES) {
        Ok(bytes) => bytes,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Generation::Missing),
        Err(error) if error.kind() == io::ErrorKind::FileTooLarge => {
            return Ok(Generation::Torn(error.to_string()));
        }
        Err(source) => return Err(Error::File { action: "read", path: path.to_owned(), source }),
    };
    let format = match serde_json::from_slice::<Format>(&bytes) {
        Ok(Format { format }) => format,
        Err(error) => return Ok(Generation::Torn(error.to_string())),
    };
    if format > FORMAT {
        return Err(Error::NewerState { path: path.to_owned(), found: format, known: FORMAT });
    }
    Ok(match serde_json::from_slice(&bytes) {
        Ok(state) => Generation::Good(Box::new(state)),
        Err(error) => Generation::Torn(error.to_string()),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn state(version: u64) -> AgentState {
        AgentState { config_version: version, ..AgentState::default() }
    }

    fn saved_twice() -> (tempfile::TempDir, StateFile) {
        let dir = tempfile::tempdir().unwrap();
        let file = StateFile::new(dir.path().join("state.json"));
        assert_eq!(file.load().unwrap(), None);
        file.save(&state(2)).unwrap();
        file.save(&state(3)).unwrap();
        (dir, file)
    }

    #[test]
    fn the_last_save_is_read_back() {
        let (_dir, file) = saved_twice();
        assert_eq!(file.load().unwrap(), Some(state(3)));
    }

    #[test]
    fn a_state_torn_at_any_byte_falls_back_to_the_generation_before() {
        let (_dir, file) = saved_twice();
        let whole = fs::read(&file.path).unwrap();
        // The last byte is the newline after the JSON: without it the state is complete.
        for length in 0..whole.len() - 1 {
            fs::write(&file.path, &whole[..length]).unwrap();
            assert_eq!(file.load().unwrap(), Some(state(2)), "torn after {length} bytes");
        }
        fs::remove_file(&file.path).unwrap();
        assert_eq!(file.load().unwrap(), Some(state(2)), "between the two renames");
    }

    #[test]
    fn saving_over_a_torn_state_keeps_the_good_generation() {
        let (_dir, file) = saved_twice();
        fs::write(&file.path, "{").unwrap();
        file.save(&state(4)).unwrap();
        fs::write(&file.path, "{").unwrap();
        assert_eq!(file.load().unwrap(), Some(state(2)));
    }

    #[test]
    fn a_newer_format_is_refused_and_kept() {
        let (_dir, file) = saved_twice();
        let newer = r#"{"format": 2, "everything": "else"}"#;
        fs::write(&file.path, newer).unwrap();
        let error = file.load().unwrap_err().to_string();
        assert!(error.contains("has format 2, this agent knows formats up to 1"), "{error}");
        assert_eq!(fs::read_to_string(&file.path).unwrap(), newer);
    }

    #[test]
    fn two_broken_generations_are_kept_under_another_name() {
        let (dir, file) = saved_twice();
        fs::write(&file.path, "{").unwrap();
        fs::write(file.older(), "").unwrap();
        assert_eq!(file.load().unwrap(), None);
        assert!(dir.path().join("state.json.broken").exists());
        assert!(dir.path().join("state.json.1.broken").exists());
    }
}
