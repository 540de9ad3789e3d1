//! The folder that everything lives in.

use std::{
    fs,
    path::{Path, PathBuf},
};

use anyhow::{Context as _, Result, ensure};
use tempfile::TempDir;

/// A folder that goes away at the end, or one that the caller wants to keep.
pub(super) enum Folder {
    Temporary(TempDir),
    Kept(PathBuf),
}

impl Folder {
    pub(super) fn make(keep: Option<&Path>) -> Result<Self> {
        let Some(keep) = keep else {
            let folder = tempfile::Builder::new().prefix("kernex-demo-").tempdir();
            return Ok(Self::Temporary(folder.context("cannot make a temporary folder")?));
        };
        let keep = std::path::absolute(keep)?;
        fs::create_dir_all(&keep).with_context(|| format!("cannot make {}", keep.display()))?;
        let is_empty = fs::read_dir(&keep).is_ok_and(|mut entries| entries.next().is_none());
        ensure!(is_empty, "{} is not empty", keep.display());
        Ok(Self::Kept(keep))
    }

    pub(super) fn path(&self) -> &Path {
        match self {
            Self::Temporary(folder) => folder.path(),
            Self::Kept(path) => path,
        }
    }
}
