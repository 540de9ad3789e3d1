//! What can keep the agent from working at all. What can go wrong with one deployment is a [`crate::state::Failure`].

use std::{io, path::PathBuf};

/// Why the agent cannot start or go on.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A file or folder of the data folder could not be read or written.
    #[error("cannot {action} {}: {source}", path.display())]
    File {
        /// What was to be done.
        action: &'static str,
        /// With what.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// Another agent works on the data folder.
    #[error("another agent is running on {}; one data folder belongs to one agent", .0.display())]
    Locked(PathBuf),
    /// `config.json` is no configuration.
    #[error("{} is not a valid configuration: {reason}", path.display())]
    ConfigFile {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// A setting is missing or cannot be used.
    #[error("{0}")]
    Setting(String),
    /// The key file cannot be used.
    #[error("{}: {source}", path.display())]
    Key {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        source: kernex_api::signing::SigningKeyError,
    },
    /// The control plane could not be spoken to.
    #[error(transparent)]
    Client(#[from] kernex_client::Error),
}

impl Error {
    /// Turns the system's error about a path into ours.
    pub fn file(action: &'static str, path: impl Into<PathBuf>) -> impl FnOnce(io::Error) -> Self {
        let path = path.into();
        move |source| Self::File { action, path, source }
    }
}
