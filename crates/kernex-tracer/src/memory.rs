//! A traced process as `/proc` shows it: its memory, its files, its command line.

use std::{
    fs::{self, File, OpenOptions},
    io,
    os::unix::fs::FileExt as _,
    path::{Path, PathBuf},
};

use nix::unistd::Pid;

/// Longer than any path that the kernel takes.
const MAX_PATH_BYTES: usize = 4096;
/// Paths are read in pieces, because the page after the one that holds it may not be there.
const PIECE_BYTES: u64 = 256;

/// A text that ends with a zero byte.
pub(crate) fn read_text(pid: Pid, address: u64) -> io::Result<String> {
    let memory = File::open(format!("/proc/{pid}/mem"))?;
    let mut text = Vec::new();
    let mut at = address;
    while text.len() < MAX_PATH_BYTES {
        let mut piece = [0; PIECE_BYTES as usize];
        let until_boundary = (PIECE_BYTES - at % PIECE_BYTES) as usize;
        let count = memory.read_at(&mut piece[..until_boundary], at)?;
        match piece[..count].iter().position(|byte| *byte == 0) {
            Some(end) => {
                text.extend_from_slice(&piece[..end]);
                break;
            }
            None if count == 0 => break,
            None => text.extend_from_slice(&piece[..count]),
        }
        at += count as u64;
    }
    Ok(String::from_utf8_lossy(&text).into_owned())
}

/// A number of eight bytes.
pub(crate) fn read_word(pid: Pid, address: u64) -> io::Result<u64> {
    let mut bytes = [0; 8];
    File::open(format!("/proc/{pid}/mem"))?.read_exact_at(&mut bytes, address)?;
    Ok(u64::from_le_bytes(bytes))
}

/// Replaces a number of eight bytes.
pub(crate) fn write_word(pid: Pid, address: u64, word: u64) -> io::Result<()> {
    let memory = OpenOptions::new().write(true).open(format!("/proc/{pid}/mem"))?;
    memory.write_all_at(&word.to_le_bytes(), address)
}

/// What a file descriptor is open on: a path, or something like `socket:[123]`.
pub(crate) fn open_on(pid: Pid, descriptor: u64) -> Option<PathBuf> {
    fs::read_link(format!("/proc/{pid}/fd/{}", descriptor as u32)).ok()
}

/// A path as a call names it, made absolute.
pub(crate) fn absolute(pid: Pid, folder: Option<u64>, path: &str) -> Option<PathBuf> {
    let path = Path::new(path);
    if path.is_absolute() {
        return Some(path.to_owned());
    }
    let base = match folder {
        Some(descriptor) if descriptor as i32 != nix::libc::AT_FDCWD => open_on(pid, descriptor)?,
        _ => fs::read_link(format!("/proc/{pid}/cwd")).ok()?,
    };
    Some(base.join(path))
}

/// The arguments of a process, the program's name first.
pub(crate) fn arguments(pid: Pid) -> Vec<String> {
    let bytes = fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
    String::from_utf8_lossy(&bytes).split('\0').map(ToOwned::to_owned).collect()
}
