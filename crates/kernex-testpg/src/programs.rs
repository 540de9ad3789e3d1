//! Where PostgreSQL's server programs are.

use std::{
    env,
    path::{Path, PathBuf},
    process::Command,
};

/// Names the environment variable with the folder of the server programs, for machines where they are not found.
pub const BIN_VARIABLE: &str = "KERNEX_PG_BIN";

/// The folder that holds `initdb` and `postgres`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Programs(PathBuf);

impl Programs {
    /// The folder, if it holds both programs.
    fn at(folder: &Path) -> Option<Self> {
        // Debian's links elsewhere: the programs find their libraries from where they really are.
        let initdb = folder.join("initdb").canonicalize().ok()?;
        let real = initdb.parent()?;
        real.join("postgres").is_file().then(|| Self(real.to_owned()))
    }

    /// The path of one program.
    pub fn path(&self, program: &str) -> PathBuf {
        self.0.join(program)
    }

    /// The folder.
    pub fn folder(&self) -> &Path {
        &self.0
    }
}

/// Looks where the environment says, and else where distributions put them; the newest version first.
pub fn find_programs() -> Option<Programs> {
    if let Some(folder) = env::var_os(BIN_VARIABLE).filter(|folder| !folder.is_empty()) {
        return Programs::at(Path::new(&folder));
    }
    let path = env::var_os("PATH").unwrap_or_default();
    let folders = bindir_of_pg_config().into_iter().chain(env::split_paths(&path)).chain(versioned_folders());
    folders.into_iter().find_map(|folder| Programs::at(&folder))
}

fn bindir_of_pg_config() -> Option<PathBuf> {
    let output = Command::new("pg_config").arg("--bindir").output().ok()?;
    let text = String::from_utf8(output.stdout).ok()?;
    output.status.success().then(|| PathBuf::from(text.trim()))
}

/// `/usr/lib/postgresql/15/bin`, `/usr/pgsql-16/bin` and the like.
fn versioned_folders() -> Vec<PathBuf> {
    let mut found = Vec::new();
    for (parent, prefix) in
        [("/usr/lib/postgresql", ""), ("/usr", "pgsql-"), ("/opt/homebrew/opt", "postgresql@")]
    {
        for entry in std::fs::read_dir(parent).into_iter().flatten().flatten() {
            let name = entry.file_name().to_string_lossy().into_owned();
            let version = name.strip_prefix(prefix).and_then(|version| version.parse::<u32>().ok());
            found.extend(version.map(|version| (version, entry.path().join("bin"))));
        }
    }
    found.sort();
    found.into_iter().rev().map(|(_, folder)| folder).collect()
}
