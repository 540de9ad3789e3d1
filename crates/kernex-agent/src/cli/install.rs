//! `kernex-agent install` and `uninstall`: the program, its folders, the user for workloads, the service.

mod steps;

use std::{io::Write as _, path::PathBuf};

use anyhow::{Context as _, ensure};
use clap::Args;

use steps::Steps;

/// What systemd is told.
const UNIT: &str = include_str!("../../../../deploy/agent/kernex-agent.service");
/// Settings, to be filled in.
const SETTINGS: &str = include_str!("../../../../deploy/agent/agent.env");

const PROGRAM: &str = "usr/bin/kernex-agent";
const UNIT_PATH: &str = "etc/systemd/system/kernex-agent.service";
/// Where a package puts the unit; that one is left alone.
const PACKAGED_UNIT: &str = "usr/lib/systemd/system/kernex-agent.service";
const SETTINGS_PATH: &str = "etc/kernex/agent.env";
const DATA_DIR: &str = "var/lib/kernex";
const SERVICE: &str = "kernex-agent.service";
const USER: &str = "kernex";

/// Arguments of both.
#[derive(Args, Debug)]
pub(super) struct InstallArgs {
    /// Only say what would be done
    #[arg(long)]
    dry_run: bool,
    /// Work below this folder instead of `/`: nothing outside is touched, no user is made and no service started
    #[arg(long, value_name = "DIR")]
    root: Option<PathBuf>,
}

/// Arguments of `uninstall`.
#[derive(Args, Debug)]
pub(super) struct UninstallArgs {
    #[command(flatten)]
    common: InstallArgs,
    /// Remove settings, keys, state and releases, too
    #[arg(long)]
    purge: bool,
}

impl InstallArgs {
    fn steps(&self) -> anyhow::Result<Steps> {
        let may = self.dry_run || self.root.is_some() || rustix::process::geteuid().is_root();
        ensure!(may, "only root can do this; --dry-run says what would be done");
        Ok(Steps::new(self.root.clone(), self.dry_run))
    }
}

/// Installs the running program as a service. Again, it brings everything up to date.
pub(super) fn install(args: &InstallArgs) -> anyhow::Result<()> {
    let mut steps = args.steps()?;
    let program = std::env::current_exe().context("the running program is not known")?;
    let bytes = std::fs::read(&program).with_context(|| format!("cannot read {}", program.display()))?;
    steps.write(PROGRAM, &bytes, 0o755)?;
    steps.make_user(USER)?;
    steps.make_dir(DATA_DIR, 0o755)?;
    steps.make_dir("etc/kernex", 0o755)?;
    steps.write_if_missing(SETTINGS_PATH, SETTINGS.as_bytes(), 0o600)?;
    if steps.has_systemd() {
        if !steps.exists(PACKAGED_UNIT) {
            steps.write(UNIT_PATH, UNIT.as_bytes(), 0o644)?;
        }
        steps.run(&["systemctl", "daemon-reload"])?;
        steps.run(&["systemctl", "enable", SERVICE])?;
        steps.run(&["systemctl", "restart", SERVICE])?;
    } else {
        steps.say("systemd is not there: let your init system start `/usr/bin/kernex-agent run` as root, with the settings of /etc/kernex/agent.env in its environment, and start it again whenever it ends")?;
    }
    steps.say("set CONTROL_PLANE_URL in /etc/kernex/agent.env if it is not set")
}

/// Takes the service away; keys, state and releases stay unless they are to go.
pub(super) fn uninstall(args: &UninstallArgs) -> anyhow::Result<()> {
    let mut steps = args.common.steps()?;
    if steps.has_systemd() && (steps.exists(UNIT_PATH) || steps.exists(PACKAGED_UNIT)) {
        steps.run(&["systemctl", "disable", "--now", SERVICE])?;
    }
    steps.remove_file(UNIT_PATH)?;
    if steps.has_systemd() {
        steps.run(&["systemctl", "daemon-reload"])?;
    }
    steps.remove_file(PROGRAM)?;
    if args.purge {
        steps.remove_tree(DATA_DIR)?;
        steps.remove_tree("etc/kernex")?;
    } else {
        steps.say(
            "keys, state and releases stay in /var/lib/kernex, settings in /etc/kernex; --purge removes them",
        )?;
    }
    steps.say(&format!("the user {USER} stays: files may be left that belong to it"))
}

/// A line for the person who installs.
fn print(line: &str) -> anyhow::Result<()> {
    Ok(writeln!(std::io::stdout(), "{line}")?)
}

#[cfg(test)]
mod tests {
    use std::{fs, os::unix::fs::PermissionsExt as _};

    use super::*;

    fn args(root: &std::path::Path, dry_run: bool) -> InstallArgs {
        InstallArgs { dry_run, root: Some(root.to_owned()) }
    }

    #[test]
    fn installing_twice_changes_nothing_and_keeps_settings_and_uninstalling_keeps_data() {
        let dir = tempfile::tempdir().unwrap();
        let root = dir.path();
        fs::create_dir_all(root.join("run/systemd/system")).unwrap();
        install(&args(root, false)).unwrap();
        let mode = |path: &str| fs::metadata(root.join(path)).unwrap().permissions().mode() & 0o777;
        assert_eq!((mode(PROGRAM), mode(UNIT_PATH), mode(SETTINGS_PATH)), (0o755, 0o644, 0o600));
        assert!(
            fs::read_to_string(root.join(UNIT_PATH)).unwrap().contains("ExecStart=/usr/bin/kernex-agent run")
        );
        fs::write(root.join(SETTINGS_PATH), "CONTROL_PLANE_URL=http://x\n").unwrap();
        fs::write(root.join(DATA_DIR).join("config.json"), "{}").unwrap();
        let written = fs::metadata(root.join(PROGRAM)).unwrap().modified().unwrap();
        install(&args(root, false)).unwrap();
        assert_eq!(fs::metadata(root.join(PROGRAM)).unwrap().modified().unwrap(), written);
        assert_eq!(fs::read_to_string(root.join(SETTINGS_PATH)).unwrap(), "CONTROL_PLANE_URL=http://x\n");

        let keep = |purge| UninstallArgs { common: args(root, false), purge };
        uninstall(&keep(false)).unwrap();
        assert!(!root.join(PROGRAM).exists() && !root.join(UNIT_PATH).exists());
        assert!(root.join(DATA_DIR).join("config.json").exists() && root.join(SETTINGS_PATH).exists());
        uninstall(&keep(true)).unwrap();
        assert!(!root.join(DATA_DIR).exists() && !root.join("etc/kernex").exists());
    }

    #[test]
    fn a_dry_run_touches_nothing() {
        let dir = tempfile::tempdir().unwrap();
        install(&args(dir.path(), true)).unwrap();
        uninstall(&UninstallArgs { common: args(dir.path(), true), purge: true }).unwrap();
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 0);
    }
}
