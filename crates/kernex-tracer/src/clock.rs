//! A clock that is wrong for one program.
//!
//! Programs read the clock without a system call, by a page that the kernel maps for them (vDSO). A program that is not told where
//! that page is asks the kernel, and there its answer can be changed. It is told by an entry of the auxiliary vector, which lies
//! above arguments and environment on the stack of a program that was just executed.

use std::{io, path::Path};

use nix::{libc, unistd::Pid};

use crate::memory::{read_word, write_word};

/// The entry that says where the page is, the one that says nothing, and the end of the vector.
const AT_SYSINFO_EHDR: u64 = 33;
const AT_IGNORE: u64 = 1;
const AT_NULL: u64 = 0;
const WORD: u64 = 8;
/// A vector has some twenty entries, and an environment some thousands.
const MAX_WORDS: u64 = 100_000;

/// Makes a program that was just executed ask the kernel for the time.
pub(crate) fn hide_page(pid: Pid, stack: u64) -> io::Result<()> {
    let count = read_word(pid, stack)?;
    // Behind the arguments and their end stands the environment, ended likewise.
    let mut at = stack + WORD * (count + 2);
    for _ in 0..MAX_WORDS {
        at += WORD;
        if read_word(pid, at - WORD)? == 0 {
            break;
        }
    }
    for _ in 0..MAX_WORDS {
        match read_word(pid, at)? {
            AT_NULL => return Ok(()),
            AT_SYSINFO_EHDR => return write_word(pid, at, AT_IGNORE),
            _ => at += 2 * WORD,
        }
    }
    Ok(())
}

/// Whether a clock tells the time of day.
pub(crate) fn is_of_day(clock: u64) -> bool {
    [libc::CLOCK_REALTIME, libc::CLOCK_REALTIME_COARSE].contains(&(clock as i32))
}

/// Moves the seconds that the kernel has just written to `address` by what `file` says.
pub(crate) fn shift(pid: Pid, address: u64, file: &Path) -> io::Result<()> {
    let Ok(text) = std::fs::read_to_string(file) else { return Ok(()) };
    let Ok(seconds) = text.trim().parse::<i64>() else { return Ok(()) };
    write_word(pid, address, read_word(pid, address)?.wrapping_add_signed(seconds))
}
