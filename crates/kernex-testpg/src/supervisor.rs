//! The process around PostgreSQL. It holds one end of a pipe: when the other end closes, because the owner is done, was
//! interrupted or was killed, it stops PostgreSQL and removes the folder. So nothing is left behind however a test run ends.

use std::{
    os::unix::process::CommandExt as _,
    path::Path,
    process::{Child, Command, Stdio},
};

use crate::{Error, account::Account, programs::Programs};

/// `$1` folder, `$2` programs, `$3` port. Signals of the terminal are for the owner; the pipe tells when it is gone.
const SCRIPT: &str = r#"
trap '' INT TERM HUP
cd "$1" || exit 1
"$2/initdb" -D data -U kernex -A scram-sha-256 --pwfile=password -E UTF8 --locale=C --no-sync --no-instructions >log 2>&1 &&
"$2/postgres" -D data -p "$3" -c listen_addresses=127.0.0.1 -c unix_socket_directories= -c max_connections=300 \
    -c shared_buffers=64MB -c log_line_prefix='%t [%p] ' >>log 2>&1 &
server=$!
cat >/dev/null
if kill -INT "$(head -n 1 data/postmaster.pid 2>/dev/null)" 2>/dev/null; then wait "$server"; else kill -KILL "$server" 2>/dev/null; fi
cd /
rm -rf "$1"
"#;

/// Starts the supervisor; it stops when its standard input closes.
pub(crate) fn spawn(
    folder: &Path,
    programs: &Programs,
    port: u16,
    account: Option<Account>,
) -> Result<Child, Error> {
    let mut command = Command::new("/bin/sh");
    command.args(["-c", SCRIPT, "kernex-testpg"]).arg(folder).arg(programs.folder()).arg(port.to_string());
    command.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null());
    // A group of its own: Ctrl-C must not stop it halfway.
    command.process_group(0).env("LC_ALL", "C").env_remove("PGDATA").env_remove("PGPORT");
    if let Some(account) = account {
        command.uid(account.uid).gid(account.gid);
    }
    command.spawn().map_err(Error::system("start a shell"))
}
