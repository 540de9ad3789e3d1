//! Health checks after the version was kept: they only tell.

use std::{collections::BTreeMap, path::PathBuf, time::Duration};

use kernex_bundle::Health;
use kernex_core::BundleName;
use tokio::{sync::watch, time::sleep};
use tokio_util::sync::CancellationToken;

use crate::{health::Checker, process::RunnerProgram, sandbox::Sandbox};

/// Once the version is kept nobody waits for the outcome: checks cost less often.
const SHORTEST_INTERVAL: Duration = Duration::from_secs(5);

/// What to check, again and again.
#[derive(Clone, Debug)]
pub struct HealthWatch {
    /// What the manifest says.
    pub health: Health,
    /// For HTTP checks.
    pub http: reqwest::Client,
    /// The release's folder.
    pub dir: PathBuf,
    /// The environment of commands.
    pub env: BTreeMap<String, String>,
    /// What commands may do.
    pub sandbox: Sandbox,
}

impl HealthWatch {
    /// Checks until it is stopped.
    pub(super) async fn run(
        self,
        name: BundleName,
        program: RunnerProgram,
        is_unhealthy: watch::Sender<bool>,
        stop: CancellationToken,
    ) {
        let (dir, env) = (self.dir.as_path(), &self.env);
        let checker = Checker { http: &self.http, program: &program, dir, env, sandbox: &self.sandbox };
        let interval = Duration::from_secs(u64::from(self.health.interval_secs)).max(SHORTEST_INTERVAL);
        let mut streak = Streak::new(self.health.healthy_after);
        loop {
            tokio::select! {
                () = sleep(interval) => {}
                () = stop.cancelled() => return,
            }
            let outcome = checker.check(&self.health, &stop).await;
            if stop.is_cancelled() {
                return;
            }
            match (streak.note(outcome.is_ok()), outcome) {
                (Some(true), _) => tracing::info!(bundle.name = %name, "the health check passes again"),
                (Some(false), Err(reason)) => {
                    tracing::warn!(bundle.name = %name, reason, "the health check does not pass any more");
                }
                _ => continue,
            }
            is_unhealthy.send_replace(!streak.is_healthy);
        }
    }
}

/// Changes its mind only after several outcomes in a row, either way.
#[derive(Debug)]
struct Streak {
    is_healthy: bool,
    against: u32,
    needed: u32,
}

impl Streak {
    const fn new(needed: u32) -> Self {
        Self { is_healthy: true, against: 0, needed }
    }

    /// Takes an outcome; tells when that changed something.
    fn note(&mut self, passed: bool) -> Option<bool> {
        if passed == self.is_healthy {
            self.against = 0;
            return None;
        }
        self.against += 1;
        if self.against < self.needed.max(1) {
            return None;
        }
        self.against = 0;
        self.is_healthy = passed;
        Some(passed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_several_outcomes_in_a_row_change_what_is_told() {
        let mut streak = Streak::new(3);
        let told: Vec<Option<bool>> = [false, false, true, false, false, false, false, true, true, true]
            .into_iter()
            .map(|passed| streak.note(passed))
            .collect();
        let expected = [None, None, None, None, None, Some(false), None, None, None, Some(true)];
        assert_eq!(told, expected);
    }
}
