//! Wrapped keys: a key file beside each encrypted blob, so that changing the storage key rewrites small files only.

use std::{
    fmt,
    fs::{File, OpenOptions},
    io::{self, Write as _},
    os::unix::fs::OpenOptionsExt as _,
    path::{Path, PathBuf},
    sync::Arc,
};

use uuid::Uuid;

use crate::{Error, Result};

/// Largest key file.
const MAX_KEY_FILE_BYTES: u64 = 16 * 1024;

/// The key of one blob.
pub type ContentKey = [u8; 32];

/// Wraps the keys of blobs with a storage key. Calls may block, also on a network; they are made off the async threads.
pub trait WrapKeys: Send + Sync + fmt::Debug {
    /// A key in a form that may lie beside its blob. It can be unwrapped only for the same blob.
    fn wrap(&self, key: &ContentKey, blob: Uuid) -> std::result::Result<String, String>;
    /// The key again.
    fn unwrap(&self, wrapped: &str, blob: Uuid) -> std::result::Result<ContentKey, String>;
    /// Whether it was wrapped with the present storage key.
    fn is_current(&self, wrapped: &str) -> bool;
}

/// How a store encrypts.
#[derive(Clone, Debug)]
pub struct Encryption {
    /// Wraps and unwraps.
    pub keys: Arc<dyn WrapKeys>,
    /// Whether new blobs are encrypted; those that are can be read in any case.
    pub new_blobs: bool,
}

/// Where a blob's wrapped key is.
pub(crate) fn key_path(blobs: &Path, id: Uuid) -> PathBuf {
    blobs.join(format!("{id}.key"))
}

/// The wrapped key of a blob.
pub(crate) fn read_wrapped(path: &Path) -> Result<String> {
    use io::Read as _;
    let mut text = String::new();
    let file = File::open(path).map_err(|error| match error.kind() {
        io::ErrorKind::NotFound => Error::Key(format!("the key file {} is missing", path.display())),
        _ => error.into(),
    })?;
    file.take(MAX_KEY_FILE_BYTES).read_to_string(&mut text)?;
    Ok(text.trim_end().to_owned())
}

/// Writes a wrapped key: the old one is there until the new one is durable.
pub(crate) fn write_wrapped(path: &Path, wrapped: &str) -> Result<()> {
    let temporary = path.with_extension(format!("key.{}.new", std::process::id()));
    let mut file = OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&temporary)?;
    writeln!(file, "{wrapped}")?;
    file.sync_all()?;
    std::fs::rename(&temporary, path)?;
    if let Some(folder) = path.parent() {
        File::open(folder)?.sync_all()?;
    }
    Ok(())
}
