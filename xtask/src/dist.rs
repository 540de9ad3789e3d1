//! `cargo xtask dist`: the programs as they are given out, and the agent's Debian package, in `target/dist`.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Context as _, Result, ensure};
use serde_json::Value;

use crate::{command, style, workspace};

const AGENT_PROFILE: &str = "dist-agent";
/// Builds the package. Installed into `target/tools`, if it is not there.
const CARGO_DEB: &str = "3.8.0";
/// What the agent may take on a device, stripped.
const MAX_AGENT_BYTES: u64 = 8 << 20;

/// Build the programs for release, and the agent's Debian package, into target/dist
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Only the agent: program and package
    #[arg(long)]
    agent: bool,
}

pub(crate) fn run(args: &Args) -> Result<()> {
    let folder = folder()?;
    style::heading("build the agent (some minutes)");
    let agent = build_agent()?;
    if !args.agent {
        build_programs()?;
    }
    style::heading("package the agent");
    let package = package(&folder)?;
    check_package(&package)?;
    let bytes = fs::metadata(&agent)?.len();
    style::heading("target/dist");
    command::run(Command::new("ls").arg("-l").arg(&folder))?;
    ensure!(bytes < MAX_AGENT_BYTES, "the agent has {bytes} bytes, at most {MAX_AGENT_BYTES} are allowed");
    println!("the agent has {:.2} MiB", bytes as f64 / f64::from(1 << 20));
    Ok(())
}

/// The agent as it goes onto devices; gives its path in `target/dist`.
pub(crate) fn build_agent() -> Result<PathBuf> {
    build("kernex-agent", "kernex-agent", AGENT_PROFILE, &["--target", &target()])
}

/// Server and command line, beside it.
pub(crate) fn build_programs() -> Result<()> {
    style::heading("build server and command line (some minutes)");
    for (package, name) in [("kernex-server", "kernex-server"), ("kernex-cli", "kernex")] {
        build(package, name, "release", &[])?;
    }
    Ok(())
}

/// Where the programs are put.
pub(crate) fn folder() -> Result<PathBuf> {
    let folder = workspace::target().join("dist");
    fs::create_dir_all(&folder).with_context(|| format!("cannot make {}", folder.display()))?;
    Ok(folder)
}

/// This machine's; named, so that the agent for devices is built apart from what its build runs.
fn target() -> String {
    format!("{}-unknown-linux-gnu", std::env::consts::ARCH)
}

/// Builds one program and copies it to `target/dist`.
fn build(package: &str, name: &str, profile: &str, further: &[&str]) -> Result<PathBuf> {
    let mut build = workspace::cargo(&["build", "--locked", "--message-format", "json-render-diagnostics"]);
    build.args(["--package", package, "--bin", name, "--profile", profile]).args(further);
    let messages = command::output(&mut build)?;
    let artifacts = messages.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
    let mut programs = artifacts.filter(|artifact| artifact["target"]["name"] == name);
    let built = programs.find_map(|artifact| artifact["executable"].as_str().map(PathBuf::from));
    let built = built.with_context(|| format!("cargo does not say where it put {name}"))?;
    let copy = folder()?.join(name);
    fs::copy(&built, &copy).with_context(|| format!("cannot copy {}", built.display()))?;
    Ok(copy)
}

fn package(folder: &Path) -> Result<PathBuf> {
    let tool = cargo_deb()?;
    let output = folder.join("kernex-agent.deb");
    let mut deb = Command::new(tool);
    // As a subcommand of cargo would be called.
    deb.current_dir(workspace::root()).args(["deb", "--package", "kernex-agent", "--no-build", "--no-strip"]);
    deb.args(["--profile", AGENT_PROFILE, "--target", &target()]).arg("--output").arg(&output);
    command::run(&mut deb)?;
    Ok(output)
}

/// The tool's path; installs it when it is missing.
fn cargo_deb() -> Result<PathBuf> {
    let tools = workspace::target().join("tools");
    let tool = tools.join("bin/cargo-deb");
    if !tool.is_file() {
        style::heading("install cargo-deb into target/tools (some minutes)");
        let install = ["install", "cargo-deb", "--version", CARGO_DEB, "--locked", "--debug", "--root"];
        command::run(workspace::cargo(&install).arg(&tools))?;
    }
    Ok(tool)
}

/// The package holds what it should, for root only what nobody else may change.
fn check_package(package: &Path) -> Result<()> {
    let list = command::output(Command::new("dpkg-deb").arg("--contents").arg(package))?;
    for (path, mode) in [
        ("./usr/bin/kernex-agent", "-rwxr-xr-x"),
        ("./etc/kernex/agent.env", "-rw-------"),
        ("./usr/lib/systemd/system/kernex-agent.service", "-rw-r--r--"),
        ("./usr/share/doc/kernex-agent/copyright", "-rw-r--r--"),
    ] {
        let line = list.lines().find(|line| line.ends_with(path));
        let line = line.with_context(|| format!("the package holds no {path}"))?;
        ensure!(line.starts_with(mode), "{path} in the package should have the mode {mode}: {line}");
    }
    let is_of_root = |line: &&str| matches!(line.split_whitespace().nth(1), Some("root/root" | "0/0"));
    let foreign = list.lines().find(|line| !is_of_root(line));
    ensure!(
        foreign.is_none(),
        "not everything in the package belongs to root: {}",
        foreign.unwrap_or_default()
    );
    Ok(())
}
