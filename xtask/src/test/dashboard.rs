//! The dashboard: its types, lints, tests, that what is committed of it is what its sources give, and a browser in front of the
//! real programs.

use std::{
    collections::BTreeMap,
    fs, io,
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Context as _, Result, bail};

use crate::{command::run, packages, workspace};

/// Where Debian puts the browser.
const CHROMIUM: &str = "/usr/bin/chromium";

/// All of it; the programs must have been built.
pub(super) fn check() -> Result<String> {
    let folder = workspace::root().join("dashboard");
    let npm = |arguments: &[&str]| {
        let mut command = Command::new("npm");
        command.args(arguments).current_dir(&folder);
        command
    };
    run(&mut npm(&["--version"])).context(
        "the dashboard's checks need Node 20.19 or newer with npm; `--skip dashboard` leaves them out",
    )?;
    run(&mut npm(&["ci", "--prefer-offline"]))?;
    let committed = read(&folder.join("dist"))?;
    // Makes the types of the API, checks all types, and builds.
    run(&mut npm(&["run", "build"]))?;
    compare(&committed, &read(&folder.join("dist"))?)?;
    run(&mut npm(&["run", "lint"]))?;
    run(&mut npm(&["test"]))?;
    if !Path::new(CHROMIUM).exists() {
        println!("{CHROMIUM} is not on this machine: installing it with apt-get");
        packages::install("chromium").context("install chromium and try again")?;
    }
    run(&mut npm(&["run", "e2e"]))?;
    Ok(format!("{} built files, as committed", committed.len()))
}

fn read(folder: &Path) -> Result<BTreeMap<PathBuf, Vec<u8>>> {
    let mut files = BTreeMap::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(next) = folders.pop() {
        let entries = match fs::read_dir(&next) {
            Ok(entries) => entries,
            Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
            Err(error) => return Err(error).with_context(|| format!("cannot read {}", next.display())),
        };
        for entry in entries {
            let path = entry?.path();
            if path.is_dir() {
                folders.push(path);
            } else {
                files.insert(path.clone(), fs::read(&path)?);
            }
        }
    }
    Ok(files)
}

fn compare(committed: &BTreeMap<PathBuf, Vec<u8>>, built: &BTreeMap<PathBuf, Vec<u8>>) -> Result<()> {
    let differs = |path: &&PathBuf| committed.get(*path) != built.get(*path);
    if let Some(path) = committed.keys().chain(built.keys()).find(differs) {
        bail!(
            "dashboard/dist was not what the sources give ({} differs); it is now: build the server again and commit it",
            path.display()
        );
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_that_changed_came_or_went_is_noticed() {
        let files = |entries: &[(&str, &str)]| -> BTreeMap<PathBuf, Vec<u8>> {
            entries.iter().map(|(path, text)| (PathBuf::from(path), text.as_bytes().to_vec())).collect()
        };
        let committed = files(&[("a.js", "1"), ("b.js", "2")]);
        assert!(compare(&committed, &committed.clone()).is_ok());
        for other in [
            files(&[("a.js", "1")]),
            files(&[("a.js", "1"), ("b.js", "3")]),
            files(&[("a.js", "1"), ("b.js", "2"), ("c.js", "")]),
        ] {
            assert!(compare(&committed, &other).unwrap_err().to_string().contains("dashboard/dist"));
        }
    }
}
