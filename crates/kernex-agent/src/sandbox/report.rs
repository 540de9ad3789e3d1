//! What the sandbox consists of on this machine, found out by trying; for the log and for heartbeats.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
};

use super::{Policy, cgroup::Hierarchies, enter::Findings};
use crate::{paths::DataDir, process::RunnerProgram};

/// Longest text about one protection.
const MAX_TEXT_BYTES: usize = 256;

/// Protection by name: what there is, or `missing: …` with the reason.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Report(pub BTreeMap<String, String>);

impl Report {
    /// Tries from inside of a sandbox to read what the agent keeps to itself.
    pub(super) async fn find(
        policy: &Policy,
        data: &DataDir,
        files: &[&Path],
        program: &RunnerProgram,
    ) -> Self {
        let secrets =
            [data.key(), data.state(), data.config(), data.results(), data.logs(), data.root().join("keys")];
        let secrets: Vec<PathBuf> =
            secrets.into_iter().chain(files.iter().map(|path| path.to_path_buf())).collect();
        let probed = crate::process::probe(program, policy.empty(), secrets).await;
        let user = match policy.user {
            Some(user) => format!("{}:{}", user.uid, user.gid),
            None => {
                format!("{} (the agent's; only root can use another)", rustix::process::geteuid().as_raw())
            }
        };
        Self::of(user, probed.map_err(|error| error.to_string()), &Hierarchies::find())
    }

    fn of(user: String, probed: Result<Findings, String>, groups: &Hierarchies) -> Self {
        let mut report =
            BTreeMap::from([("user".to_owned(), user), ("cgroup".to_owned(), groups.describe())]);
        let mut set = |key: &str, value: String| report.insert(key.to_owned(), value);
        match probed {
            Ok(findings) => {
                set("no_new_privs", "yes".to_owned());
                set("landlock", findings.landlock);
                set("mounts", findings.mounts);
                set("keys", keys(&findings.readable));
            }
            Err(reason) => {
                set("keys", format!("unknown: {reason}"));
            }
        }
        report.values_mut().for_each(cut);
        Self(report)
    }

    /// Says it in the log, loudly if the agent's files can be read.
    pub(super) fn log(&self) {
        let list: Vec<String> = self.0.iter().map(|(key, value)| format!("{key}: {value}")).collect();
        tracing::info!(sandbox = list.join("; "), "the sandbox of scripts and workloads");
        match self.0.get("keys") {
            Some(keys) if keys == UNREADABLE => {}
            Some(keys) if keys.starts_with(READABLE) => tracing::warn!(
                keys,
                "scripts and workloads can read the agent's keys or state; run the agent as root, or on a kernel with Landlock"
            ),
            keys => tracing::warn!(
                keys,
                "the sandbox could not be tried out; scripts and workloads may not start"
            ),
        }
    }
}

/// The control plane takes no more.
fn cut(text: &mut String) {
    let mut end = text.len().min(MAX_TEXT_BYTES);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    text.truncate(end);
}

const UNREADABLE: &str = "unreadable";
const READABLE: &str = "readable: ";

fn keys(readable: &[PathBuf]) -> String {
    match readable {
        [] => UNREADABLE.to_owned(),
        paths => {
            let paths: Vec<String> = paths.iter().map(|path| path.display().to_string()).collect();
            format!("{READABLE}{}", paths.join(", "))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_missing_is_said() {
        let findings = Findings {
            mounts: "private".to_owned(),
            landlock: "missing: the kernel does not have it".to_owned(),
            readable: vec!["/k/device.pem".into()],
        };
        let report = Report::of("1:1".to_owned(), Ok(findings), &Hierarchies::default());
        assert_eq!(report.0["keys"], "readable: /k/device.pem");
        assert_eq!(report.0["landlock"], "missing: the kernel does not have it");
        assert!(report.0["cgroup"].starts_with("missing: "));
        let report = Report::of("1:1".to_owned(), Err("ä".repeat(300)), &Hierarchies::default());
        assert!(report.0["keys"].len() <= 256);
        let report = Report::of("1:1".to_owned(), Err("no process".to_owned()), &Hierarchies::default());
        assert_eq!(report.0["keys"], "unknown: no process");
        let report = Report::of("1:1".to_owned(), Ok(Findings::default()), &Hierarchies::default());
        assert_eq!(report.0["keys"], "unreadable");
    }
}
