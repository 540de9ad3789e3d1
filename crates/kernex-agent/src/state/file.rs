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
    /// Of a format that this agent does not know.
    Newer(u64),
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
    /// A newer format is kept under another name, and this agent goes on from what it wrote itself. When neither generation can be read, both are kept under
    /// another name and the agent begins anew.
    pub fn load(&self) -> Result<Option<AgentState>, Error> {
        let newest = read_generation(&self.path)?;
        let reason = match newest {
            Generation::Good(state) => return Ok(Some(*state)),
            Generation::Newer(found) => return self.go_on_without_newer(found),
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
            (Generation::Newer(found), _) => self.go_on_without_newer(found),
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

    /// A newer agent was here and is not any more.
    fn go_on_without_newer(&self, found: u64) -> Result<Option<AgentState>, Error> {
        let candidates = [self.older(), self.copy()];
        for path in [self.path.clone(), self.older()] {
            if let Generation::Newer(_) = read_generation(&path)? {
                rename_if_there(&path, ".newer")?;
            }
        }
        for path in candidates {
            if let Generation::Good(state) = read_generation(&path)? {
                tracing::warn!(found, known = FORMAT, from = %path.display(), "the state is of a newer agent and kept aside, going on from what this one knew");
                return Ok(Some(*state));
            }
        }
        tracing::error!(
            found,
            known = FORMAT,
            "the state is of a newer agent and kept aside, and the agent begins anew"
        );
        Ok(None)
    }

    /// Keeps the state for an agent that may have to return after a newer one.
    pub fn keep_copy(&self) -> Result<(), Error> {
        let failed = |source| Error::File { action: "copy", path: self.path.clone(), source };
        let bytes = disk::read_limited(&self.path, MAX_STATE_BYTES).map_err(failed)?;
        disk::write_atomic(&self.copy(), &bytes).map_err(failed)
    }

    /// Forgets the copy.
    pub(crate) fn forget_copy(&self) -> io::Result<()> {
        disk::remove_file_if_there(&self.copy())
    }

    fn copy(&self) -> PathBuf {
        self.path.with_extension(format!("json.format-{FORMAT}"))
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
        [self.path.clone(), self.older()].iter().try_for_each(|path| rename_if_there(path, ".broken"))
    }
}

fn rename_if_there(path: &Path, suffix: &str) -> Result<(), Error> {
    let mut aside = path.to_owned().into_os_string();
    aside.push(suffix);
    match fs::rename(path, &aside) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => {
            Err(Error::File { action: "put aside", path: path.to_owned(), source: error })
        }
        _ => Ok(()),
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
        return Ok(Generation::Newer(format));
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
    fn a_newer_agents_state_is_kept_aside_and_an_older_agent_goes_on_from_what_it_knew() {
        let newer = r#"{"format": 2, "everything": "else"}"#;
        let (dir, file) = saved_twice();
        file.keep_copy().unwrap();
        fs::write(&file.path, newer).unwrap();
        assert_eq!(file.load().unwrap(), Some(state(2)), "the generation before");
        assert_eq!(fs::read_to_string(dir.path().join("state.json.newer")).unwrap(), newer);
        for path in [file.path.clone(), file.older()] {
            fs::write(path, newer).unwrap();
        }
        assert_eq!(
            file.load().unwrap(),
            Some(state(3)),
            "the copy that was made when the newer one took over"
        );
        file.save(&state(4)).unwrap();
        assert_eq!(file.load().unwrap(), Some(state(4)));
        assert_eq!(fs::read_to_string(dir.path().join("state.json.newer")).unwrap(), newer);
        file.forget_copy().unwrap();
        fs::write(&file.path, newer).unwrap();
        fs::remove_file(file.older()).ok();
        assert_eq!(file.load().unwrap(), None, "nothing that this agent knows is left");
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
