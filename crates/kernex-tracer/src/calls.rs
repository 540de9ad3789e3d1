//! Which calls count: those that change a file, a folder, or what another process sees.

use std::path::Path;

use kernex_tracer::Fault;
use nix::{
    libc::{self, c_long, user_regs_struct},
    unistd::Pid,
};

use crate::memory::{absolute, open_on, read_text};

/// A system call that was entered.
pub(crate) struct Call {
    pub(crate) name: &'static str,
    number: c_long,
    /// What it is about: a path below the folder, or a socket.
    pub(crate) target: String,
    is_socket: bool,
    /// It only opens what is there, or makes a descriptor.
    is_harmless: bool,
}

/// Where the arguments say what a call is about.
#[derive(Clone, Copy)]
enum On {
    /// An open file.
    File(usize),
    /// A path.
    Path(usize),
    /// A path within an open folder.
    In(usize, usize),
    /// A path within an open folder, with flags.
    Open(usize, usize, usize),
    /// Nothing that exists yet.
    New,
}

const CALLS: &[(c_long, &str, On)] = &[
    (libc::SYS_write, "write", On::File(0)),
    (libc::SYS_pwrite64, "pwrite64", On::File(0)),
    (libc::SYS_writev, "writev", On::File(0)),
    (libc::SYS_sendto, "sendto", On::File(0)),
    (libc::SYS_sendmsg, "sendmsg", On::File(0)),
    (libc::SYS_copy_file_range, "copy_file_range", On::File(2)),
    (libc::SYS_fsync, "fsync", On::File(0)),
    (libc::SYS_fdatasync, "fdatasync", On::File(0)),
    (libc::SYS_ftruncate, "ftruncate", On::File(0)),
    (libc::SYS_fallocate, "fallocate", On::File(0)),
    (libc::SYS_fchmod, "fchmod", On::File(0)),
    (libc::SYS_fchown, "fchown", On::File(0)),
    (libc::SYS_rename, "rename", On::Path(1)),
    (libc::SYS_renameat, "renameat", On::In(2, 3)),
    (libc::SYS_renameat2, "renameat2", On::In(2, 3)),
    (libc::SYS_link, "link", On::Path(1)),
    (libc::SYS_linkat, "linkat", On::In(2, 3)),
    (libc::SYS_symlink, "symlink", On::Path(1)),
    (libc::SYS_symlinkat, "symlinkat", On::In(1, 2)),
    (libc::SYS_unlink, "unlink", On::Path(0)),
    (libc::SYS_unlinkat, "unlinkat", On::In(0, 1)),
    (libc::SYS_rmdir, "rmdir", On::Path(0)),
    (libc::SYS_mkdir, "mkdir", On::Path(0)),
    (libc::SYS_mkdirat, "mkdirat", On::In(0, 1)),
    (libc::SYS_chmod, "chmod", On::Path(0)),
    (libc::SYS_fchmodat, "fchmodat", On::In(0, 1)),
    (libc::SYS_chown, "chown", On::Path(0)),
    (libc::SYS_lchown, "lchown", On::Path(0)),
    (libc::SYS_fchownat, "fchownat", On::In(0, 1)),
    (libc::SYS_openat, "openat", On::Open(0, 1, 2)),
    (libc::SYS_socket, "socket", On::New),
    (libc::SYS_socketpair, "socketpair", On::New),
    (libc::SYS_pipe2, "pipe2", On::New),
];

/// What a call may count for.
#[derive(Clone, Copy)]
pub(crate) enum Purpose {
    Kill,
    Fail(Fault),
}

/// The call that a process has just entered, if it is about the folder or a socket.
pub(crate) fn entered(pid: Pid, registers: &user_regs_struct, folder: &Path) -> Option<Call> {
    let number = c_long::try_from(registers.orig_rax).ok()?;
    let (_, name, on) = *CALLS.iter().find(|(known, _, _)| *known == number)?;
    let argument = |index| {
        let all = [registers.rdi, registers.rsi, registers.rdx, registers.r10, registers.r8, registers.r9];
        all[index]
    };
    let path = match on {
        On::File(index) => open_on(pid, argument(index))?,
        On::Path(index) => absolute(pid, None, &read_text(pid, argument(index)).ok()?)?,
        On::In(base, index) | On::Open(base, index, _) => {
            absolute(pid, Some(argument(base)), &read_text(pid, argument(index)).ok()?)?
        }
        On::New => {
            let target = "a new descriptor".to_owned();
            return Some(Call { name, number, target, is_socket: false, is_harmless: true });
        }
    };
    let changes = libc::O_CREAT | libc::O_TRUNC;
    let is_harmless = match on {
        On::Open(_, _, flags) => argument(flags) as i32 & changes == 0,
        _ => false,
    };
    if path.as_os_str().to_string_lossy().starts_with("socket:") {
        return Some(Call { name, number, target: "a socket".to_owned(), is_socket: true, is_harmless });
    }
    let below = path.strip_prefix(folder).ok()?;
    Some(Call { name, number, target: below.display().to_string(), is_socket: false, is_harmless })
}

impl Call {
    /// Whether it counts.
    pub(crate) fn is_for(&self, purpose: Purpose) -> bool {
        match purpose {
            Purpose::Kill => !self.is_harmless,
            Purpose::Fail(Fault::TooManyFiles) => self.is_harmless || self.number == libc::SYS_openat,
            Purpose::Fail(Fault::ShortWrite) => {
                !self.is_socket && [libc::SYS_write, libc::SYS_pwrite64].contains(&self.number)
            }
            Purpose::Fail(Fault::NoSpace | Fault::InputOutput | Fault::ReadOnly) => {
                !self.is_socket && !self.is_harmless
            }
        }
    }
}

/// The number of an error.
pub(crate) fn errno(fault: Fault) -> Option<i32> {
    match fault {
        Fault::NoSpace => Some(libc::ENOSPC),
        Fault::InputOutput => Some(libc::EIO),
        Fault::ReadOnly => Some(libc::EROFS),
        Fault::TooManyFiles => Some(libc::EMFILE),
        Fault::ShortWrite => None,
    }
}
