//! A line per change, for logs and pipes.

use std::collections::HashMap;

use kernex_api::deployments::Progress;
use kernex_core::{DeploymentStatus, DeviceId, TargetState};

use super::{Names, Snapshot, screen::label, stage};

/// What was said last.
#[derive(Default)]
pub(super) struct Lines {
    targets: HashMap<DeviceId, (TargetState, u32)>,
    totals: Option<(DeploymentStatus, Progress)>,
}

impl Lines {
    /// What has changed since.
    pub(super) fn update(&mut self, snapshot: &Snapshot, names: &Names) -> Vec<String> {
        let mut lines = Vec::new();
        for target in &snapshot.targets {
            let now = (target.state, target.attempt);
            if self.targets.insert(target.device_id, now) == Some(now) {
                continue;
            }
            let mut line = format!("{}: {}", label(names, target.device_id), target.state);
            if target.attempt > 1 {
                line.push_str(&format!(" (attempt {})", target.attempt));
            }
            if let Some(reason) = super::summary::reason(target) {
                line.push_str(&format!(": {reason}"));
            }
            lines.push(line);
        }
        let deployment = &snapshot.detail.deployment;
        let totals = (deployment.status, deployment.progress);
        if self.totals != Some(totals) {
            self.totals = Some(totals);
            let (ended, all) = (stage::ended(&deployment.progress), deployment.progress.total);
            let counts = stage::totals(&deployment.progress);
            lines.push(format!("{}: {ended} of {all} ended ({counts})", deployment.status));
        }
        lines
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::watch::samples::{DEVICE, detail, target};

    fn snapshot(states: &[&str], status: &str, success: u64) -> Snapshot {
        let targets = (1..).zip(states).map(|(number, state)| target(number, state, None)).collect();
        Snapshot { detail: detail(status, states.len() as u64, success, 0), targets }
    }

    #[test]
    fn only_changes_are_said() {
        let names = Names::from([(format!("{DEVICE}1").parse().unwrap(), "cam-1".to_owned())]);
        let mut lines = Lines::default();
        let first = snapshot(&["downloading", "pending"], "in_progress", 0);
        assert_eq!(
            lines.update(&first, &names),
            [
                "cam-1: downloading".to_owned(),
                format!("{DEVICE}2: pending"),
                "in_progress: 0 of 2 ended (2 in progress)".to_owned(),
            ]
        );
        assert!(lines.update(&first, &names).is_empty());
        let second = snapshot(&["success", "pending"], "in_progress", 1);
        assert_eq!(
            lines.update(&second, &names),
            ["cam-1: success", "in_progress: 1 of 2 ended (1 success, 1 in progress)",]
        );
    }
}
