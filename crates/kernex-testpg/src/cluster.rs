//! One cluster from start to end.

use std::{
    fs,
    io::Read as _,
    net::TcpListener,
    path::{Path, PathBuf},
    process::Child,
    time::{Duration, Instant},
};

use crate::{
    Error,
    account::{Account, account_to_run_as},
    leftovers,
    programs::{Programs, find_programs},
    supervisor,
};

/// How long making and starting a cluster may take; seconds on a quick disk.
const START_DEADLINE: Duration = Duration::from_secs(120);
/// How long stopping may take.
const STOP_DEADLINE: Duration = Duration::from_secs(30);
/// How often is looked whether it is so far.
const LOOK_INTERVAL: Duration = Duration::from_millis(20);
/// Somebody may take the free port before PostgreSQL does.
const MAX_STARTS: u32 = 3;

/// A PostgreSQL cluster that lasts as long as this value, at most as long as this process.
#[derive(Debug)]
pub struct Cluster {
    folder: PathBuf,
    url: String,
    supervisor: Child,
}

impl Cluster {
    /// Makes and starts a cluster; takes a few seconds.
    pub fn start() -> Result<Self, Error> {
        let programs = find_programs().ok_or(Error::NoPrograms)?;
        let account = account_to_run_as()?;
        leftovers::sweep(&leftovers::parent(account));
        let mut starts = 1;
        loop {
            match Self::start_on_free_port(&programs, account) {
                Err(Error::NotStarted { log }) if starts < MAX_STARTS && log.contains("could not bind") => {
                    starts += 1;
                }
                outcome => return outcome,
            }
        }
    }

    /// The address of its maintenance database, for a user who may do everything in this cluster.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// Its temporary folder.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    fn start_on_free_port(programs: &Programs, account: Option<Account>) -> Result<Self, Error> {
        let folder = leftovers::make_folder(account)?;
        let password = random_hex()?;
        write_password(&folder, &password, account)?;
        let port = free_port()?;
        let supervisor = supervisor::spawn(&folder, programs, port, account)?;
        let url = format!("postgres://kernex:{password}@127.0.0.1:{port}/postgres");
        let cluster = Self { folder, url, supervisor };
        if cluster.wait_until_ready() {
            Ok(cluster)
        } else {
            Err(Error::NotStarted { log: cluster.log_tail() })
        }
    }

    /// Line 8 of `postmaster.pid` says `ready` once connections are accepted.
    fn wait_until_ready(&self) -> bool {
        let is_ready = || {
            let text = fs::read_to_string(self.folder.join("data/postmaster.pid")).unwrap_or_default();
            text.lines().nth(7).is_some_and(|status| status.trim() == "ready")
        };
        let has_failed = || {
            let log = fs::read_to_string(self.folder.join("log")).unwrap_or_default();
            ["FATAL:", "initdb: error:", "initdb: removing"].iter().any(|sign| log.contains(sign))
        };
        wait_for(START_DEADLINE, || is_ready() || has_failed()) && is_ready()
    }

    fn log_tail(&self) -> String {
        let log = fs::read_to_string(self.folder.join("log")).unwrap_or_default();
        let lines: Vec<&str> = log.lines().collect();
        lines[lines.len().saturating_sub(15)..].join("\n")
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        drop(self.supervisor.stdin.take());
        let supervisor = &mut self.supervisor;
        if !wait_for(STOP_DEADLINE, || matches!(supervisor.try_wait(), Ok(Some(_)) | Err(_))) {
            let _ = supervisor.kill();
            let _ = supervisor.wait();
        }
    }
}

#[expect(clippy::disallowed_methods, reason = "this is the waiting for the thing, with a deadline")]
fn wait_for(deadline: Duration, mut is_so: impl FnMut() -> bool) -> bool {
    let end = Instant::now() + deadline;
    while !is_so() {
        if Instant::now() >= end {
            return false;
        }
        std::thread::sleep(LOOK_INTERVAL);
    }
    true
}

fn free_port() -> Result<u16, Error> {
    let listener = TcpListener::bind(("127.0.0.1", 0)).map_err(Error::system("find a free port"))?;
    listener.local_addr().map(|address| address.port()).map_err(Error::system("find a free port"))
}

fn random_hex() -> Result<String, Error> {
    let mut bytes = [0; 16];
    let mut source = fs::File::open("/dev/urandom").map_err(Error::system("make a password"))?;
    source.read_exact(&mut bytes).map_err(Error::system("make a password"))?;
    Ok(bytes.iter().map(|byte| format!("{byte:02x}")).collect())
}

fn write_password(folder: &Path, password: &str, account: Option<Account>) -> Result<(), Error> {
    let path = folder.join("password");
    fs::write(&path, password).map_err(Error::system("write the password"))?;
    match account {
        Some(account) => std::os::unix::fs::chown(&path, Some(account.uid), Some(account.gid))
            .map_err(Error::system("write the password")),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cluster_accepts_connections_and_leaves_nothing_behind() {
        let cluster = Cluster::start().unwrap();
        let address = cluster.url().split(['@', '/']).nth(3).unwrap().to_owned();
        std::net::TcpStream::connect(&address).unwrap();
        let folder = cluster.folder().to_owned();
        assert!(folder.join("data").is_dir());
        drop(cluster);
        assert!(!folder.exists());
        assert!(std::net::TcpStream::connect(&address).is_err());
    }
}
