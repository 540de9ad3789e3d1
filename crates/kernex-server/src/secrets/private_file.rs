//! Files that only their owner reads, made once: 0600 in folders of 0700, under any umask.

use std::{
    fs::{self, DirBuilder, OpenOptions, Permissions},
    io::{self, Write as _},
    os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _, PermissionsExt as _},
    path::Path,
};

use anyhow::{Context as _, bail};

/// Makes a folder that only its owner looks into; one that is there already is closed to others.
pub fn make_private_dir(folder: &Path) -> anyhow::Result<()> {
    let make = || -> io::Result<()> {
        DirBuilder::new().recursive(true).mode(0o700).create(folder)?;
        fs::set_permissions(folder, Permissions::from_mode(0o700))
    };
    make().with_context(|| format!("cannot make the folder {}", folder.display()))
}

/// Reads a secret's file. One that others may read is refused: whoever can read it has read it.
pub fn read_private(path: &Path) -> anyhow::Result<Option<Vec<u8>>> {
    let read = || -> io::Result<(Vec<u8>, u32)> {
        let file = fs::File::open(path)?;
        let mode = file.metadata()?.permissions().mode();
        Ok((io::read_to_string(file)?.into_bytes(), mode))
    };
    match read() {
        Ok((_, mode)) if mode & 0o007 != 0 => bail!(
            "everybody on this machine can read the secret {} (mode {:03o}): take the right away (chmod 600), and change the secret",
            path.display(),
            mode & 0o777
        ),
        Ok((bytes, _)) => Ok(Some(bytes)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error).with_context(|| format!("cannot read the secret {}", path.display())),
    }
}

/// Reads a secret's file, or makes it. Of several programs that make it at once one wins, and all read the same.
pub fn read_or_create(
    path: &Path,
    make: impl FnOnce() -> anyhow::Result<Vec<u8>>,
) -> anyhow::Result<Vec<u8>> {
    if let Some(bytes) = read_private(path)? {
        return Ok(bytes);
    }
    let bytes = make()?;
    let write = || -> io::Result<()> {
        let temporary = write_temporary(path, &bytes)?;
        // A link does not replace what another program made in the meantime.
        let linked = fs::hard_link(&temporary, path);
        fs::remove_file(&temporary)?;
        match linked {
            Err(error) if error.kind() != io::ErrorKind::AlreadyExists => return Err(error),
            _ => {}
        }
        sync_folder(path)
    };
    write().with_context(|| format!("cannot make the secret {}", path.display()))?;
    read_private(path)?.with_context(|| format!("the secret {} has gone away", path.display()))
}

/// Replaces a secret's file at once: whoever reads it sees the old one or the new one.
pub fn replace(path: &Path, bytes: &[u8]) -> anyhow::Result<()> {
    let write = || -> io::Result<()> {
        fs::rename(write_temporary(path, bytes)?, path)?;
        sync_folder(path)
    };
    write().with_context(|| format!("cannot write the secret {}", path.display()))
}

fn write_temporary(path: &Path, bytes: &[u8]) -> io::Result<std::path::PathBuf> {
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push(format!(".{}.new", std::process::id()));
    let temporary = path.with_file_name(name);
    match fs::remove_file(&temporary) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&temporary)?;
    file.set_permissions(Permissions::from_mode(0o600))?;
    file.write_all(bytes)?;
    file.sync_all()?;
    Ok(temporary)
}

fn sync_folder(path: &Path) -> io::Result<()> {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
    fs::File::open(folder.unwrap_or(Path::new(".")))?.sync_all()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mode(path: &Path) -> u32 {
        fs::metadata(path).unwrap().permissions().mode() & 0o777
    }

    #[test]
    fn a_secret_is_made_once_and_replaced_whole() {
        let parent = tempfile::tempdir().unwrap();
        let folder = parent.path().join("a/keys");
        make_private_dir(&folder).unwrap();
        fs::set_permissions(&folder, Permissions::from_mode(0o755)).unwrap();
        make_private_dir(&folder).unwrap();
        let path = folder.join("x.key");
        assert_eq!(read_private(&path).unwrap(), None);
        assert_eq!(read_or_create(&path, || Ok(b"one".to_vec())).unwrap(), b"one");
        assert_eq!(read_or_create(&path, || Ok(b"two".to_vec())).unwrap(), b"one");
        replace(&path, b"three").unwrap();
        assert_eq!(read_private(&path).unwrap().unwrap(), b"three");
        assert_eq!((mode(&path), mode(&folder)), (0o600, 0o700));
        assert_eq!(fs::read_dir(&folder).unwrap().count(), 1, "nothing is left beside it");
    }

    #[test]
    fn a_secret_that_everybody_can_read_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("x.key");
        fs::write(&path, "secret").unwrap();
        fs::set_permissions(&path, Permissions::from_mode(0o644)).unwrap();
        let error = read_private(&path).unwrap_err().to_string();
        assert!(error.contains("mode 644") && error.contains("chmod 600"), "{error}");
        fs::set_permissions(&path, Permissions::from_mode(0o640)).unwrap();
        assert!(read_private(&path).is_ok(), "a group of servers may share it");
    }
}
