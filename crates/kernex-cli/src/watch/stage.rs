//! How much of the whole work of a device a target's state stands for.

use kernex_api::deployments::{Progress, Target};
use kernex_core::TargetState;

/// Percent of the way from `pending` to an end. The states have shares by how long they usually take.
pub(super) fn percent(target: &Target) -> u64 {
    let (from, to) = match target.state {
        TargetState::Pending => (0.0, 0.0),
        TargetState::Delivered => (2.0, 2.0),
        TargetState::Downloading => (2.0, 60.0),
        TargetState::Verifying => (60.0, 65.0),
        TargetState::Staging => (65.0, 80.0),
        TargetState::Activating => (80.0, 90.0),
        TargetState::Checking | TargetState::RollingBack => (90.0, 99.0),
        _ => (100.0, 100.0),
    };
    let share =
        target.progress_pct.filter(|pct| pct.is_finite()).map_or(0.0, |pct| pct.clamp(0.0, 100.0) / 100.0);
    (from + (to - from) * share) as u64
}

/// How many targets have ended.
pub(super) fn ended(progress: &Progress) -> u64 {
    progress.success + progress.failed + progress.rolled_back + progress.cancelled
}

/// The counts that are not zero: `3 success, 1 failed, 2 in progress`.
pub(super) fn totals(progress: &Progress) -> String {
    let counts = [
        (progress.success, "success"),
        (progress.failed, "failed"),
        (progress.rolled_back, "rolled back"),
        (progress.cancelled, "cancelled"),
        (progress.in_progress, "in progress"),
        (progress.pending, "pending"),
    ];
    let present =
        counts.iter().filter(|(count, _)| *count > 0).map(|(count, word)| format!("{count} {word}"));
    present.collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::watch::samples::{detail, target};

    #[test]
    fn the_bar_never_goes_back_while_a_device_works_through_its_states() {
        let mut last = 0;
        for state in [
            "pending",
            "delivered",
            "downloading",
            "verifying",
            "staging",
            "activating",
            "checking",
            "success",
        ] {
            for pct in [None, Some(50.0), Some(100.0)] {
                let now = percent(&target(1, state, pct));
                assert!(now >= last, "{state} {pct:?}: {now} after {last}");
                last = now;
            }
            last = percent(&target(1, state, None)).max(last.min(percent(&target(1, state, Some(100.0)))));
        }
        assert_eq!(last, 100);
    }

    #[test]
    fn a_device_that_reports_nonsense_breaks_no_bar() {
        assert_eq!(percent(&target(1, "downloading", Some(-5.0))), 2);
        assert_eq!(percent(&target(1, "downloading", Some(1e300))), 60);
    }

    #[test]
    fn totals_name_only_what_there_is() {
        let progress = detail("in_progress", 5, 3, 1).deployment.progress;
        assert_eq!(totals(&progress), "3 success, 1 failed, 1 in progress");
        assert_eq!(ended(&progress), 4);
    }
}
