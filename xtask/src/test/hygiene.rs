//! Nothing unfinished is committed.

use std::{fs, process::Command};

use anyhow::{Result, bail};

use crate::{command, workspace};

/// Put together from halves, so that this file does not find itself.
const UNFINISHED: &[&str] = &[
    concat!("to", "do!("),
    concat!("unimpl", "emented!("),
    concat!("db", "g!("),
    concat!("#[ign", "ore"),
    concat!("coming ", "soon"),
    concat!("<<<<", "<<< "),
    concat!(">>>>", ">>> "),
];

pub(super) fn check() -> Result<String> {
    if !workspace::root().join(".git").exists() {
        return Ok("skipped: not a git checkout".to_owned());
    }
    let files =
        command::output(Command::new("git").arg("ls-files").arg("-z").current_dir(workspace::root()))?;
    let mut found = Vec::new();
    let mut number = 0;
    for file in files.split('\0').filter(|file| !file.is_empty()) {
        // A file that is not text, or was deleted and not committed yet, has no lines to look at.
        let Ok(text) = fs::read_to_string(workspace::root().join(file)) else { continue };
        number += 1;
        found.extend(unfinished_lines(&text).map(|(line, word)| format!("  {file}:{line}: {word}")));
    }
    if !found.is_empty() {
        bail!("these lines are not finished:\n{}", found.join("\n"));
    }
    Ok(format!("{number} files"))
}

fn unfinished_lines(text: &str) -> impl Iterator<Item = (usize, &'static str)> {
    text.lines().zip(1..).flat_map(|(line, number)| {
        let lower = line.to_lowercase();
        UNFINISHED.iter().filter(move |word| lower.contains(**word)).map(move |word| (number, *word))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_unfinished_line_is_found_with_its_number() {
        let text = format!("fn a() {{\n    {}\"later\")\n}}\n# Coming {}\n", UNFINISHED[0], "Soon");
        let found: Vec<_> = unfinished_lines(&text).collect();
        assert_eq!(found, [(2, UNFINISHED[0]), (4, UNFINISHED[4])]);
    }
}
