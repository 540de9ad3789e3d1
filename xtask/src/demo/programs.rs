//! The programs that the demo needs.

use std::path::{Path, PathBuf};

use anyhow::Result;

use crate::{command, style, workspace};

/// Where they are, built.
pub(super) struct Programs {
    pub(super) server: PathBuf,
    pub(super) agent: PathBuf,
    pub(super) kernex: PathBuf,
    /// The example's inference server, which goes into the bundles.
    pub(super) infer: PathBuf,
}

impl Programs {
    pub(super) fn build() -> Result<Self> {
        style::heading(
            "build the control plane, the agent, the CLI and the example (minutes the first time)",
        );
        let packages = ["kernex-server", "kernex-agent", "kernex-cli", "edge-model-infer"];
        let mut build = workspace::cargo(&["build"]);
        command::run(build.args(packages.iter().flat_map(|package| ["--package", package])))?;
        let program = |name| workspace::program(name, "debug").map(shorten);
        Ok(Self {
            server: program("kernex-server")?,
            agent: program("kernex-agent")?,
            kernex: program("kernex")?,
            infer: program("infer")?,
        })
    }
}

/// Relative to where the demo was started from, if that is the workspace: easier to read and to type.
fn shorten(path: PathBuf) -> PathBuf {
    let here = std::env::current_dir().unwrap_or_default();
    path.strip_prefix(here).map(Path::to_owned).unwrap_or(path)
}
