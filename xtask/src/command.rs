//! Running other programs, with errors that say which one failed.

use std::{
    io::{BufRead as _, BufReader},
    path::Path,
    process::{Command, ExitStatus, Stdio},
};

use anyhow::{Context as _, Result, bail};

/// The command as a person would type it.
pub(crate) fn show(command: &Command) -> String {
    let program = Path::new(command.get_program());
    let words = std::iter::once(program.file_name().unwrap_or_default()).chain(command.get_args());
    let words = words.map(|word| match word.to_string_lossy() {
        word if word.contains(' ') => format!("'{word}'"),
        word => word.into_owned(),
    });
    words.collect::<Vec<_>>().join(" ")
}

/// Runs it with the terminal as its own; fails when it does.
pub(crate) fn run(command: &mut Command) -> Result<()> {
    println!("$ {}", show(command));
    let status = command.status().with_context(|| format!("cannot start `{}`", show(command)))?;
    check(status, command)
}

/// Runs it and gives its standard output.
pub(crate) fn output(command: &mut Command) -> Result<String> {
    let output = command
        .stderr(Stdio::inherit())
        .output()
        .with_context(|| format!("cannot start `{}`", show(command)))?;
    check(output.status, command)?;
    String::from_utf8(output.stdout).with_context(|| format!("`{}` does not print text", show(command)))
}

/// Runs it, passes its standard output on, and shows every line to `see`.
pub(crate) fn run_and_watch(command: &mut Command, mut see: impl FnMut(&str)) -> Result<()> {
    println!("$ {}", show(command));
    let mut child = command
        .stdout(Stdio::piped())
        .spawn()
        .with_context(|| format!("cannot start `{}`", show(command)))?;
    let lines = child.stdout.take().context("a pipe is missing")?;
    for line in BufReader::new(lines).split(b'\n') {
        let line = line.with_context(|| format!("cannot read what `{}` prints", show(command)))?;
        let line = String::from_utf8_lossy(&line);
        println!("{line}");
        see(&line);
    }
    check(child.wait()?, command)
}

fn check(status: ExitStatus, command: &Command) -> Result<()> {
    if !status.success() {
        bail!("`{}` failed: {status}", show(command));
    }
    Ok(())
}
