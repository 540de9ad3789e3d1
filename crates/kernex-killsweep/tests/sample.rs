//! A part of the sweep that every test run has time for.

use kernex_killsweep::{Scenario, Settings, sweep};

/// Points of this run; `cargo xtask killsweep` takes all of them.
const SAMPLE: usize = 300;

#[tokio::test(flavor = "multi_thread")]
async fn an_agent_that_is_killed_before_any_write_comes_back_right() {
    let settings = Settings { scenarios: Scenario::ALL.to_vec(), sample: Some(SAMPLE), jobs: 16 };
    let reports = sweep(&settings, |_| {}).await.expect("the sweep runs");
    let failed: Vec<_> = reports.iter().flat_map(|report| &report.failed).collect();
    assert!(failed.is_empty(), "{failed:#?}");
    let tried: usize = reports.iter().map(|report| report.survived + report.not_reached).sum();
    assert!(
        tried >= SAMPLE.min(reports.iter().map(|report| report.points).sum()),
        "{tried} points were tried"
    );
}
