//! Single steps: each says what it does, does nothing when that is done already, and nothing at all in a dry run.

use std::{
    fs::{self, Permissions},
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use anyhow::{Context as _, bail};

use super::print;
use crate::disk;

/// Does steps below a root folder.
pub(super) struct Steps {
    root: PathBuf,
    /// Another root than the machine's: no users, no services.
    is_elsewhere: bool,
    dry_run: bool,
}

impl Steps {
    pub(super) fn new(root: Option<PathBuf>, dry_run: bool) -> Self {
        let is_elsewhere = root.is_some();
        Self { root: root.unwrap_or_else(|| PathBuf::from("/")), is_elsewhere, dry_run }
    }

    fn path(&self, path: &str) -> PathBuf {
        self.root.join(path)
    }

    pub(super) fn exists(&self, path: &str) -> bool {
        self.path(path).exists()
    }

    /// Whether systemd is what runs services, or will be.
    pub(super) fn has_systemd(&self) -> bool {
        self.exists("run/systemd/system")
    }

    pub(super) fn say(&mut self, text: &str) -> anyhow::Result<()> {
        print(text)
    }

    /// Announces a step; whether it is to be done.
    fn begin(&self, what: &str) -> anyhow::Result<bool> {
        print(&if self.dry_run { format!("would {what}") } else { what.to_owned() })?;
        Ok(!self.dry_run)
    }

    pub(super) fn make_dir(&mut self, path: &str, mode: u32) -> anyhow::Result<()> {
        let path = self.path(path);
        if path.is_dir() || !self.begin(&format!("make the folder {}", path.display()))? {
            return Ok(());
        }
        disk::make_dir(&path, mode).with_context(|| format!("cannot make {}", path.display()))
    }

    /// Writes a file as a whole, also over a program that runs.
    pub(super) fn write(&mut self, path: &str, bytes: &[u8], mode: u32) -> anyhow::Result<()> {
        let path = self.path(path);
        if fs::read(&path).is_ok_and(|present| present == bytes) {
            return print(&format!("{} is up to date", path.display()));
        }
        if !self.begin(&format!("write {}", path.display()))? {
            return Ok(());
        }
        write_with_mode(&path, bytes, mode).with_context(|| format!("cannot write {}", path.display()))
    }

    pub(super) fn write_if_missing(&mut self, path: &str, bytes: &[u8], mode: u32) -> anyhow::Result<()> {
        match self.exists(path) {
            true => print(&format!("{} is kept", self.path(path).display())),
            false => self.write(path, bytes, mode),
        }
    }

    pub(super) fn remove_file(&mut self, path: &str) -> anyhow::Result<()> {
        let path = self.path(path);
        if !path.exists() || !self.begin(&format!("remove {}", path.display()))? {
            return Ok(());
        }
        disk::remove_file_if_there(&path).with_context(|| format!("cannot remove {}", path.display()))
    }

    pub(super) fn remove_tree(&mut self, path: &str) -> anyhow::Result<()> {
        let path = self.path(path);
        if !path.exists() || !self.begin(&format!("remove {} with everything in it", path.display()))? {
            return Ok(());
        }
        disk::remove_tree(&path).with_context(|| format!("cannot remove {}", path.display()))
    }

    /// Makes a system user with a group of its own, without a home and a shell.
    pub(super) fn make_user(&mut self, user: &str) -> anyhow::Result<()> {
        let users = fs::read_to_string(self.path("etc/passwd")).unwrap_or_default();
        if users.lines().any(|line| line.split(':').next() == Some(user)) {
            return print(&format!("the user {user} is there"));
        }
        let line = ["useradd", "--system", "--user-group", "--no-create-home", "--home-dir", "/nonexistent"];
        let line: Vec<&str> = line.into_iter().chain(["--shell", "/usr/sbin/nologin", user]).collect();
        // Without it the agent uses a user id that belongs to nobody.
        self.run(&line).or_else(|error| print(&format!("the user {user} cannot be made: {error:#}")))
    }

    /// Runs a program of the system.
    pub(super) fn run(&mut self, line: &[&str]) -> anyhow::Result<()> {
        let text = line.join(" ");
        if self.is_elsewhere {
            return print(&format!("left out, as it concerns the whole machine: {text}"));
        }
        if !self.begin(&format!("run {text}"))? {
            return Ok(());
        }
        let Some((program, args)) = line.split_first() else { return Ok(()) };
        let status = Command::new(program).args(args).stdin(Stdio::null()).status();
        let status = status.with_context(|| format!("`{program}` cannot be started"))?;
        if !status.success() {
            bail!("`{text}` ended with {status}");
        }
        Ok(())
    }
}

fn write_with_mode(path: &Path, bytes: &[u8], mode: u32) -> std::io::Result<()> {
    if let Some(parent) = path.parent() {
        disk::make_dir(parent, 0o755)?;
    }
    disk::write_atomic(path, bytes)?;
    fs::set_permissions(path, Permissions::from_mode(mode))
}
