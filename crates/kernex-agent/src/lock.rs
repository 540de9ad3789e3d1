//! One data folder belongs to one agent.

use std::fs::{File, TryLockError};

use crate::{Error, disk, paths::DataDir};

/// Held as long as the agent works on its data folder; the system lets go of it however the agent ends.
#[derive(Debug)]
pub struct Lock {
    _file: File,
}

impl Lock {
    /// Takes the lock, or says that another agent has it.
    pub fn take(data: &DataDir) -> Result<Self, Error> {
        let path = data.lock();
        let file = disk::open_to_lock(&path).map_err(Error::file("open", &path))?;
        match file.try_lock() {
            Ok(()) => Ok(Self { _file: file }),
            Err(TryLockError::WouldBlock) => Err(Error::Locked(data.root().to_owned())),
            Err(TryLockError::Error(source)) => Err(Error::File { action: "lock", path, source }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_second_agent_on_the_same_data_folder_is_refused_until_the_first_is_gone() {
        let dir = tempfile::tempdir().unwrap();
        let data = DataDir::new(dir.path());
        let first = Lock::take(&data).unwrap();
        let error = Lock::take(&data).unwrap_err().to_string();
        assert!(error.starts_with("another agent is running on "), "{error}");
        drop(first);
        Lock::take(&data).unwrap();
    }
}
